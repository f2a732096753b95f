"""Make the plan of the kernels from checked options and the shape of an image."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cxr_enhance._kernels.constants import BLUE, RED
from cxr_enhance._kernels.plan import Plan
from cxr_enhance._validation import (
    check_bit_shift_fits,
    check_bits_fit,
    check_clip_limit_fits,
    check_grid_fits,
)

if TYPE_CHECKING:
    import numpy as np

    from cxr_enhance._params import EnhanceParams
    from cxr_enhance._types import ChannelOrder, Percentiles, TileGridSize


def plan_of(shape: tuple[int, ...], dtype: np.dtype[Any], params: EnhanceParams) -> Plan:
    """Return the plan of `params` for images of this shape and dtype; see `make_plan`."""
    return make_plan(
        shape[0],
        shape[1],
        dtype.itemsize,
        percentiles=params.percentiles,
        clip_limit=params.clip_limit,
        tile_grid_size=params.tile_grid_size,
        bit_shift=params.bit_shift,
        num_bins=params.num_bins,
        bits=params.bits,
    )


@lru_cache(maxsize=256)  # most callers have images of few shapes
def make_plan(
    height: int,
    width: int,
    itemsize: int,
    *,
    percentiles: Percentiles | None,
    clip_limit: float | None,
    tile_grid_size: TileGridSize,
    bit_shift: int,
    num_bins: int | None,
    bits: int | None,
) -> Plan:
    """Compute tiles and limits for images of this size, with `itemsize` bytes per pixel.

    The options must be results of `_validation`. They are plain Python numbers, so that equal
    options find the same entry of the cache.

    Raises
    ------
    ValueError
        If `bit_shift`, `bits` or `clip_limit` is too large for the images, or `tile_grid_size` does
        not suit them.
    """
    depth = check_bits_fit(bits, itemsize)
    low, high = percentiles or (0.0, 100.0)
    stretch = percentiles is not None
    if clip_limit is None:
        return Plan(
            stretch=stretch,
            percentile_low=low,
            percentile_high=high,
            equalize=False,
            tiles_x=1,
            tiles_y=1,
            tile_width=1,
            tile_height=1,
            pad_y=0,
            limit=0,
            bit_shift=0,
            bits=depth,
            num_bins=0,
        )
    check_bit_shift_fits(bit_shift, depth, itemsize)
    check_grid_fits(tile_grid_size, itemsize)
    tiles_x, tiles_y = tile_grid_size
    # If the grid does not divide one axis, OpenCV extends both axes. An axis that the grid divides
    # is extended by one pixel for each tile.
    divides = width % tiles_x == 0 and height % tiles_y == 0
    pad_x = 0 if divides else tiles_x - width % tiles_x
    pad_y = 0 if divides else tiles_y - height % tiles_y
    tile_width, tile_height = (width + pad_x) // tiles_x, (height + pad_y) // tiles_y
    area = tile_width * tile_height
    if area >= 2**31:
        raise ValueError(
            f"`tile_grid_size` must make tiles of less than 2**31 pixels; got {tile_grid_size!r} "
            f"for an image of {height} x {width}, tiles of {area}. Use a finer grid."
        )
    values = 2**depth >> bit_shift
    counted = values if num_bins is None else min(num_bins, values)
    limit = check_clip_limit_fits(clip_limit, area, counted) or area
    return Plan(
        stretch=stretch,
        percentile_low=low,
        percentile_high=high,
        equalize=True,
        tiles_x=tiles_x,
        tiles_y=tiles_y,
        tile_width=tile_width,
        tile_height=tile_height,
        pad_y=pad_y,
        limit=min(limit, area),
        bit_shift=bit_shift,
        bits=depth,
        num_bins=counted,
    )


def gray_weights(channel_order: ChannelOrder) -> tuple[int, int]:
    """Return the gray weights of the first and the third channel, times 2**15."""
    return (RED, BLUE) if channel_order == "rgb" else (BLUE, RED)
