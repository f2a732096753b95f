"""The public operation `clahe`, and `CLAHE`, an object with OpenCV's interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_enhance._engine.planning import make_plan
from cxr_enhance._engine.stacks import run_stack
from cxr_enhance._params import EnhanceParams
from cxr_enhance._pickling import reads_older_pickles
from cxr_enhance._types import TileGridSize
from cxr_enhance._validation import (
    as_kernel_input,
    check_bit_shift,
    check_bits,
    check_clip_limit,
    check_image,
    check_num_bins,
    check_out,
    check_tile_grid_size,
    check_values_fit,
)

if TYPE_CHECKING:
    from cxr_enhance._types import Image

_DEFAULT = EnhanceParams()
_FIELDS_BEFORE_BINS = 2  # fields of an object pickled before `num_bins` and `bits` were added
_NO_LIMIT = "`clip_limit` must be a number; got None. Use 0 to turn clipping off."


def clahe(
    image: Image,
    *,
    clip_limit: float = _DEFAULT.clip_limit,  # type: ignore[assignment]
    tile_grid_size: TileGridSize = _DEFAULT.tile_grid_size,
    bit_shift: int = _DEFAULT.bit_shift,
    num_bins: int | None = None,
    bits: int | None = None,
    out: Image | None = None,
) -> Image:
    """Equalize contrast tile by tile, byte for byte as OpenCV's ``createCLAHE(...).apply``.

    The result equals OpenCV's where `num_bins` is None. Counting fewer bins is an extension of this
    package; OpenCV has no such option.

    Contrast limited adaptive histogram equalization brings out detail in dark and bright regions
    of a radiograph at once. It changes relative brightness, so do not use it before measuring
    densities.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 1), dtype uint8 or uint16
        Gray image. Any strides and byte order; not modified.
    clip_limit : float, default 2.0
        Ceiling of a bin as a multiple of the tile's mean bin count, >= 0; 0 turns clipping off.
        OpenCV's ``clipLimit`` (whose default is 40). Not scikit-image's, which is normalised to
        0..1.
    tile_grid_size : (int, int), default (16, 16)
        Number of tiles as (columns, rows), OpenCV's order; at most 65,536 tiles, and 1,024 columns
        for uint16.
    bit_shift : int, default 0
        Number of low bits that are dropped before counting and are zero in the result, 0..7 for
        uint8 and 0..15 for uint16: OpenCV's ``setBitShift``. 4 suits 12-bit data stored in the
        high bits of uint16.
    num_bins : int or None, default None
        Number of gray levels that are counted and clipped, from 2 to 65,536; pixels between two of
        them are interpolated. None counts every value, as OpenCV does. A number above the number
        of possible values also counts every value. Only allowed with `bit_shift` 0.
    bits : int or None, default None
        Bit depth of the values and results, which fill 0 to ``2**bits - 1``: 1..8 for uint8 and
        1..16 for uint16. 12 is for 12-bit values in the low bits of uint16. None uses all bits of
        the dtype.
    out : ndarray of the shape and dtype of `image`, optional
        Where to write the result; C-contiguous, must not overlap `image`.

    Returns
    -------
    ndarray of the shape of `image`, same dtype
        `out` if given, else a new array; C-contiguous, native byte order.

    Raises
    ------
    TypeError
        If an argument has the wrong type or dtype.
    ValueError
        If a shape or a value is out of range, or a pixel has more than `bits` bits.

    See Also
    --------
    CLAHE : The same operation as an object with OpenCV's interface and OpenCV's defaults.
    enhance : White balance, gray and CLAHE in one call.
    enhance_batch : Many images on all CPUs.

    Notes
    -----
    Where the grid does not divide a size of the image, the image is extended by reflection at the
    bottom and right, as OpenCV does. Where the grid divides only one of the two sizes, that size is
    extended too, by as many pixels as there are tiles along it.

    A bin's limit in pixels is ``max(1, int(clip_limit * area / bins))`` for tiles of ``area``
    pixels. With a bin for each of 65,536 values, the limit is 1 wherever ``clip_limit * area`` is
    below 131,072, and then `clip_limit` has no effect. An example is an image of less than
    4096 x 4096 pixels with 16 x 16 tiles and a `clip_limit` of 2. Choose ``num_bins=256`` for
    uint16 unless the result must equal OpenCV's.

    With `num_bins` below the number of values, value ``v`` lies at the bin position
    ``v * (num_bins - 1) / (2**bits - 1)``. A tile counts the value in the nearest bin. A pixel's
    level in a tile is interpolated linearly between the levels of the bins below and above its
    position.

    Runs on one thread and releases the GIL. Safe to call from many threads at once, because there
    is no shared state. Scratch memory: for uint8, 1.5 KiB for each tile column and 0.1 MiB more.
    For uint16, for every level between the image's lowest and highest: 8 bytes for each tile column
    and 20 bytes more. With `num_bins` below the number of values, for every bin: 24 bytes for each
    tile column and up to 284 bytes more.

    References
    ----------
    .. [1] K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV,
           Academic Press, 1994, pp. 474-485.
    .. [2] OpenCV, modules/imgproc/src/clahe.cpp.

    Examples
    --------
    >>> import numpy as np, cxr_enhance
    >>> ramp = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    >>> cxr_enhance.clahe(ramp, clip_limit=2.0, tile_grid_size=(8, 4)).shape
    (48, 64)
    """
    if clip_limit is None:  # "no CLAHE" in EnhanceParams, not here
        raise TypeError(_NO_LIMIT)
    src = as_kernel_input(check_image(image, "gray"))
    plan = make_plan(
        *src.shape[:2],
        src.dtype.itemsize,
        percentiles=None,
        clip_limit=check_clip_limit(clip_limit),
        tile_grid_size=check_tile_grid_size(tile_grid_size),
        bit_shift=(shift := check_bit_shift(bit_shift)),
        num_bins=check_num_bins(num_bins, shift),
        bits=(depth := check_bits(bits)),
    )
    check_values_fit(src, depth)
    result = np.empty(src.shape, src.dtype)
    if out is not None:
        result = check_out(out, src.shape, src.dtype, image)
    height, width = src.shape[:2]
    run_stack(src.reshape(1, height, width), result.reshape(1, height, width), plan)
    return result


def _with_bins_and_bits(state: list[Any]) -> list[Any]:
    """Return pickled options with `num_bins` and `bits`, which older versions lack."""
    return [*state, None, None] if len(state) == _FIELDS_BEFORE_BINS else state


@reads_older_pickles(_with_bins_and_bits)
@dataclass(frozen=True, slots=True)
class CLAHE:
    """OpenCV's CLAHE object with OpenCV's defaults and bytes, for any number of threads.

    ``cv2.createCLAHE(2.0, (8, 8)).apply(image)`` becomes ``CLAHE(2.0, (8, 8)).apply(image)``. An
    object is immutable, hashable and picklable. Attributes replace OpenCV's ``get`` methods, and
    there are no ``set`` methods: make a new object for another limit.

    Parameters
    ----------
    clip_limit : float, default 40.0
        Ceiling of a bin as a multiple of the tile's mean bin count, >= 0; 0 turns clipping off.
        The default is OpenCV's ``clipLimit``, not that of `clahe` and `EnhanceParams`.
    tile_grid_size : (int, int), default (8, 8)
        Number of tiles as (columns, rows), OpenCV's order.
    num_bins, bits : int or None, default None
        As for `clahe`; keyword-only. None counts every value and uses all bits of the dtype, as
        OpenCV does.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a value is out of range.

    See Also
    --------
    clahe : The same operation as a function, which also takes `bit_shift`.

    Examples
    --------
    >>> import numpy as np, cxr_enhance
    >>> ramp = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    >>> cxr_enhance.CLAHE(2.0, (8, 4)).apply(ramp).shape
    (48, 64)
    """

    clip_limit: float = 40.0
    tile_grid_size: TileGridSize = (8, 8)
    num_bins: int | None = field(default=None, kw_only=True)
    bits: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.clip_limit is None:
            raise TypeError(_NO_LIMIT)
        store = object.__setattr__
        store(self, "clip_limit", check_clip_limit(self.clip_limit))
        store(self, "tile_grid_size", check_tile_grid_size(self.tile_grid_size))
        store(self, "num_bins", check_num_bins(self.num_bins, 0))
        store(self, "bits", check_bits(self.bits))

    def apply(self, image: Image, out: Image | None = None) -> Image:
        """Equalize contrast tile by tile, as `clahe` does.

        Parameters
        ----------
        image : ndarray of shape (H, W) or (H, W, 1), dtype uint8 or uint16
            Gray image. Any strides and byte order; not modified.
        out : ndarray of the shape and dtype of `image`, optional
            Where to write the result, OpenCV's ``dst``; C-contiguous, must not overlap `image`.

        Returns
        -------
        ndarray of the shape of `image`, same dtype
            `out` if given, else a new array. OpenCV drops the last axis of (H, W, 1).

        Raises
        ------
        TypeError
            If an argument has the wrong type or dtype.
        ValueError
            If a shape or a value is out of range, or a pixel has more than `bits` bits.
        """
        return clahe(
            image,
            clip_limit=self.clip_limit,
            tile_grid_size=self.tile_grid_size,
            num_bins=self.num_bins,
            bits=self.bits,
            out=out,
        )
