"""CLAHE of uint8 images, with OpenCV's roundings.

The algorithm, each step a function:

1. Extend the image by reflection until the grid divides it; count each tile's values
   (`histogram.count_tile_row_u8`).
2. Clip each histogram at a limit and share what was cut off among all bins (`share_excess`).
3. Cumulate, and scale the sums to a table of gray levels (`make_levels`).
4. Pack the tables of the four tiles around a cell into one word a gray level (`pack_words`).
5. Look up each pixel's word (`gather_words`) and blend its four levels by the pixel's distance to
   the four tile centres (`blend_row`).

Tiles are taken in groups of eight, one lane a tile: with small tiles, making 256 levels costs more
than counting the pixels, and eight tables side by side cost little more than one. Rows of tiles
are taken from top to bottom and pixels blended as soon as their tables exist, so that an image
crosses the caches once.

References: K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV,
1994, pp. 474-485; OpenCV, modules/imgproc/src/clahe.cpp, whose names stand beside the steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.geometry import place_axis
from cxr_enhance._kernels.histogram import copy_tail, count_tile_row_u8
from cxr_enhance._kernels.jit import inline_kernel, spliced_kernel
from cxr_enhance._kernels.lanes import (
    LANES,
    load_lanes,
    lower,
    spread,
    store_lanes,
    to_float,
    to_int,
    transpose,
)
from cxr_enhance._kernels.loads import load_word

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan

_F32 = np.float32
_I32 = np.int32
_U = np.uintp
_U32 = np.uint32
_VALUES = 256
_GROUP = _VALUES * LANES  # counts or levels of eight tiles

# Adding and subtracting 1.5 * 2**23 rounds a float32 between -2**22 and 2**22 to the nearest
# integer, half to even: OpenCV's cvRound, in two instructions that vectorise.
ROUND = _F32(12582912.0)

# Cells packed before a band is blended: enough that rows of grids of 31 columns stay whole, few
# enough (32 KiB of words) to be looked up in the first-level cache.
_CELLS_AT_A_TIME = 32


# (int32[::1], int32[::1], int32[::1]) -> None
@inline_kernel
def rebin(
    counts: npt.NDArray[np.int32], bins: npt.NDArray[np.int32], moved: npt.NDArray[np.int32]
) -> None:
    """Move the counts of each value to its bin, eight tiles at once; bins may share values.

    Parameters
    ----------
    counts, moved : (256 * 8,) int32
        `moved` is the output.
    bins : (256,) int32
    """
    moved[:] = 0
    for value in range(_U(_VALUES)):
        at = _U(bins[value]) * _U(LANES)
        store_lanes(moved, at, load_lanes(moved, at) + load_lanes(counts, value * _U(LANES)))


# (int32[::1], Plan, int32[::1], int32[::1], float32[::1]) -> None
@inline_kernel
def share_excess(
    counts: npt.NDArray[np.int32],
    plan: Plan,
    batches: npt.NDArray[np.int32],
    residuals: npt.NDArray[np.int32],
    inverse_steps: npt.NDArray[np.float32],
) -> None:
    """Work out how each of eight tiles shares among its bins what the limit cuts off.

    Every bin gets the batch, ``excess // bins``; of the residual, the bins 0, step, 2 * step, ...
    get 1 each until it is used up.

    Parameters
    ----------
    counts : (plan.num_bins * 8,) int32
    batches, residuals, inverse_steps : (8,), outputs
    """
    num_bins = plan.num_bins
    limit = spread(_I32(plan.limit))
    kept = spread(_I32(0))
    for value in range(_U(num_bins)):
        kept = kept + lower(load_lanes(counts, value * _U(LANES)), limit)
    store_lanes(residuals, _U(0), spread(_I32(plan.tile_width * plan.tile_height)) - kept)
    for lane in range(LANES):
        excess = residuals[lane]
        batches[lane] = excess // num_bins
        residuals[lane] = excess % num_bins
        step = max(num_bins // residuals[lane], 1) if residuals[lane] > 0 else 1
        inverse_steps[lane] = _F32(1.0) / _F32(step)


# (int32[::1], Plan, int32[::1], int32[::1], float32[::1], T[::1]) -> None
@inline_kernel
def make_levels(
    counts: npt.NDArray[np.int32],
    plan: Plan,
    batches: npt.NDArray[np.int32],
    residuals: npt.NDArray[np.int32],
    inverse_steps: npt.NDArray[np.float32],
    levels: npt.NDArray[np.integer],
) -> None:
    """Cumulate the clipped and shared counts of eight tiles and scale them to gray levels.

    In the cumulated sum the batch is a straight line, and the residual a staircase that climbs by
    1 at bins 0, step, 2 * step, ...: ``bin // step + 1``, at most the residual. The quotient is
    exact: it lies at least 0.5 / step from the next integer once 0.5 is added to the bin, and
    float32 errs by less than that below 2**21.

    Parameters
    ----------
    counts : (plan.num_bins * 8,) int32
    batches, residuals, inverse_steps : (8,)
        From `share_excess`.
    levels : (plan.num_bins * 8,) uint8 or int32, output
        Bin by bin, the levels of the eight tiles.
    """
    num_bins = plan.num_bins
    area = plan.tile_width * plan.tile_height
    white = ((1 << plan.bits) - 1) >> plan.bit_shift
    lut_scale = spread(_F32(white) / _F32(area))
    limit = spread(_I32(plan.limit))
    batch = load_lanes(batches, _U(0))
    residual = load_lanes(residuals, _U(0))
    inverse_step = load_lanes(inverse_steps, _U(0))
    magic = spread(ROUND)
    one = spread(_I32(1))
    next_bin = spread(_F32(1.0))
    half_past = spread(_F32(0.5))
    clipped = spread(_I32(0))
    line = spread(_I32(0))
    for value in range(_U(num_bins)):
        clipped = clipped + lower(load_lanes(counts, value * _U(LANES)), limit)
        line = line + batch
        stair = lower(to_int(half_past * inverse_step) + one, residual)
        level = to_float(clipped + line + stair) * lut_scale
        store_lanes(levels, value * _U(LANES), to_int((level + magic) - magic))
        half_past = half_past + next_bin


# (int32[::1], int32[::1], Plan, int32[::1], uint8[::1], uint8[::1]) -> None
@inline_kernel
def make_lut_row(
    counts: npt.NDArray[np.int32],
    bins: npt.NDArray[np.int32],
    plan: Plan,
    moved: npt.NDArray[np.int32],
    levels: npt.NDArray[np.uint8],
    luts: npt.NDArray[np.uint8],
) -> None:
    """Turn one row of tile histograms into tables (OpenCV's CLAHE_CalcLut_Body).

    Parameters
    ----------
    counts : (groups * 256 * 8,) int32
        See `histogram.count_tile_row_u8`.
    bins : (256,) int32
        The bin of each value; the empty array if each value is its own bin.
    moved : (256 * 8,) int32, scratch
    levels : (2 * 256 * 8,) uint8, scratch
    luts : ((groups * 8 + 2) * 256,) uint8, output
        Table by table: that of tile ``t`` is the one numbered ``t + 1``, and the first and the
        last tile's are repeated outwards.
    """
    batches = np.empty(LANES, np.int32)
    residuals = np.empty(LANES, np.int32)
    inverse_steps = np.empty(LANES, np.float32)
    for group in range(counts.size // _GROUP):
        group_counts = counts[group * _GROUP : (group + 1) * _GROUP]
        first_levels = _U(0)
        if bins.size > 0:
            rebin(group_counts, bins, moved)
            group_counts = moved
        share_excess(group_counts, plan, batches, residuals, inverse_steps)
        make_levels(group_counts, plan, batches, residuals, inverse_steps, levels)
        if bins.size > 0:
            first_levels = _U(_GROUP)
            for value in range(_U(_VALUES)):
                of_bin = load_lanes(levels, _U(bins[value]) * _U(LANES))
                store_lanes(levels, first_levels + value * _U(LANES), of_bin)
        table = _U((group * LANES + 1) * _VALUES)
        for value in range(_U(0), _U(_VALUES), _U(LANES)):
            at = first_levels + value * _U(LANES)
            transpose(levels, at, luts, table + value, _U(_VALUES))
    last = _U(plan.tiles_x * _VALUES)
    table = _U(_VALUES)
    for value in range(_U(0), table, _U(LANES)):
        store_lanes(luts, value, load_lanes(luts, table + value))
        store_lanes(luts, last + table + value, load_lanes(luts, last + value))


# (uint8[::1], uint8[::1], int64, int64, uint32[::1]) -> None
@inline_kernel
def pack_words(
    above: npt.NDArray[np.uint8],
    below: npt.NDArray[np.uint8],
    first_cell: int,
    cells: int,
    words: npt.NDArray[np.uint32],
) -> None:
    """Put the levels of the four tiles around a cell side by side in one word a value.

    From the lowest byte up: above left, above right, below left, below right. The next pass then
    needs one load a pixel instead of four. Neighbouring cells share tables, so that all cells are
    packed in one run over the tables.

    Parameters
    ----------
    above, below : ((groups * 8 + 2) * 256,) uint8
        Tables of two rows of tiles, from `make_lut_row`; cell ``c`` has tables ``c`` and
        ``c + 1`` at its sides.
    first_cell, cells : int
    words : (at least cells * 256,) uint32, output
        Cell by cell, value by value.
    """
    left = first_cell * _VALUES
    above_left = above[left : left + cells * _VALUES]
    above_right = above[left + _VALUES : left + (cells + 1) * _VALUES]
    below_left = below[left : left + cells * _VALUES]
    below_right = below[left + _VALUES : left + (cells + 1) * _VALUES]
    for i in range(cells * _VALUES):
        words[i] = (
            _U32(above_left[i])
            | (_U32(above_right[i]) << _U32(8))
            | (_U32(below_left[i]) << _U32(16))
            | (_U32(below_right[i]) << _U32(24))
        )


# (uint8[::1], uintp, uint32[::1], uintp, uint32[::1]) -> None
@inline_kernel
def gather_eight(
    row: npt.NDArray[np.uint8],
    x: np.unsignedinteger,
    words: npt.NDArray[np.uint32],
    offset: np.unsignedinteger,
    gathered: npt.NDArray[np.uint32],
) -> None:
    """Look up the words of eight pixels from `x` on, in the table that begins at `offset`."""
    pixels = load_word(row, x)
    for k in range(_U(8)):
        value = (pixels >> (_U(8) * k)) & _U(255)
        gathered[x + k] = words[value + offset]


# (uint8[::1], uintp, uint32[::1], uintp, uint32[::1]) -> None
@inline_kernel
def gather_last_four(
    row: npt.NDArray[np.uint8],
    x: np.unsignedinteger,
    words: npt.NDArray[np.uint32],
    offset: np.unsignedinteger,
    gathered: npt.NDArray[np.uint32],
) -> None:
    """Look up the words of the last four of the eight pixels from `x` on."""
    pixels = load_word(row, x)
    for k in range(_U(4), _U(8)):
        value = (pixels >> (_U(8) * k)) & _U(255)
        gathered[x + k] = words[value + offset]


# (uint8[::1], int64[::1], int64, int64, uint32[::1], uint32[::1]) -> None
@inline_kernel
def gather_words(
    row: npt.NDArray[np.uint8],
    cell_starts: npt.NDArray[np.int64],
    first_cell: int,
    last_cell: int,
    words: npt.NDArray[np.uint32],
    gathered: npt.NDArray[np.uint32],
) -> None:
    """Look up the word of each pixel of cells `first_cell` to ``last_cell - 1``.

    Takes eight pixels with one load. The last eight of a cell may overlap those before, which
    looks a few pixels up twice instead of one by one.

    Parameters
    ----------
    row : (W,) uint8
    cell_starts : (cells + 1,) int64
    words : (cells * 256,) uint32
        From `pack_words`, of `first_cell` and those after it.
    gathered : (W,) uint32, output
    """
    for cell in range(last_cell - first_cell):
        offset = _U(cell * _VALUES)
        x = _U(cell_starts[first_cell + cell])
        end = _U(cell_starts[first_cell + cell + 1])
        if x + _U(8) > end:
            while x < end:
                gathered[x] = words[_U(row[x]) + offset]
                x += _U(1)
            continue
        for _ in range((end - x) // _U(8)):
            gather_eight(row, x, words, offset, gathered)
            x += _U(8)
        if x + _U(4) < end:
            gather_eight(row, end - _U(8), words, offset, gathered)
        elif x < end:
            gather_last_four(row, end - _U(8), words, offset, gathered)


# (uint32[::1], int64, int64, float32[::1], float32[::1], float32, float32, uint8[::1]) -> None
@inline_kernel
def blend_row(
    gathered: npt.NDArray[np.uint32],
    start: int,
    stop: int,
    right: npt.NDArray[np.float32],
    left: npt.NDArray[np.float32],
    below: np.float32,
    above: np.float32,
    out: npt.NDArray[np.uint8],
) -> None:
    """Blend the four levels of pixels `start` to ``stop - 1`` (OpenCV's CLAHE_Interpolation_Body).

    Every operation is rounded to float32, in OpenCV's order. The result needs no clamp: weights
    of a pair sum to 1 up to rounding, which moves the result by less than 0.5.

    Parameters
    ----------
    gathered : (W,) uint32
    right, left : (W,) float32
        Weights of the tile after and before the pixel along the row; OpenCV's ``xa``, ``xa1``.
    below, above : float32
        The same down the column; OpenCV's ``ya``, ``ya1``.
    out : (W,) uint8, output
    """
    byte = _U32(255)
    for x in range(_U(start), _U(stop)):
        word = gathered[x]  # unsigned: LLVM's code for signed shifts is twice as slow here
        above_left = _F32(_I32(word & byte))
        above_right = _F32(_I32((word >> _U32(8)) & byte))
        below_left = _F32(_I32((word >> _U32(16)) & byte))
        below_right = _F32(_I32(word >> _U32(24)))
        upper = above_left * left[x] + above_right * right[x]
        lower_ = below_left * left[x] + below_right * right[x]
        level = upper * above + lower_ * below
        out[x] = _I32((level + ROUND) - ROUND)


# (uint8[:, ::1], uint8[:, ::1], Plan, int32[::1], int32[:, ::1], bool) -> None
@spliced_kernel
def equalize_u8(
    src: npt.NDArray[np.uint8],
    dst: npt.NDArray[np.uint8],
    plan: Plan,
    bins: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int32],
    counted: bool,
) -> None:
    """CLAHE of a uint8 channel; `dst` may be `src`.

    Parameters
    ----------
    src, dst : (H, W) uint8
    bins : (256,) int32, or empty
        The bin of each value, ascending, below ``256 >> plan.bit_shift``; empty if each value is
        its own bin.
    counts : (plan.tiles_y, groups * 256 * 8) or (1, groups * 256 * 8) int32
        The histograms of all tiles, from `histogram.count_all_tiles`, if `counted`; else room for
        those of one row of tiles.
    """
    height, width = src.shape
    cells = plan.tiles_x + 1
    cell_starts = np.empty(cells + 1, np.int64)
    right, left = np.empty(width, np.float32), np.empty(width, np.float32)
    place_axis(plan.tile_width, plan.tiles_x, cell_starts, right, left)
    band_starts = np.empty(plan.tiles_y + 2, np.int64)
    below, above = np.empty(height, np.float32), np.empty(height, np.float32)
    place_axis(plan.tile_height, plan.tiles_y, band_starts, below, above)

    tail = np.empty((plan.pad_y, width), np.uint8)
    copy_tail(src, tail)
    strips = np.zeros(plan.tiles_x % LANES * _GROUP, np.int32)
    padded = np.empty(plan.tiles_x * plan.tile_width, np.uint8)
    moved = np.empty(_GROUP, np.int32)
    levels = np.empty(2 * _GROUP, np.uint8)
    luts = np.empty((2, (counts.shape[1] // _VALUES + 2) * _VALUES), np.uint8)
    room = min(cells, _CELLS_AT_A_TIME)
    words = np.empty(room * _VALUES, np.uint32)
    gathered = np.empty(width, np.uint32)

    for band in range(plan.tiles_y + 1):
        current = band % 2
        if band < plan.tiles_y:
            row_counts = counts[band] if counted else counts[0]
            if not counted:
                count_tile_row_u8(src, tail, plan, band, row_counts, strips, padded)
            make_lut_row(row_counts, bins, plan, moved, levels, luts[current])
        upper = luts[1 - current] if band > 0 else luts[current]
        lower_ = luts[current] if band < plan.tiles_y else luts[1 - current]
        for first_cell in range(0, cells, room):
            last_cell = min(first_cell + room, cells)
            start, stop = cell_starts[first_cell], cell_starts[last_cell]
            pack_words(upper, lower_, first_cell, last_cell - first_cell, words)
            for y in range(band_starts[band], band_starts[band + 1]):
                gather_words(src[y], cell_starts, first_cell, last_cell, words, gathered)
                blend_row(gathered, start, stop, right, left, below[y], above[y], dst[y])
                if plan.bit_shift > 0:
                    restore_low_bits(dst[y], start, stop, plan.bit_shift)


# (T[::1], int64, int64, int64) -> None
@inline_kernel
def restore_low_bits(
    row: npt.NDArray[np.unsignedinteger], start: int, stop: int, bit_shift: int
) -> None:
    """Move levels up again by the bits that were dropped before counting."""
    for x in range(_U(start), _U(stop)):
        row[x] = _I32(row[x]) << _I32(bit_shift)
