"""`Plan`: what the composed kernels are told, worked out once for all images of one shape."""

from __future__ import annotations

from typing import NamedTuple


class Plan(NamedTuple):
    """Checked options and tile geometry, as plain numbers.

    Parameters
    ----------
    stretch : bool
        Whether white balance takes place, with cuts `percentile_low` and `percentile_high`.
    equalize : bool
        Whether CLAHE takes place; the fields below matter only then.
    tiles_x, tiles_y : int
        Tiles along a row and down a column.
    tile_width, tile_height : int
        Pixels of a tile of the extended image.
    pad_y : int
        Rows the extended image has below the image.
    limit : int
        Highest count of a bin; the tile's area where clipping is off.
    bit_shift : int
        Low bits dropped before counting.
    bits : int
        Values and results lie in 0 to ``2**bits - 1``.
    num_bins : int
        Bins that are counted and clipped. Where they are fewer than ``2**bits >> bit_shift``,
        pixels between two bins are interpolated, and nothing is dropped.
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
        """Whether each value that the dropped bits leave apart is a bin of its own."""
        return self.num_bins == 1 << self.bits >> self.bit_shift
