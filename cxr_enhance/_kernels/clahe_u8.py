"""CLAHE of uint8 images, with OpenCV's roundings.

The algorithm; each step is a function:

1. Extend the image by reflection until the grid divides it; count each tile's values
   (`histogram.count_tile_row_u8`).
2. Clip each histogram at a limit, and compute how the clipped counts are shared among all bins
   (`share_excess`).
3. Share, cumulate, and scale the sums to a table of gray levels (`make_levels`).
4. Look up each pixel in the tables of the four tiles around it, and blend the four levels by the
   pixel's distance to the tile centres (`blend_loads`; `blend_registers` where the processor can).

Tiles are processed in groups of eight, with one lane for each tile. With small tiles, making 256
levels costs more than counting the pixels, and eight tables in parallel cost little more than one.
Rows of tiles are processed from top to bottom, and pixels are blended as soon as their tables
exist, so that an image passes through the caches once. If the tiles were counted before, for white
balance, it passes through the caches twice.

References: K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV,
1994, pp. 474-485; OpenCV, modules/imgproc/src/clahe.cpp. Docstrings of the steps give the names of
OpenCV's functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels import blend_loads, blend_registers
from cxr_enhance._kernels.geometry import place_axis
from cxr_enhance._kernels.histogram import copy_tail, count_tile_row_u8
from cxr_enhance._kernels.jit import inline_kernel, spliced_kernel
from cxr_enhance._kernels.lanes import (
    LANES,
    ROUND,
    load_lanes,
    lower,
    spread,
    store_lanes,
    to_float,
    to_int,
    transpose,
)
from cxr_enhance._kernels.registers import can_look_up, empty_aligned

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan

_F32 = np.float32
_I32 = np.int32
_U = np.uintp
_U32 = np.uint32
_VALUES = 256
_GROUP = _VALUES * LANES  # number of counts or levels of eight tiles

# Both modules give the same bytes.
arrange_weights = (blend_registers if can_look_up() else blend_loads).arrange_weights
blend_band = (blend_registers if can_look_up() else blend_loads).blend_band


# (int32[::1], int32[::1], int32[::1]) -> None
@inline_kernel
def rebin(
    counts: npt.NDArray[np.int32], bins: npt.NDArray[np.int32], moved: npt.NDArray[np.int32]
) -> None:
    """Add the counts of each value to its bin, for eight tiles at once; values may share a bin.

    Parameters
    ----------
    counts, moved : (256 * 8,) int32
        `moved` is the output.
    bins : (256,) int32
        The bin of each value, below 256.
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
    """Compute for each of eight tiles how its clipped counts (the excess) are shared among bins.

    Every bin gets the batch, ``excess // bins``. The residual, ``excess % bins``, is given to the
    bins 0, step, 2 * step, ..., one count each, until it is used up.

    Parameters
    ----------
    counts : (plan.num_bins * 8,) int32
    batches, residuals : (8,) int32, outputs
    inverse_steps : (8,) float32, output
        ``1 / step``.
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

    In the cumulated sum, the batch is a straight line. The residual is a staircase that rises by 1
    at the bins 0, step, 2 * step, ...: ``bin // step + 1``, at most the residual. The quotient is
    computed exactly in float32: 0.5 is added to the bin, so that the quotient is at least
    0.5 / step away from the next integer. The error of float32 is smaller than that below 2**21.

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
        The tables one after the other. The table of tile ``t`` has the number ``t + 1``. Number 0
        repeats the table of the first tile, and the number after the last tile repeats its table.
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
    """Apply CLAHE to a uint8 channel; `dst` may be `src`.

    Parameters
    ----------
    src, dst : (H, W) uint8
    bins : (256,) int32, or empty
        The bin of each value, ascending, below ``256 >> plan.bit_shift``; empty if each value is
        its own bin.
    counts : (plan.tiles_y, groups * 256 * 8) or (1, groups * 256 * 8) int32
        If `counted`, the histograms of all tiles, from `histogram.count_all_tiles`. Otherwise
        scratch memory for the histograms of one row of tiles.
    counted : bool
        Whether `counts` holds the histograms of all tiles.
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
    luts = empty_aligned(2 * (counts.shape[1] + 2 * _VALUES)).reshape((2, -1))
    weights = arrange_weights(cell_starts, right, left)

    for band in range(plan.tiles_y + 1):
        current = band % 2
        if band < plan.tiles_y:
            row_counts = counts[band] if counted else counts[0]
            if not counted:
                count_tile_row_u8(src, tail, plan, band, row_counts, strips, padded)
            make_lut_row(row_counts, bins, plan, moved, levels, luts[current])
        upper = luts[1 - current] if band > 0 else luts[current]
        lower_ = luts[current] if band < plan.tiles_y else luts[1 - current]
        start, stop = band_starts[band], band_starts[band + 1]
        blend_band(src, dst, start, stop, upper, lower_, cell_starts, weights, below, above)
        if plan.bit_shift > 0:
            for y in range(start, stop):
                restore_low_bits(dst[y], 0, width, plan.bit_shift)


# (T[::1], int64, int64, int64) -> None
@inline_kernel
def restore_low_bits(
    row: npt.NDArray[np.unsignedinteger], start: int, stop: int, bit_shift: int
) -> None:
    """Shift levels left by the number of bits that were dropped before counting."""
    for x in range(_U(start), _U(stop)):
        row[x] = _I32(row[x]) << _I32(bit_shift)
