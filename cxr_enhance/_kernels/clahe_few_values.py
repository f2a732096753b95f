"""CLAHE with fewer bins than values, for uint16 images that have few different values.

The steps and results are those of `clahe_bins`. Bins and levels are computed once for each value of
a cell instead of once for each pixel, because a 12-bit image has at most 4,096 values and millions
of pixels. Only looking up and blending are done for each pixel.

1. Find the bin position of every value from the image's lowest to its highest. White balance is
   applied to the values first, so that it needs no pass over the pixels.
2. Count the values of each tile (`histogram.count_tile_row_u16`) and add the counts of the values
   of each bin (`count_bins_of_tiles`).
3. Make the tables of the tiles (`clahe_bins.make_lut_row`).
4. For each cell, interpolate the level of every value in the four tiles around it
   (`interpolate_cell`).
5. Look up and blend (`blend_row`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.clahe_bins import (
    PAIRS_AT_A_TIME,
    blend_corners,
    make_lut_row,
    nearest_bins,
    place_row,
)
from cxr_enhance._kernels.geometry import place_axis
from cxr_enhance._kernels.histogram import copy_tail, count_tile_row_u16, value_range
from cxr_enhance._kernels.jit import inline_kernel, spliced_kernel
from cxr_enhance._kernels.lanes import LANES
from cxr_enhance._kernels.wide import WIDE, gather_words_wide, step_four

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan

_F32 = np.float32
_U = np.uintp
_U32 = np.uint32

# Interpolating a value for the four tiles around a cell costs about the time that is saved for two
# pixels; a cell has the size of a tile. Tables of more than `_MOST_VALUES` values do not fit the
# second-level cache.
_PIXELS_A_VALUE = 4
_ROWS_AT_A_TIME = 16
_MOST_VALUES = 16_384


# (Plan, int64) -> bool
@inline_kernel
def has_few_values(plan: Plan, n: int) -> bool:
    """Return whether `n` values are so few that this module is faster than `clahe_bins`."""
    area = plan.tile_width * plan.tile_height
    return n <= _MOST_VALUES and n * _PIXELS_A_VALUE <= area


# (uint16[:, ::1], Plan) -> (int64, int64, bool)
@inline_kernel
def find_few_values(src: npt.NDArray[np.uint16], plan: Plan) -> tuple[int, int, bool]:
    """Return the lowest and the highest value, and whether the values between them are few.

    If the first rows already have too many values, the other rows are not read. The lowest and the
    highest value are then those of the rows that were read.
    """
    low, high = value_range(src[:1])
    few = True
    for y in range(0, src.shape[0], _ROWS_AT_A_TIME):
        lowest, highest = value_range(src[y : y + _ROWS_AT_A_TIME])
        low, high = min(low, lowest), max(high, highest)
        few = has_few_values(plan, high - low + 1)
        if not few:
            break
    return low, high, few


# (int32[::1], int64[::1], Plan, int32[::1]) -> None
@inline_kernel
def count_bins_of_tiles(
    by_value: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    plan: Plan,
    counts: npt.NDArray[np.int32],
) -> None:
    """Add the counts of the values of each bin, for one row of tiles.

    Parameters
    ----------
    by_value : (plan.tiles_x * n,) int32
        From `histogram.count_tile_row_u16`.
    starts : (num_bins + 1,) int64
        The values of bin ``b`` are those from ``starts[b]`` to ``starts[b + 1] - 1``, counted from
        the lowest value of the image.
    counts : (groups * num_bins * 8,) int32, output
        Histograms in the form that `clahe_bins.make_lut_row` takes.
    """
    counts[:] = 0
    n = by_value.size // plan.tiles_x
    for tile in range(plan.tiles_x):
        of_tile = by_value[tile * n : (tile + 1) * n]
        at = _U(tile // LANES * plan.num_bins * LANES + tile % LANES)
        for k in range(_U(plan.num_bins)):
            total = np.int32(0)
            for value in range(_U(starts[k]), _U(starts[k + _U(1)])):
                total += of_tile[value]
            counts[at + k * _U(LANES)] = total


# (uint16[:, ::1], uint16[:, ::1], int64, uint32[::1], float32[::1], float32[::1], ...) -> None
@inline_kernel
def interpolate_cell(
    above: npt.NDArray[np.uint16],
    below: npt.NDArray[np.uint16],
    left: int,
    bins: npt.NDArray[np.uint32],
    fraction: npt.NDArray[np.float32],
    corners: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
) -> None:
    """Interpolate the level of every value in each of the four tiles around a cell.

    Parameters
    ----------
    above, below : (tiles_x + 2, num_bins) uint16
        Tables of two rows of tiles; the cell has tables `left` and ``left + 1`` at its sides.
    bins : (n,) uint32
        The bin below each value, times 4.
    fraction : (n,) float32
        Fraction of the way from the bin below to the next bin.
    corners : (8 * num_bins,) float32, scratch
    out : (4 * n,) float32, output
        For each value, its levels above left, above right, below left and below right.
    """
    num_bins = _U(above.shape[1])
    rises = _U(4) * num_bins
    for corner in range(_U(4)):
        row = above if corner < _U(2) else below
        table = row[_U(left) + corner % _U(2)]
        for k in range(num_bins):
            following = table[min(k + _U(1), num_bins - _U(1))]
            corners[_U(4) * k + corner] = _F32(table[k])
            corners[rises + _U(4) * k + corner] = _F32(following) - _F32(table[k])
    for value in range(_U(fraction.size)):
        at = _U(bins[value])
        step_four(corners, at, rises + at, fraction[value], out, _U(4) * value)


# (float32[::1], uint32[::1], int64, int64, float32[::1], float32, float32, T[::1], T[::1])
@inline_kernel
def blend_row(
    levels: npt.NDArray[np.float32],
    places: npt.NDArray[np.uint32],
    start: int,
    stop: int,
    right: npt.NDArray[np.float32],
    below: np.float32,
    above: np.float32,
    last: npt.NDArray[np.uint16],
    out: npt.NDArray[np.uint16],
) -> None:
    """Look up and blend pixels `start` to ``stop - 1``; see `clahe_bins.blend_row`.

    Parameters
    ----------
    levels : (4 * n * cells,) float32
        From `interpolate_cell`, cell by cell.
    places : (at least stop + 15,) uint32
        Position in `levels` of the first of the four levels of each pixel.
    """
    x = _U(start)
    for _ in range((stop - start) // WIDE):
        corners = gather_words_wide(levels, places, x)
        blend_corners(corners, right, below, above, x, out, x)
        x += _U(WIDE)
    if x < _U(stop):
        corners = gather_words_wide(levels, places, x)
        blend_corners(corners, right, below, above, x, last, _U(0))
        for k in range(_U(stop) - x):
            out[x + k] = last[k]


# (uint16[:, ::1], uint16[:, ::1], Plan, int64, uint16[::1]) -> None
@spliced_kernel
def equalize_few_values(
    src: npt.NDArray[np.uint16],
    dst: npt.NDArray[np.uint16],
    plan: Plan,
    low: int,
    balanced: npt.NDArray[np.uint16],
) -> None:
    """Apply CLAHE with fewer bins than values to a channel; `dst` may be `src`.

    Parameters
    ----------
    src, dst : (H, W) uint16
    low : int
        Lowest value; no pixel is below it.
    balanced : (n,) uint16
        The values `low` to ``low + n - 1`` after white balance, or these values themselves;
        ascending. No pixel is above ``low + n - 1``.
    """
    height, width = src.shape
    n, num_bins = balanced.size, plan.num_bins
    cells = plan.tiles_x + 1
    room = width + WIDE
    cell_starts = np.empty(cells + 1, np.int64)
    right, left = np.zeros(room, np.float32), np.empty(width, np.float32)
    place_axis(plan.tile_width, plan.tiles_x, cell_starts, right[:width], left)
    band_starts = np.empty(plan.tiles_y + 2, np.int64)
    below, above = np.empty(height, np.float32), np.empty(height, np.float32)
    place_axis(plan.tile_height, plan.tiles_y, band_starts, below, above)

    bins, fraction = np.empty(n, np.uint32), np.empty(n, np.float32)
    place_row(balanced, 0, n, plan.bits, num_bins, np.zeros(n, np.uint32), bins, fraction)
    nearest = np.empty(n, np.uint16)
    nearest_bins(balanced, plan.bits, num_bins, nearest)
    starts = np.zeros(num_bins + 1, np.int64)
    for value in range(n):
        starts[nearest[value] + 1] += 1
    for k in range(num_bins):
        starts[k + 1] += starts[k]

    tail = np.empty((plan.pad_y, width), np.uint16)
    copy_tail(src, tail)
    padded = np.empty(plan.tiles_x * plan.tile_width, np.uint16)
    by_value = np.empty(plan.tiles_x * n, np.int32)
    groups = (plan.tiles_x + LANES - 1) // LANES
    counts = np.empty(groups * num_bins * LANES, np.int32)
    scaled = np.empty(num_bins * LANES, np.int32)
    luts = np.empty((2, plan.tiles_x + 2, num_bins), np.uint16)
    corners = np.empty(8 * num_bins, np.float32)
    at_a_time = min(cells, max(PAIRS_AT_A_TIME // n, 1))
    levels = np.empty(at_a_time * n * 4, np.float32)
    tables = np.empty(width, np.uint32)
    for cell in range(cells):
        for x in range(cell_starts[cell], cell_starts[cell + 1]):
            tables[x] = _U32(cell % at_a_time * n * 4)
    places = np.zeros(room, np.uint32)
    last = np.empty(WIDE, np.uint16)

    for band in range(plan.tiles_y + 1):
        current = band % 2
        if band < plan.tiles_y:
            count_tile_row_u16(src, tail, plan, band, low, by_value, padded)
            count_bins_of_tiles(by_value, starts, plan, counts)
            make_lut_row(counts, plan, scaled, luts[current])
        above_luts = luts[1 - current] if band > 0 else luts[current]
        below_luts = luts[current] if band < plan.tiles_y else luts[1 - current]
        for first in range(0, cells, at_a_time):
            end = min(first + at_a_time, cells)
            start, stop = cell_starts[first], cell_starts[end]
            for cell in range(first, end):
                of_cell = levels[(cell - first) * n * 4 : (cell - first + 1) * n * 4]
                interpolate_cell(above_luts, below_luts, cell, bins, fraction, corners, of_cell)
            for y in range(band_starts[band], band_starts[band + 1]):
                row = src[y]
                for x in range(_U(start), _U(stop)):
                    places[x] = tables[x] + ((_U32(row[x]) - _U32(low)) << _U32(2))
                blend_row(levels, places, start, stop, right, below[y], above[y], last, dst[y])
