"""Where CLAHE's tiles lie and how much of each a pixel takes, in NumPy or as a graph.

The same lines serve both: sizes known when a model is built give NumPy arrays, which become
constants of the graph; sizes known only when it runs give tensors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from keras import ops


class Axis(NamedTuple):
    """One axis of an image cut into tiles; arrays or tensors throughout."""

    tile_size: Any
    padded: bool  # whether `source` differs, or may differ, from counting up
    source: Any  # (size + pad,) int32: the pixel that stands at each padded position
    tile: Any  # (size + pad,) int32: the tile of each padded position
    first: Any  # (size,) int32: the tile whose centre lies at or before each pixel
    second: Any  # (size,) int32: the next one
    cell: Any  # (size,) int32: pairs of neighbouring tiles before each pixel, 0..tiles
    weight: Any  # (size,) float32: the share of the second


class Geometry(NamedTuple):
    """Both axes, a tile's pixels, and a bin's ceiling (0: none)."""

    y: Axis
    x: Axis
    area: Any
    limit: Any


def make_geometry(
    height: Any, width: Any, tile_grid_size: tuple[int, int], clip_limit: float, num_bins: int
) -> Geometry:
    """Cut an image of `height` times `width`, ints or scalar int32 tensors, into tiles."""
    known = isinstance(height, int) and isinstance(width, int)
    xp: Any = _NumpyOps if known else ops
    tiles_x, tiles_y = tile_grid_size
    # OpenCV extends both axes as soon as one does not divide: the other by a whole tile count.
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
        # In float64, truncated; a limit above a tile's pixels is none and would not fit int32.
        exact = clip_limit * xp.cast(area, "float64") / num_bins
        limit = xp.cast(xp.minimum(exact, xp.cast(area, "float64")), "int32")
        limit = xp.maximum(limit, 1)
    if known:
        return Geometry(y, x, int(area), int(limit))
    return Geometry(y, x, area, limit)


def _cut(size: Any, pad: Any, tiles: int, padded: bool, xp: Any) -> Axis:
    tile_size = xp.floor_divide(size + pad, tiles)
    position = xp.arange(size + pad, dtype="int32")
    # BORDER_REFLECT_101, folded as often as it takes: abcd|cbabcd. A side of one has period one.
    period = xp.maximum(2 * (size - 1), 1)
    folded = xp.mod(position, period)
    source = xp.minimum(folded, period - folded)
    tile = xp.floor_divide(position, tile_size)
    # Every operation rounds to float32, and the reciprocal is multiplied, as in OpenCV.
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
    """The few functions above under their names in `keras.ops`."""

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
