"""`Plan`: the options of the composed kernels, computed once for all images of one shape."""

from __future__ import annotations

from typing import NamedTuple


class Plan(NamedTuple):
    """Checked options and tile geometry, as plain numbers.

    Parameters
    ----------
    stretch : bool
        Whether white balance is applied.
    percentile_low, percentile_high : float
        Percentiles of the white balance, in percent.
    equalize : bool
        Whether CLAHE is applied. The fields below are used only then, except `bits`, which white
        balance uses too.
    tiles_x, tiles_y : int
        Number of tiles along a row and along a column.
    tile_width, tile_height : int
        Size of a tile of the extended image, in pixels.
    pad_y : int
        Number of rows that extend the image at the bottom.
    limit : int
        Largest count of a bin; the area of a tile if clipping is off.
    bit_shift : int
        Number of low bits that are dropped before counting.
    bits : int
        Bit depth: values and results lie in 0 to ``2**bits - 1``.
    num_bins : int
        Number of bins that are counted and clipped. If it is less than ``2**bits >> bit_shift``,
        pixels between two bins are interpolated, and no bits are dropped.
    """

    stretch: bool
    percentile_low: float
    percentile_high: float
    equalize: bool
    tiles_x: int
    tiles_y: int
    tile_width: int
    tile_height: int
    pad_y: int
    limit: int
    bit_shift: int
    bits: int
    num_bins: int

    @property
    def all_values(self) -> bool:
        """Whether every value, after the low bits are dropped, has its own bin."""
        return self.num_bins == 1 << self.bits >> self.bit_shift
