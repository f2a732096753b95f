"""White balance from a histogram: two percentiles, then the level of each value or pixel.

A percentile of integers needs no sorting. The order statistics that NumPy interpolates between are
read from the cumulated histogram. Interpolation and stretch repeat NumPy's float64 operations one
by one, so that the table equals, byte for byte, the result of the formula for each pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.jit import inline_kernel
from cxr_enhance._kernels.loads import load_word

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan

_U = np.uintp


# (int64[::1], int64) -> int64
@inline_kernel
def order_statistic(counts: npt.NDArray[np.int64], rank: int) -> int:
    """Return the value at position `rank`, counted from 0, of the sorted pixels."""
    below = 0
    value = 0
    for value in range(counts.size):
        below += counts[value]
        if below > rank:
            break
    return value


# (int64[::1], int64, float64) -> float64
@inline_kernel
def percentile(counts: npt.NDArray[np.int64], total: int, percent: float) -> float:
    """Return ``np.percentile(image, percent)`` of the image with these `counts` (linear)."""
    place = (total - 1) * (percent / 100.0)
    before = int(np.floor(place))
    lower = float(order_statistic(counts, before))
    upper = float(order_statistic(counts, min(before + 1, total - 1)))
    fraction = place - before
    if fraction >= 0.5:
        return upper - (upper - lower) * (1.0 - fraction)
    return lower + (upper - lower) * fraction


# (int64[::1], int64, Plan, T[::1]) -> None
@inline_kernel
def fill_stretch_table(
    counts: npt.NDArray[np.int64],
    total: int,
    plan: Plan,
    table: npt.NDArray[np.unsignedinteger],
) -> None:
    """Compute the level of every value; percentiles become 0 and ``2**plan.bits - 1``; truncated.

    Parameters
    ----------
    counts : (256,) or (65536,) int64
    total : int
        Number of pixels counted.
    plan : Plan
        Its percentiles and its bit depth are used.
    table : (256,) uint8 or (65536,) uint16, output
        Level of each value. Every value is its own level if the two percentiles are equal.
    """
    low = percentile(counts, total, plan.percentile_low)
    high = percentile(counts, total, plan.percentile_high)
    white = float((1 << plan.bits) - 1)
    for value in range(table.size):
        if high == low:
            table[value] = value
        else:
            level = (float(value) - low) * white / (high - low)
            table[value] = int(min(max(level, 0.0), white))


# (uint16[::1], float64, float64, int64, uint16[::1]) -> None
@inline_kernel
def stretch_row(
    row: npt.NDArray[np.uint16],
    low: float,
    high: float,
    bits: int,
    out: npt.NDArray[np.uint16],
) -> None:
    """Replace each pixel of `row` by the level that `fill_stretch_table` computes for its value.

    LLVM computes several pixels at a time in vector registers. For large images, this is faster
    than a table of 128 KiB, and the table need not be filled. `out` may be `row`. A row is copied
    if `low` equals `high`.
    """
    white = float((1 << bits) - 1)
    if high == low:
        for x in range(_U(row.size)):
            out[x] = row[x]
        return
    for x in range(_U(row.size)):
        level = (float(row[x]) - low) * white / (high - low)
        out[x] = np.int32(min(max(level, 0.0), white))


# (T[::1], T[::1], T[::1]) -> None
@inline_kernel
def apply_table(
    row: npt.NDArray[np.unsignedinteger],
    table: npt.NDArray[np.unsignedinteger],
    out: npt.NDArray[np.unsignedinteger],
) -> None:
    """Replace each pixel of `row` by its level in `table`; `out` may be `row`."""
    bits = _U(np.iinfo(row.dtype).bits)
    in_word = _U(64) // bits
    mask = (_U(1) << bits) - _U(1)
    x = _U(0)
    end = _U(row.size)
    while x + in_word <= end:
        pixels = load_word(row, x)
        for k in range(in_word):
            out[x + k] = table[_U((pixels >> (bits * k)) & mask)]
        x += in_word
    while x < end:
        out[x] = table[_U(row[x])]
        x += _U(1)


# (T[:, :, ::1], T[:, ::1], T[:, :, ::1]) -> None
@inline_kernel
def apply_channel_tables(
    src: npt.NDArray[np.unsignedinteger],
    tables: npt.NDArray[np.unsignedinteger],
    dst: npt.NDArray[np.unsignedinteger],
) -> None:
    """Replace each channel of an (H, W, 3) image by its levels in the table of that channel."""
    first, second, third = tables[0], tables[1], tables[2]
    for y in range(src.shape[0]):
        row, out = src[y].reshape(-1), dst[y].reshape(-1)
        for x in range(_U(0), _U(row.size), _U(3)):
            out[x] = first[_U(row[x])]
            out[x + _U(1)] = second[_U(row[x + _U(1)])]
            out[x + _U(2)] = third[_U(row[x + _U(2)])]
