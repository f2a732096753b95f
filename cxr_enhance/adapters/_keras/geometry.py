"""Position of CLAHE's tiles, and the weights of neighbouring tiles for each pixel.

The same code computes with NumPy or with `keras.ops`. Sizes that are known when a model is built
give NumPy arrays, which become constants of the graph. Sizes that are known only when the model
runs give tensors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from keras import ops


class Axis(NamedTuple):
    """The division of one image axis into tiles; the fields are all arrays or all tensors."""

    tile_size: Any  # pixels of a tile along this axis
    padded: bool  # whether padding is needed; True also where the size is not known yet
    source: Any  # (size + pad,) int32: index of the pixel at each padded position
    tile: Any  # (size + pad,) int32: index of the tile at each padded position
    first: Any  # (size,) int32: last tile whose centre lies at or before each pixel, at least 0
    second: Any  # (size,) int32: the tile after `first`, at most the last tile
    cell: Any  # (size,) int32: number of tile centres at or before each pixel, 0..tiles
    weight: Any  # (size,) float32: weight of the second tile


class Geometry(NamedTuple):
    """Both axes, the number of pixels of a tile, and the ceiling of a bin (0: no clipping)."""

    y: Axis
    x: Axis
    area: Any
    limit: Any


def make_geometry(
    height: Any, width: Any, tile_grid_size: tuple[int, int], clip_limit: float, num_bins: int
) -> Geometry:
    """Divide an image into tiles; `height` and `width` are ints or scalar int32 tensors."""
    known = isinstance(height, int) and isinstance(width, int)
    xp: Any = _NumpyOps if known else ops
    tiles_x, tiles_y = tile_grid_size
    # If the grid does not divide one axis, OpenCV extends both axes. An axis that the grid divides
    # is extended by one pixel for each tile.
    divides = xp.logical_and(
        xp.equal(xp.mod(width, tiles_x), 0), xp.equal(xp.mod(height, tiles_y), 0)
    )
    zero = xp.cast(0, "int32")
    pad_y = xp.where(divides, zero, tiles_y - xp.mod(height, tiles_y))
    pad_x = xp.where(divides, zero, tiles_x - xp.mod(width, tiles_x))
    padded = not (known and bool(divides))
    y = _cut(height, pad_y, tiles_y, padded, xp)
    x = _cut(width, pad_x, tiles_x, padded, xp)
    area = y.tile_size * x.tile_size
    limit = zero
    if clip_limit > 0:
        # Computed in float64 and truncated. A limit above the pixels of a tile clips nothing and
        # might not fit int32, so it is lowered to the number of pixels.
        exact = clip_limit * xp.cast(area, "float64") / num_bins
        limit = xp.cast(xp.minimum(exact, xp.cast(area, "float64")), "int32")
        limit = xp.maximum(limit, 1)
    if known:
        return Geometry(y, x, int(area), int(limit))
    return Geometry(y, x, area, limit)


def _cut(size: Any, pad: Any, tiles: int, padded: bool, xp: Any) -> Axis:
    tile_size = xp.floor_divide(size + pad, tiles)
    position = xp.arange(size + pad, dtype="int32")
    # BORDER_REFLECT_101, repeated as often as needed: abcd|cbabcd. The period of one pixel is 1.
    period = xp.maximum(2 * (size - 1), 1)
    folded = xp.mod(position, period)
    source = xp.minimum(folded, period - folded)
    tile = xp.floor_divide(position, tile_size)
    # As in OpenCV, every operation rounds to float32, and the division is a multiplication by the
    # reciprocal.
    one = xp.cast(1, "float32")
    half = xp.cast(0.5, "float32")
    pixels = xp.cast(xp.arange(size, dtype="int32"), "float32")
    centre = pixels * (one / xp.cast(tile_size, "float32")) - half
    before = xp.floor(centre)
    first = xp.cast(before, "int32")
    return Axis(
        tile_size=tile_size,
        padded=padded,
        source=xp.cast(source, "int32"),
        tile=xp.cast(tile, "int32"),
        first=xp.cast(xp.maximum(first, 0), "int32"),
        second=xp.cast(xp.minimum(first + 1, tiles - 1), "int32"),
        cell=xp.cast(first + 1, "int32"),
        weight=centre - before,
    )


class _NumpyOps:
    """NumPy's versions of the functions that this module uses, with the names of `keras.ops`."""

    arange = staticmethod(np.arange)
    equal = staticmethod(np.equal)
    floor = staticmethod(np.floor)
    floor_divide = staticmethod(np.floor_divide)
    logical_and = staticmethod(np.logical_and)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    mod = staticmethod(np.mod)
    where = staticmethod(np.where)

    @staticmethod
    def cast(value: Any, dtype: str) -> Any:
        return np.asarray(value).astype(dtype)
