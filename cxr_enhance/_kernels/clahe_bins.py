"""CLAHE with fewer bins than values, so that the clip limit does not depend on the bit depth.

If each of 65,536 values has its own bin, most bins of a tile hold one pixel or no pixel. A clip
limit of a few times the mean count is then less than 1 pixel. OpenCV raises it to 1 pixel, so that
the option `clip_limit` has no influence. In this module, `num_bins` bins are spread evenly over the
values, so that the limit has the same meaning as for 8 bits. The level of a pixel is interpolated
linearly between the two bins around its value, so that values of one bin can get different levels:

1. Place: value ``v`` lies at the bin position ``v * (num_bins - 1) / white`` (`place_row`). Both
   the bin below and the remainder are integers; only the fraction is rounded, once.
2. Count the nearest bins (`count_tile_row_of_bins`), in eight lanes as `clahe_u8` does.
3. Clip, share and cumulate as `clahe_u8` does, and scale to 0..white.
4. Pack two words for each bin: the levels of the four tiles around a cell, and the rise of each of
   these levels to the next bin (`pack_pairs`).
5. Look up the two words of each pixel's bin, interpolate and blend (`blend_row`).

With as many bins as values, every value is a bin and the interpolation of step 5 changes nothing.
The result would equal that of `clahe_u8` and `clahe_u16`, which are faster. The method is defined
by this project; ``clahe_by_bins`` in ``tests/reference.py`` is its slow reference implementation.

References: as for `clahe_u8`. K. Zuiderveld interpolates between tiles; this module also
interpolates between the bins of a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.clahe_u8 import make_levels, share_excess
from cxr_enhance._kernels.geometry import place_axis
from cxr_enhance._kernels.histogram import (
    copy_row,
    copy_tail,
    count_row_by_lanes,
    extended_row,
    merge_strips,
)
from cxr_enhance._kernels.jit import inline_kernel, spliced_kernel
from cxr_enhance._kernels.lanes import LANES, ROUND
from cxr_enhance._kernels.wide import (
    WIDE,
    gather_words_wide,
    high_half,
    load_wide,
    low_half,
    spread_wide,
    store_wide,
)

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan
    from cxr_enhance._kernels.wide import FourWides

_F32 = np.float32
_I32 = np.int32
_U = np.uintp
_U32 = np.uint32
_U64 = np.uint64

# Number of pairs that are packed before a band is blended: 512 KiB, enough for all cells of 127
# tile columns with 256 bins.
PAIRS_AT_A_TIME = 32_768


# (uint32, uint32) -> uint32
@inline_kernel
def divide_by_white(number: np.uint32, bits: np.uint32) -> np.uint32:
    """Return the integer part of `number`, below ``(2**bits - 1) ** 2``, over ``2**bits - 1``.

    With ``number = a * (2**bits - 1) + r``, shifting it right by `bits` gives ``a``, or ``a - 1``
    where ``r < a``. If this result and 1 are added to the number, a second shift gives ``a`` in
    both cases, because ``a < 2**bits``. Nothing overflows 32 bits for `bits` up to 16. Unlike a
    division, these operations vectorise.
    """
    return (number + (number >> bits) + _U32(1)) >> bits


# (T[::1], int64, int64, uint16[::1]) -> None
@inline_kernel
def nearest_bins(
    row: npt.NDArray[np.unsignedinteger], bits: int, num_bins: int, out: npt.NDArray[np.uint16]
) -> None:
    """Compute the nearest bin of each pixel of `row`.

    No value lies half-way between two bins, because ``2**bits - 1`` is odd.
    """
    shift, last_bin = _U32(bits), _U32(num_bins - 1)
    half = _U32((1 << bits) // 2 - 1)  # half of 2**bits - 1, truncated
    for x in range(_U(row.size)):
        out[x] = divide_by_white(_U32(row[x]) * last_bin + half, shift)


# (T[::1], int64, int64, int64, int64, uint32[::1], uint32[::1], float32[::1]) -> None
@inline_kernel
def place_row(
    row: npt.NDArray[np.unsignedinteger],
    start: int,
    stop: int,
    bits: int,
    num_bins: int,
    tables: npt.NDArray[np.uint32],
    places: npt.NDArray[np.uint32],
    fraction: npt.NDArray[np.float32],
) -> None:
    """Find the bin below each pixel `start` to ``stop - 1``, and the fraction to the next bin.

    The fraction is ``float32(remainder / white)``, rounded once. A division of floats would take
    most of the time. Instead, the remainder is multiplied by the two parts of ``1 / white``. The
    first product is exact, because the first part is a power of two. The second product is so small
    that its rounding never changes the result (the tests try all remainders of all depths). Each
    step has its own loop, because in one loop LLVM would process half as many pixels at once.

    Parameters
    ----------
    tables : (>= stop,) uint32
        Start of the pairs of each pixel's cell, in units of half a word (32 bits).
    places : (>= stop,) uint32, output
        Position of the pair of the bin below, in the same unit.
    fraction : (>= stop,) float32, output
        Fraction of the way from the bin below to the next bin.
    """
    shift, last_bin, white = _U32(bits), _U32(num_bins - 1), _U32((1 << bits) - 1)
    for x in range(_U(start), _U(stop)):
        places[x] = divide_by_white(_U32(row[x]) * last_bin, shift)  # the bin alone, for now
    exact = 1.0 / (1 << bits)
    first, second = _F32(exact), _F32(1.0 / ((1 << bits) - 1) - exact)
    for x in range(_U(start), _U(stop)):
        way = _F32(_I32(_U32(row[x]) * last_bin - places[x] * white))
        fraction[x] = way * first + way * second
    for x in range(_U(start), _U(stop)):
        places[x] = tables[x] + (places[x] << _U32(2))


# (T[:, ::1], T[:, ::1], Plan, int64, int32[::1], int32[::1], T[::1], uint16[::1]) -> None
@inline_kernel
def count_tile_row_of_bins(
    src: npt.NDArray[np.unsignedinteger],
    tail: npt.NDArray[np.unsignedinteger],
    plan: Plan,
    tile_row: int,
    counts: npt.NDArray[np.int32],
    strips: npt.NDArray[np.int32],
    padded: npt.NDArray[np.unsignedinteger],
    bins: npt.NDArray[np.uint16],
) -> None:
    """Count the nearest bins of one row of tiles; see `histogram.count_tile_row_u8`.

    Parameters
    ----------
    counts : (groups * num_bins * 8,) int32, output
    strips : (remaining tiles * num_bins * 8,) int32, scratch
        All elements must be 0 before the call and are 0 after it.
    bins : (plan.tiles_x * plan.tile_width,) uint16, scratch
    """
    counts[:] = 0
    for y in range(tile_row * plan.tile_height, (tile_row + 1) * plan.tile_height):
        nearest_bins(extended_row(src, tail, y, padded), plan.bits, plan.num_bins, bins)
        count_row_by_lanes(bins, plan, plan.num_bins, counts, strips)
    merge_strips(strips, plan, plan.num_bins, counts)


# (int32[::1], Plan, int32[::1], uint16[:, ::1]) -> None
@inline_kernel
def make_lut_row(
    counts: npt.NDArray[np.int32],
    plan: Plan,
    levels: npt.NDArray[np.int32],
    luts: npt.NDArray[np.uint16],
) -> None:
    """Turn one row of tile histograms into tables.

    Parameters
    ----------
    counts : (groups * num_bins * 8,) int32
    levels : (num_bins * 8,) int32, scratch
    luts : (tiles_x + 2, num_bins) uint16, output
        The tables of the tiles; the first and the last table are repeated at the ends.
    """
    batches = np.empty(LANES, np.int32)
    residuals = np.empty(LANES, np.int32)
    inverse_steps = np.empty(LANES, np.float32)
    group_size = plan.num_bins * LANES
    for group in range(counts.size // group_size):
        group_counts = counts[group * group_size : (group + 1) * group_size]
        share_excess(group_counts, plan, batches, residuals, inverse_steps)
        make_levels(group_counts, plan, batches, residuals, inverse_steps, levels)
        first = group * LANES
        for lane in range(min(LANES, plan.tiles_x - first)):
            table = luts[first + lane + 1]
            for k in range(plan.num_bins):
                table[k] = levels[k * LANES + lane]
    copy_row(luts[1], luts[0])
    copy_row(luts[plan.tiles_x], luts[plan.tiles_x + 1])


# (uint16[:, ::1], uint16[:, ::1], int64, uint64[:, ::1]) -> None
@inline_kernel
def pack_pairs(
    above: npt.NDArray[np.uint16],
    below: npt.NDArray[np.uint16],
    first_cell: int,
    pairs: npt.NDArray[np.uint64],
) -> None:
    """Pack for each bin two words with the data of the four tiles around a cell.

    The first word holds the levels of the tiles above left, above right, below left and below
    right, from the lowest bits up. The second word holds the rises of these levels to the next bin.
    Tables never fall, so that a rise fits 16 bits. The rise of the last bin is 0.

    Parameters
    ----------
    above, below : (tiles_x + 2, num_bins) uint16
        Tables of two rows of tiles; cell ``c`` has tables ``c`` and ``c + 1`` at its sides.
    pairs : (cells, 2 * num_bins) uint64, output
        The pairs of cell `first_cell` and those after it.
    """
    num_bins = _U(above.shape[1])
    for cell in range(pairs.shape[0]):
        left = first_cell + cell
        above_left, above_right = above[left], above[left + 1]
        below_left, below_right = below[left], below[left + 1]
        packed = pairs[cell]
        for k in range(num_bins):
            packed[_U(2) * k] = (
                _U64(above_left[k])
                | (_U64(above_right[k]) << _U64(16))
                | (_U64(below_left[k]) << _U64(32))
                | (_U64(below_right[k]) << _U64(48))
            )
        # No level is above the level of the next bin, so that no difference borrows from the
        # neighbouring field of the word.
        for k in range(num_bins - _U(1)):
            packed[_U(2) * k + _U(1)] = packed[_U(2) * k + _U(2)] - packed[_U(2) * k]
        packed[_U(2) * num_bins - _U(1)] = _U64(0)


# (four float32 wides, float32[::1], float32, float32, uintp, T[::1], uintp) -> None
@inline_kernel
def blend_corners(
    corners: FourWides,
    right: npt.NDArray[np.float32],
    below: np.float32,
    above: np.float32,
    x: np.unsignedinteger,
    out: npt.NDArray[np.unsignedinteger],
    at: np.unsignedinteger,
) -> None:
    """Blend pixels `x` to ``x + 15`` and write them to `out`, starting at index `at`.

    Every operation is rounded to float32; see `blend_loads.blend_row`.

    Parameters
    ----------
    corners
        Levels of the pixels in the tiles above left, above right, below left, below right.
    """
    above_left, above_right, below_left, below_right = corners
    to_right = load_wide(right, x)
    to_left = spread_wide(_F32(1.0)) - to_right  # as in `geometry.place_axis`; saves a load
    top = above_left * to_left + above_right * to_right
    bottom = below_left * to_left + below_right * to_right
    level = top * spread_wide(above) + bottom * spread_wide(below)
    magic = spread_wide(ROUND)
    store_wide(out, at, (level + magic) - magic)


# (uint32[::1], uint32[::1], float32[::1], uintp) -> four float32 wides
@inline_kernel
def interpolate_corners(
    pairs: npt.NDArray[np.uint32],
    places: npt.NDArray[np.uint32],
    fraction: npt.NDArray[np.float32],
    x: np.unsignedinteger,
) -> FourWides:
    """Look up pixels `x` to ``x + 15`` and interpolate their levels in four tiles."""
    levels_above, levels_below, rises_above, rises_below = gather_words_wide(pairs, places, x)
    way = load_wide(fraction, x)
    return (
        low_half(levels_above) + way * low_half(rises_above),
        high_half(levels_above) + way * high_half(rises_above),
        low_half(levels_below) + way * low_half(rises_below),
        high_half(levels_below) + way * high_half(rises_below),
    )


# (uint32[::1], uint32[::1], float32[::1], int64, int64, float32[::1], float32, float32, ...)
@inline_kernel
def blend_row(
    pairs: npt.NDArray[np.uint32],
    places: npt.NDArray[np.uint32],
    fraction: npt.NDArray[np.float32],
    start: int,
    stop: int,
    right: npt.NDArray[np.float32],
    below: np.float32,
    above: np.float32,
    last: npt.NDArray[np.unsignedinteger],
    out: npt.NDArray[np.unsignedinteger],
) -> None:
    """Blend pixels `start` to ``stop - 1``, sixteen at a time, with the results of `place_row`.

    Parameters
    ----------
    pairs : (4 * pairs,) uint32
        From `pack_pairs`; each word is two halves, the lower half first.
    places, fraction, right : (at least stop + 15,)
        Results of `place_row`, and weights. Elements after the row are computed together with the
        last pixels, but are not written to `out`.
    last : (16,) of the dtype of `out`, scratch
    """
    x = _U(start)
    for _ in range((stop - start) // WIDE):
        corners = interpolate_corners(pairs, places, fraction, x)
        blend_corners(corners, right, below, above, x, out, x)
        x += _U(WIDE)
    if x < _U(stop):
        corners = interpolate_corners(pairs, places, fraction, x)
        blend_corners(corners, right, below, above, x, last, _U(0))
        for k in range(_U(stop) - x):
            out[x + k] = last[k]


# (T[:, ::1], T[:, ::1], Plan) -> None
@spliced_kernel
def equalize_by_bins(
    src: npt.NDArray[np.unsignedinteger], dst: npt.NDArray[np.unsignedinteger], plan: Plan
) -> None:
    """Apply CLAHE to a channel with values 0 to ``2**plan.bits - 1``; `dst` may be `src`.

    Parameters
    ----------
    src, dst : (H, W) uint8 or uint16
    """
    height, width = src.shape
    num_bins = plan.num_bins
    cells = plan.tiles_x + 1
    room = width + WIDE
    cell_starts = np.empty(cells + 1, np.int64)
    right, left = np.zeros(room, np.float32), np.empty(width, np.float32)
    place_axis(plan.tile_width, plan.tiles_x, cell_starts, right[:width], left)
    band_starts = np.empty(plan.tiles_y + 2, np.int64)
    below, above = np.empty(height, np.float32), np.empty(height, np.float32)
    place_axis(plan.tile_height, plan.tiles_y, band_starts, below, above)

    tail = np.empty((plan.pad_y, width), src.dtype)
    copy_tail(src, tail)
    padded = np.empty(plan.tiles_x * plan.tile_width, src.dtype)
    bins = np.empty(padded.size, np.uint16)
    groups = (plan.tiles_x + LANES - 1) // LANES
    counts = np.empty(groups * num_bins * LANES, np.int32)
    strips = np.zeros(plan.tiles_x % LANES * num_bins * LANES, np.int32)
    levels = np.empty(num_bins * LANES, np.int32)
    luts = np.empty((2, plan.tiles_x + 2, num_bins), np.uint16)
    at_a_time = min(cells, max(PAIRS_AT_A_TIME // num_bins, 1))
    pairs = np.empty((at_a_time, 2 * num_bins), np.uint64)
    halves = pairs.reshape(-1).view(np.uint32)
    tables = np.empty(width, np.uint32)
    for cell in range(cells):
        for x in range(cell_starts[cell], cell_starts[cell + 1]):
            tables[x] = _U32(cell % at_a_time * num_bins * 4)
    places, fraction = np.zeros(room, np.uint32), np.zeros(room, np.float32)
    last = np.empty(WIDE, dst.dtype)

    for band in range(plan.tiles_y + 1):
        current = band % 2
        if band < plan.tiles_y:
            count_tile_row_of_bins(src, tail, plan, band, counts, strips, padded, bins)
            make_lut_row(counts, plan, levels, luts[current])
        above_luts = luts[1 - current] if band > 0 else luts[current]
        below_luts = luts[current] if band < plan.tiles_y else luts[1 - current]
        for first in range(0, cells, at_a_time):
            end = min(first + at_a_time, cells)
            start, stop = cell_starts[first], cell_starts[end]
            pack_pairs(above_luts, below_luts, first, pairs[: end - first])
            for y in range(band_starts[band], band_starts[band + 1]):
                place_row(src[y], start, stop, plan.bits, num_bins, tables, places, fraction)
                blend_row(
                    halves,
                    places,
                    fraction,
                    start,
                    stop,
                    right,
                    below[y],
                    above[y],
                    last,
                    dst[y],
                )
