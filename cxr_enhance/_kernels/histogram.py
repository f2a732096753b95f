"""Count pixel values, of a whole image or tile by tile.

A count is a load, an increment and a store to an address that depends on the pixel. If two
successive pixels are equal, the second increment waits for the first store (five to seven cycles).
Radiographs have many equal neighbours: collimated borders, air, saturated areas. Successive uint8
pixels in the loop are therefore counted in different histograms: pixels of eight neighbouring tiles
in turn, or of eight strips of one tile. uint16 values repeat less often, and eight histograms of
65,536 bins would not fit the caches; uint16 images are counted one tile after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.geometry import reflect_index
from cxr_enhance._kernels.jit import inline_kernel, spliced_kernel
from cxr_enhance._kernels.lanes import LANES
from cxr_enhance._kernels.loads import load_word

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan

_U = np.uintp
_I32 = np.int32
_ONE = np.int32(1)
_BINS_U8 = 256
_COLLECT_AFTER = 1 << 30  # pixels counted in int32 before they are added to int64


# (T[::1], int64, int64, int32[::1], int64) -> None
@inline_kernel
def count_lanes(
    row: npt.NDArray[np.unsignedinteger],
    start: int,
    lane_width: int,
    counts: npt.NDArray[np.int32],
    counts_start: int,
) -> None:
    """Count eight neighbouring segments of `row`, `lane_width` pixels each, in turn.

    Lane ``k`` begins at pixel ``start + k * lane_width``. Counts are added to an (n, 8) histogram
    that begins at ``counts[counts_start]``; the eight lanes of a value are adjacent.
    """
    # The eight starts are separate variables; a loop over lanes would compute them for every pixel.
    width = _U(lane_width)
    lane0 = _U(start)
    lane1, lane2, lane3 = lane0 + width, lane0 + width * _U(2), lane0 + width * _U(3)
    lane4, lane5, lane6 = lane3 + width, lane3 + width * _U(2), lane3 + width * _U(3)
    lane7 = lane6 + width
    base = _U(counts_start)
    lanes = _U(LANES)
    for x in range(width):
        counts[base + _U(row[lane0 + x]) * lanes] += _ONE
        counts[base + _U(row[lane1 + x]) * lanes + _U(1)] += _ONE
        counts[base + _U(row[lane2 + x]) * lanes + _U(2)] += _ONE
        counts[base + _U(row[lane3 + x]) * lanes + _U(3)] += _ONE
        counts[base + _U(row[lane4 + x]) * lanes + _U(4)] += _ONE
        counts[base + _U(row[lane5 + x]) * lanes + _U(5)] += _ONE
        counts[base + _U(row[lane6 + x]) * lanes + _U(6)] += _ONE
        counts[base + _U(row[lane7 + x]) * lanes + _U(7)] += _ONE


# (T[::1], int64, int64, int32[::1], int64, int64) -> None
@inline_kernel
def count_segment(
    row: npt.NDArray[np.unsignedinteger],
    start: int,
    stop: int,
    counts: npt.NDArray[np.int32],
    counts_start: int,
    spacing: int,
) -> None:
    """Count pixels `start` to ``stop - 1`` of `row`, one after the other.

    The value ``v`` is counted in ``counts[counts_start + v * spacing]``.
    """
    base = _U(counts_start)
    apart = _U(spacing)
    for x in range(_U(start), _U(stop)):
        counts[base + _U(row[x]) * apart] += _ONE


# (uint16[::1], int64, int64, int64, int32[::1], int64) -> None
@inline_kernel
def count_segment_u16(
    row: npt.NDArray[np.uint16],
    start: int,
    stop: int,
    low: int,
    counts: npt.NDArray[np.int32],
    counts_start: int,
) -> None:
    """Count uint16 pixels `start` to ``stop - 1`` of `row`; read four pixels with one load.

    The value ``v`` is counted in ``counts[counts_start + v - low]``. The speed of counting is
    limited by loads. This function needs five loads for four pixels instead of eight. For uint8
    pixels it would not be faster, because separating eight pixels costs as much as is saved.
    """
    base = _U(counts_start)
    lowest = _U(low)
    x = _U(start)
    for _ in range((stop - start) // 4):
        pixels = load_word(row, x)
        for k in range(_U(4)):
            value = (pixels >> (_U(16) * k)) & _U(65_535)
            counts[base + (value - lowest)] += _ONE
        x += _U(4)
    for rest in range(x, _U(stop)):
        counts[base + (_U(row[rest]) - lowest)] += _ONE


# (int32[::1], int64, int64, int32[::1], int64, int64) -> None
@inline_kernel
def merge_lanes(
    lanes: npt.NDArray[np.int32],
    lanes_start: int,
    num_bins: int,
    counts: npt.NDArray[np.int32],
    counts_start: int,
    spacing: int,
) -> None:
    """Add the eight lanes of each bin of a (num_bins, 8) histogram to `counts`; clear them."""
    for value in range(num_bins):
        total = _I32(0)
        for lane in range(LANES):
            total += lanes[lanes_start + value * LANES + lane]
            lanes[lanes_start + value * LANES + lane] = 0
        counts[counts_start + value * spacing] += total


# (T[:, ::1], T[:, ::1], int64, T[::1]) -> T[::1]
@inline_kernel
def extended_row(
    src: npt.NDArray[np.unsignedinteger],
    tail: npt.NDArray[np.unsignedinteger],
    y: int,
    padded: npt.NDArray[np.unsignedinteger],
) -> npt.NDArray[np.unsignedinteger]:
    """Return row `y` of the extended image; see `count_tile_row_u8` for the arrays.

    It is a row of `src` or `tail`. If the image is extended by columns, the row is a copy in
    `padded`.
    """
    height, width = src.shape
    row: npt.NDArray[np.unsignedinteger[Any]] = src[y] if y < height else tail[y - height]
    if padded.size == width:
        return row
    copy_row(row, padded)
    for x in range(width, padded.size):
        padded[x] = row[reflect_index(x, width)]
    return padded


# (T[::1], T[::1]) -> None
@inline_kernel
def copy_row(row: npt.NDArray[np.unsignedinteger], out: npt.NDArray[np.unsignedinteger]) -> None:
    """Copy `row` to the start of `out`; a slice assignment would take one second to compile."""
    for x in range(row.size):
        out[x] = row[x]


# (int32[::1], int64[::1]) -> None
@inline_kernel
def collect(part: npt.NDArray[np.int32], counts: npt.NDArray[np.int64]) -> None:
    """Add `part` to `counts` and clear it."""
    for value in range(part.size):
        counts[value] += np.int64(part[value])
        part[value] = 0


# (T[:, ::1], T[:, ::1]) -> None
@inline_kernel
def copy_tail(src: npt.NDArray[np.unsignedinteger], tail: npt.NDArray[np.unsignedinteger]) -> None:
    """Copy the rows that extend `src` at the bottom to `tail`, so that `src` may be overwritten."""
    height = src.shape[0]
    for y in range(tail.shape[0]):
        copy_row(src[reflect_index(height + y, height)], tail[y])


# (T[::1], Plan, int64, int32[::1], int32[::1]) -> None
@inline_kernel
def count_row_by_lanes(
    row: npt.NDArray[np.unsignedinteger],
    plan: Plan,
    num_bins: int,
    counts: npt.NDArray[np.int32],
    strips: npt.NDArray[np.int32],
) -> None:
    """Add one row of the extended image to the histograms of the tiles that it crosses.

    Tiles are processed in groups of eight, with one lane for each tile. Each remaining tile is
    divided into eight strips, with one lane for each strip; `merge_strips` adds the strips at the
    end.

    Parameters
    ----------
    row : (plan.tiles_x * plan.tile_width,) uint8 or uint16
        Bins, all below `num_bins`.
    counts : (groups * num_bins * 8,) int32
        A (num_bins, 8) histogram for each group of eight tiles.
    strips : (remaining tiles * num_bins * 8,) int32
    """
    width = plan.tile_width
    grouped = plan.tiles_x // LANES * LANES
    strip = width // LANES
    for tile in range(0, grouped, LANES):
        count_lanes(row, tile * width, width, counts, tile * num_bins)
    for k in range(plan.tiles_x - grouped):
        start = (grouped + k) * width
        rest = start + strip * LANES
        histogram = k * num_bins * LANES
        count_lanes(row, start, strip, strips, histogram)
        count_segment(row, rest, start + width, strips, histogram, LANES)


# (int32[::1], Plan, int64, int32[::1]) -> None
@inline_kernel
def merge_strips(
    strips: npt.NDArray[np.int32], plan: Plan, num_bins: int, counts: npt.NDArray[np.int32]
) -> None:
    """Add the strips of the remaining tiles to `counts`, and clear the strips."""
    grouped = plan.tiles_x // LANES * LANES
    for k in range(plan.tiles_x - grouped):
        merge_lanes(strips, k * num_bins * LANES, num_bins, counts, grouped * num_bins + k, LANES)


# (uint8[:, ::1], uint8[:, ::1], Plan, int64, int32[::1], int32[::1], uint8[::1]) -> None
@inline_kernel
def count_tile_row_u8(
    src: npt.NDArray[np.uint8],
    tail: npt.NDArray[np.uint8],
    plan: Plan,
    tile_row: int,
    counts: npt.NDArray[np.int32],
    strips: npt.NDArray[np.int32],
    padded: npt.NDArray[np.uint8],
) -> None:
    """Count one row of tiles of the extended image (OpenCV's ``calcHist`` for each tile).

    Parameters
    ----------
    src : (H, W) uint8
    tail : (plan.pad_y, W) uint8
        Rows H, H + 1, ... of the extended image.
    tile_row : int
        Index of the row of tiles, from 0.
    counts : (groups * 256 * 8,) int32, output
        A (256, 8) histogram for each group of eight tiles; lanes without a tile are 0.
    strips : (remaining tiles * 256 * 8,) int32, scratch
        All elements must be 0 before the call and are 0 after it.
    padded : (plan.tiles_x * plan.tile_width,) uint8, scratch
    """
    counts[:] = 0
    for y in range(tile_row * plan.tile_height, (tile_row + 1) * plan.tile_height):
        row = extended_row(src, tail, y, padded)
        count_row_by_lanes(row, plan, _BINS_U8, counts, strips)
    merge_strips(strips, plan, _BINS_U8, counts)


# (uint16[:, ::1], uint16[:, ::1], Plan, int64, int64, int32[::1], uint16[::1]) -> None
@inline_kernel
def count_tile_row_u16(
    src: npt.NDArray[np.uint16],
    tail: npt.NDArray[np.uint16],
    plan: Plan,
    tile_row: int,
    low: int,
    counts: npt.NDArray[np.int32],
    padded: npt.NDArray[np.uint16],
) -> None:
    """Count one row of tiles of a uint16 image whose lowest value is `low`.

    Parameters
    ----------
    src : (H, W) uint16
    tail : (plan.pad_y, W) uint16
    counts : (plan.tiles_x * n,) int32, output
        The histograms of the tiles one after the other; each begins with the count of `low`.
    padded : (plan.tiles_x * plan.tile_width,) uint16, scratch
    """
    counts[:] = 0
    n = counts.size // plan.tiles_x
    width = plan.tile_width
    for y in range(tile_row * plan.tile_height, (tile_row + 1) * plan.tile_height):
        row = extended_row(src, tail, y, padded)
        for tile in range(plan.tiles_x):
            count_segment_u16(row, tile * width, (tile + 1) * width, low, counts, tile * n)


# (uint8[:, ::1], Plan, int32[:, ::1], int64[::1]) -> None
@spliced_kernel
def count_all_tiles(
    src: npt.NDArray[np.uint8],
    plan: Plan,
    counts: npt.NDArray[np.int32],
    image_counts: npt.NDArray[np.int64],
) -> None:
    """Count all tiles and, from their histograms, the image, in one pass over the pixels.

    The histograms of the tiles also count the pixels that extend the image. These pixels are
    subtracted from the histogram of the image.

    Parameters
    ----------
    src : (H, W) uint8
    counts : (plan.tiles_y, groups * 256 * 8) int32, output
        See `count_tile_row_u8`.
    image_counts : (256,) int64, output
    """
    height, width = src.shape
    tail = np.empty((plan.pad_y, width), np.uint8)
    copy_tail(src, tail)
    strips = np.zeros(plan.tiles_x % LANES * _BINS_U8 * LANES, np.int32)
    padded = np.empty(plan.tiles_x * plan.tile_width, np.uint8)
    image_counts[:] = 0
    part = np.zeros(_BINS_U8, np.int32)
    sums = np.zeros(_BINS_U8 * LANES, np.int32)
    uncollected = 0
    for tile_row in range(plan.tiles_y):
        row_counts = counts[tile_row]
        count_tile_row_u8(src, tail, plan, tile_row, row_counts, strips, padded)
        for group in range(0, row_counts.size, sums.size):
            of_group = row_counts[group : group + sums.size]
            for i in range(sums.size):
                sums[i] += of_group[i]
        uncollected += padded.size * plan.tile_height
        if uncollected > _COLLECT_AFTER or tile_row == plan.tiles_y - 1:
            merge_lanes(sums, 0, _BINS_U8, part, 0, 1)
            collect(part, image_counts)
            uncollected = 0
    for y in range(height + plan.pad_y):
        row = src[y] if y < height else tail[y - height]
        for x in range(width if y < height else 0, padded.size):
            image_counts[row[reflect_index(x, width)]] -= 1


# (uint8[:, ::1], int64[::1]) -> None
@inline_kernel
def count_image_u8(src: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]) -> None:
    """Count a whole uint8 image into (256,) int64; rows are divided into eight strips."""
    counts[:] = 0
    part = np.zeros(_BINS_U8, np.int32)
    lanes = np.zeros(_BINS_U8 * LANES, np.int32)
    height, width = src.shape
    strip = width // LANES
    uncollected = 0
    for y in range(height):
        count_lanes(src[y], 0, strip, lanes, 0)
        count_segment(src[y], strip * LANES, width, part, 0, 1)
        uncollected += width
        if uncollected > _COLLECT_AFTER or y == height - 1:
            merge_lanes(lanes, 0, _BINS_U8, part, 0, 1)
            collect(part, counts)
            uncollected = 0


# (uint16[:, ::1], int64[::1]) -> None
@inline_kernel
def count_image_u16(src: npt.NDArray[np.uint16], counts: npt.NDArray[np.int64]) -> None:
    """Count a whole uint16 image into (65536,) int64."""
    counts[:] = 0
    part = np.zeros(counts.size, np.int32)
    height, width = src.shape
    uncollected = 0
    for y in range(height):
        count_segment_u16(src[y], 0, width, 0, part, 0)
        uncollected += width
        if uncollected > _COLLECT_AFTER or y == height - 1:
            collect(part, counts)
            uncollected = 0


# (T[:, :, ::1], int64[:, ::1]) -> None
@inline_kernel
def count_channels(src: npt.NDArray[np.unsignedinteger], counts: npt.NDArray[np.int64]) -> None:
    """Count the three channels of an image; even and odd pixels have separate histograms.

    Parameters
    ----------
    src : (H, W, 3) uint8 or uint16
    counts : (3, 256) or (3, 65536) int64, output
    """
    counts[:] = 0
    even = np.zeros(counts.shape, np.int32)
    odd = np.zeros(counts.shape, np.int32)
    even0, even1, even2 = even[0], even[1], even[2]
    odd0, odd1, odd2 = odd[0], odd[1], odd[2]
    height, width, _ = src.shape
    uncollected = 0
    for y in range(height):
        row = src[y].reshape(-1)
        for x in range(_U(0), _U(width // 2 * 6), _U(6)):
            even0[_U(row[x])] += _ONE
            even1[_U(row[x + _U(1)])] += _ONE
            even2[_U(row[x + _U(2)])] += _ONE
            odd0[_U(row[x + _U(3)])] += _ONE
            odd1[_U(row[x + _U(4)])] += _ONE
            odd2[_U(row[x + _U(5)])] += _ONE
        if width % 2:
            for channel in range(3):
                even[channel, row[3 * (width - 1) + channel]] += _ONE
        uncollected += width
        if uncollected > _COLLECT_AFTER or y == height - 1:
            for channel in range(3):
                collect(even[channel], counts[channel])
                collect(odd[channel], counts[channel])
            uncollected = 0


# (T[:, ::1]) -> (int64, int64)
@inline_kernel
def value_range(src: npt.NDArray[np.unsignedinteger]) -> tuple[int, int]:
    """Return the lowest and the highest value of an image of at least one pixel."""
    low = src[0, 0]
    high = low
    for y in range(src.shape[0]):
        row = src[y]
        for x in range(_U(row.size)):
            low = min(low, row[x])
            high = max(high, row[x])
    return int(low), int(high)
