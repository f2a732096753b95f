"""CLAHE of uint16 images, with OpenCV's roundings.

The steps are those of `clahe_u8`, arranged for tables of up to 65,536 levels:

1. Extend and count (`histogram.count_tile_row_u16`), only the values from the image's lowest to
   its highest.
2. Clip each histogram and cumulate it (`clip_and_cumulate`).
3. Share the excess and scale the sums to levels (`scale_to_lut`). The shared counts have a closed
   form, so that bins outside the image's values cost nothing.
4. Pack the levels of the four tiles around a cell into one word for each value (`pack_words`), for
   as many cells at a time as fit the second-level cache.
5. Look up (`gather_words`) and blend (`blend_row`).

References: as for `clahe_u8`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.clahe_u8 import restore_low_bits
from cxr_enhance._kernels.geometry import place_axis
from cxr_enhance._kernels.histogram import copy_row, copy_tail, count_tile_row_u16
from cxr_enhance._kernels.jit import inline_kernel, spliced_kernel
from cxr_enhance._kernels.lanes import ROUND
from cxr_enhance._kernels.loads import load_word

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan

_F32 = np.float32
_I32 = np.int32
_U = np.uintp
_U32 = np.uint32
_U64 = np.uint64

# Number of words that are packed before a band is blended: 256 KiB. This is 8 cells of 4,096 levels
# or half a cell of 65,536 levels; at least one cell is packed.
_WORDS_AT_A_TIME = 32_768


# (int32[::1], int64[::1]) -> None
@inline_kernel
def fold_duplicates(counts: npt.NDArray[np.int32], duplicates: npt.NDArray[np.int64]) -> None:
    """Add the count of each value that shares its bin with the next lower value to that value.

    `duplicates` is in descending order, so that the counts of a run of equal bins are added to the
    first value of the run. After cumulating, every value of the run has the sum of the whole bin.
    """
    for value in duplicates:
        counts[value - 1] += counts[value]
        counts[value] = 0


# (int32[::1], int32) -> int32
@inline_kernel
def clip_and_cumulate(counts: npt.NDArray[np.int32], limit: np.int32) -> np.int32:
    """Replace `counts` by the running sum of ``min(count, limit)``; return the last sum."""
    total = _I32(0)
    for value in range(_U(counts.size)):
        total += min(counts[value], limit)
        counts[value] = total
    return total


# (int32[::1], int32[::1], int64, int64, float32, uint16[::1]) -> None
@inline_kernel
def scale_to_lut(
    sums: npt.NDArray[np.int32],
    bins: npt.NDArray[np.int32],
    excess: int,
    num_bins: int,
    lut_scale: np.float32,
    lut: npt.NDArray[np.uint16],
) -> None:
    """Add the shared excess to the running sums and scale them to gray levels.

    As in `clahe_u8.make_levels`, the batch is a straight line over the bins and the residual is a
    staircase; ``bin // step`` is exact in float32 for bins below 2**21.

    Parameters
    ----------
    sums : (n,) int32
        Running sums of the clipped counts, by value.
    bins : (n,) int32
        The bin of each value.
    excess : int
        Number of pixels of the tile that were clipped.
    lut_scale : float32
        Highest level, divided by the number of pixels of a tile.
    lut : (n,) uint16, output
    """
    batch = _I32(excess // num_bins)
    residual = _I32(excess % num_bins)
    step = max(num_bins // int(residual), 1) if residual > 0 else 1
    inverse_step = _F32(1.0) / _F32(step)
    for i in range(lut.size):
        line = batch * (bins[i] + _I32(1))
        stair = _I32((_F32(bins[i]) + _F32(0.5)) * inverse_step) + _I32(1)
        stair = stair if stair < residual else residual
        level = _F32(sums[i] + line + stair) * lut_scale
        lut[i] = _I32((level + ROUND) - ROUND)


# (int32[::1], int32[::1], int64[::1], Plan, uint16[:, ::1]) -> None
@inline_kernel
def make_lut_row(
    counts: npt.NDArray[np.int32],
    bins: npt.NDArray[np.int32],
    duplicates: npt.NDArray[np.int64],
    plan: Plan,
    luts: npt.NDArray[np.uint16],
) -> None:
    """Turn one row of tile histograms into tables (OpenCV's CLAHE_CalcLut_Body).

    Parameters
    ----------
    counts : (tiles_x * n,) int32, overwritten
    bins : (n,) int32
        The bin of each value.
    duplicates : (d,) int64
        See `fold_duplicates`.
    luts : (tiles_x + 2, n) uint16, output
        The tables of the tiles; the first and the last table are repeated at the ends.
    """
    n = bins.size
    area = plan.tile_width * plan.tile_height
    num_bins = plan.num_bins
    lut_scale = _F32(num_bins - 1) / _F32(area)
    for tile in range(plan.tiles_x):
        tile_counts = counts[tile * n : (tile + 1) * n]
        fold_duplicates(tile_counts, duplicates)
        excess = area - int(clip_and_cumulate(tile_counts, _I32(plan.limit)))
        scale_to_lut(tile_counts, bins, excess, num_bins, lut_scale, luts[tile + 1])
    copy_row(luts[1], luts[0])
    copy_row(luts[plan.tiles_x], luts[plan.tiles_x + 1])


# (uint16[:, ::1], uint16[:, ::1], int64, uint64[:, ::1]) -> None
@inline_kernel
def pack_words(
    above: npt.NDArray[np.uint16],
    below: npt.NDArray[np.uint16],
    first_cell: int,
    words: npt.NDArray[np.uint64],
) -> None:
    """Pack the levels of the four tiles around a cell into one word for each value.

    The order is above left, above right, below left, below right, from the lowest bits up.

    Parameters
    ----------
    above, below : (tiles_x + 2, n) uint16
        Tables of two rows of tiles; cell ``c`` has tables ``c`` and ``c + 1`` at its sides.
    words : (cells, n) uint64, output
        The words of cell `first_cell` and those after it.
    """
    for cell in range(words.shape[0]):
        left = first_cell + cell
        above_left, above_right = above[left], above[left + 1]
        below_left, below_right = below[left], below[left + 1]
        packed = words[cell]
        for value in range(packed.size):
            packed[value] = (
                _U64(above_left[value])
                | (_U64(above_right[value]) << _U64(16))
                | (_U64(below_left[value]) << _U64(32))
                | (_U64(below_right[value]) << _U64(48))
            )


# (uint16[::1], int64, int64, uint64[::1], int64, uint32[::1], uint32[::1]) -> None
@inline_kernel
def gather_words(
    row: npt.NDArray[np.uint16],
    start: int,
    stop: int,
    packed: npt.NDArray[np.uint64],
    low: int,
    upper: npt.NDArray[np.uint32],
    lower: npt.NDArray[np.uint32],
) -> None:
    """Look up the words of pixels `start` to ``stop - 1`` and split each word into two halves.

    Four pixels are read with one load. `blend_row` processes eight halves of 32 bits at a time.

    Parameters
    ----------
    row : (W,) uint16
    packed : (n,) uint64
        Words of the values from `low` on.
    upper, lower : (W,) uint32, outputs
        The levels of the tiles above and below; the level of the left tile is in the low bits.
    """
    lowest = _U(low)
    mask = _U(0xFFFF)
    x = _U(start)
    end = _U(stop)
    while x < end:
        if x + _U(4) > end:
            word = packed[_U(row[x]) - lowest]
            upper[x] = _U32(word)
            lower[x] = _U32(word >> _U64(32))
            x += _U(1)
            continue
        pixels = load_word(row, x)
        for k in range(_U(4)):
            word = packed[((pixels >> (_U(16) * k)) & mask) - lowest]
            upper[x + k] = _U32(word)
            lower[x + k] = _U32(word >> _U64(32))
        x += _U(4)


# (uint32[::1], uint32[::1], int64, int64, float32[::1], float32[::1], float32, float32, ...)
@inline_kernel
def blend_row(
    upper: npt.NDArray[np.uint32],
    lower: npt.NDArray[np.uint32],
    start: int,
    stop: int,
    right: npt.NDArray[np.float32],
    left: npt.NDArray[np.float32],
    below: np.float32,
    above: np.float32,
    out: npt.NDArray[np.uint16],
) -> None:
    """Blend the four levels of pixels `start` to ``stop - 1``; see `blend_loads.blend_row`."""
    mask = _U32(0xFFFF)
    for x in range(_U(start), _U(stop)):
        above_left = _F32(_I32(upper[x] & mask))
        above_right = _F32(_I32(upper[x] >> _U32(16)))
        below_left = _F32(_I32(lower[x] & mask))
        below_right = _F32(_I32(lower[x] >> _U32(16)))
        top = above_left * left[x] + above_right * right[x]
        bottom = below_left * left[x] + below_right * right[x]
        level = top * above + bottom * below
        out[x] = _I32((level + ROUND) - ROUND)


# (uint16[:, ::1], uint16[:, ::1], Plan, int64, int32[::1], int64[::1]) -> None
@spliced_kernel
def equalize_u16(
    src: npt.NDArray[np.uint16],
    dst: npt.NDArray[np.uint16],
    plan: Plan,
    low: int,
    bins: npt.NDArray[np.int32],
    duplicates: npt.NDArray[np.int64],
) -> None:
    """Apply CLAHE to a uint16 channel; `dst` may be `src`.

    Parameters
    ----------
    src, dst : (H, W) uint16
    low : int
        Lowest value; no pixel is below it.
    bins : (n,) int32
        The bins of the values `low` to ``low + n - 1``, ascending; no pixel is above these values.
    duplicates : (d,) int64
        The indices in `bins` whose bin equals that of the index before, in descending order.
    """
    height, width = src.shape
    n = bins.size
    cells = plan.tiles_x + 1
    cell_starts = np.empty(cells + 1, np.int64)
    right, left = np.empty(width, np.float32), np.empty(width, np.float32)
    place_axis(plan.tile_width, plan.tiles_x, cell_starts, right, left)
    band_starts = np.empty(plan.tiles_y + 2, np.int64)
    below, above = np.empty(height, np.float32), np.empty(height, np.float32)
    place_axis(plan.tile_height, plan.tiles_y, band_starts, below, above)

    tail = np.empty((plan.pad_y, width), np.uint16)
    copy_tail(src, tail)
    padded = np.empty(plan.tiles_x * plan.tile_width, np.uint16)
    counts = np.empty(plan.tiles_x * n, np.int32)
    luts = np.empty((2, plan.tiles_x + 2, n), np.uint16)
    words = np.empty((min(cells, max(_WORDS_AT_A_TIME // n, 1)), n), np.uint64)
    upper, lower = np.empty(width, np.uint32), np.empty(width, np.uint32)

    for band in range(plan.tiles_y + 1):
        current = band % 2
        if band < plan.tiles_y:
            count_tile_row_u16(src, tail, plan, band, low, counts, padded)
            make_lut_row(counts, bins, duplicates, plan, luts[current])
        above_luts = luts[1 - current] if band > 0 else luts[current]
        below_luts = luts[current] if band < plan.tiles_y else luts[1 - current]
        for first in range(0, cells, words.shape[0]):
            last = min(first + words.shape[0], cells)
            start, stop = cell_starts[first], cell_starts[last]
            pack_words(above_luts, below_luts, first, words[: last - first])
            for y in range(band_starts[band], band_starts[band + 1]):
                for cell in range(first, last):
                    gather_words(
                        src[y],
                        cell_starts[cell],
                        cell_starts[cell + 1],
                        words[cell - first],
                        low,
                        upper,
                        lower,
                    )
                blend_row(upper, lower, start, stop, right, left, below[y], above[y], dst[y])
                if plan.bit_shift > 0:
                    restore_low_bits(dst[y], start, stop, plan.bit_shift)
