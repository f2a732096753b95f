"""Histograms of uint16 images for white balance, exact only for the darkest and brightest pixels.

The usual percentiles lie within the darkest and the brightest thousandth of the pixels. Such pixels
lie close together, for instance at a collimator's edge or in a marker. It is several times faster
to test blocks of 64 pixels for such values than to count every pixel in 65,536 bins. Only blocks
with such a value are counted, and the pixels after the last whole block of each row. The thresholds
are estimated from a sample of the rows. After counting, the exact counts show whether the
thresholds were wide enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.histogram import collect, count_image_u16, count_segment_u16
from cxr_enhance._kernels.jit import inline_kernel
from cxr_enhance._kernels.stretch import order_statistic

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan

_I32 = np.int32
_U = np.uintp
_U16 = np.uint16

_BLOCK = 64  # number of pixels that are tested together, and counted together
_EACH_ROW = 16  # every 16th row is a part of the sample
_WIDEST_TAIL = 1.0  # percent; with wider tails, most blocks would be counted
# Limits of the number of pixels: below, counting all pixels is fast; above, counts exceed int32.
_FEWEST_PIXELS, _MOST_PIXELS = 1 << 19, 1 << 30


# (uint16[::1], int64, int64, int32[::1]) -> None
@inline_kernel
def count_blocks_with_tails(
    row: npt.NDArray[np.uint16], dark: int, bright: int, counts: npt.NDArray[np.int32]
) -> None:
    """Add the pixels of blocks with a value of at most `dark` or at least `bright` to `counts`.

    The pixels after the last whole block of `row` are counted too.

    Parameters
    ----------
    counts : (65536,) int32, output
    """
    middle = _I32(dark + 1)
    span = _I32(bright - dark - 1)
    blocks = row.size // _BLOCK
    for block in range(blocks):
        start = _U(block * _BLOCK)
        farthest = _U16(0)  # largest distance above `middle`; darker pixels wrap to large distances
        for k in range(_U(_BLOCK)):
            farthest = max(farthest, _U16((_I32(row[start + k]) - middle) & _I32(0xFFFF)))
        if _I32(farthest) >= span:
            count_segment_u16(row, block * _BLOCK, (block + 1) * _BLOCK, 0, counts, 0)
    count_segment_u16(row, blocks * _BLOCK, row.size, 0, counts, 0)


# (uint16[:, ::1], Plan, int64[::1]) -> bool
@inline_kernel
def count_tails(src: npt.NDArray[np.uint16], plan: Plan, counts: npt.NDArray[np.int64]) -> bool:
    """Count the values that the percentiles of `plan` need; return whether the counts suffice.

    Two thresholds, `dark` and `bright`, are estimated from the sampled rows. Values of at most
    `dark` and at least `bright` are counted exactly. Every other pixel is counted at a value
    between `dark` and `bright`, so that ranks are correct at both ends. If the result is False, the
    counts must not be used.

    Parameters
    ----------
    counts : (65536,) int64, output
    """
    height, width = src.shape
    part = np.zeros(counts.size, np.int32)
    rows = 0
    for y in range(_EACH_ROW // 2, height, _EACH_ROW):
        count_segment_u16(src[y], 0, width, 0, part, 0)
        rows += 1
    counts[:] = 0
    collect(part, counts)
    # The thresholds take twice the tail and a little more, in case the sampled rows differ from the
    # other rows.
    last = rows * width - 1
    dark = order_statistic(counts, int(last * (2.0 * plan.percentile_low / 100.0 + 0.002)))
    above = 2.0 * (100.0 - plan.percentile_high) / 100.0 + 0.002
    bright = order_statistic(counts, last - int(last * above))
    if bright - dark < 2:
        return False

    for y in range(height):
        count_blocks_with_tails(src[y], dark, bright, part)
    counts[:] = 0
    collect(part, counts)
    up_to_dark, from_bright, uncounted = 0, 0, src.size
    for value in range(counts.size):
        uncounted -= counts[value]
        if value <= dark:
            up_to_dark += counts[value]
        elif value >= bright:
            from_bright += counts[value]
    counts[dark + 1] += uncounted
    lower = int(np.floor((src.size - 1) * (plan.percentile_low / 100.0)))
    upper = int(np.floor((src.size - 1) * (plan.percentile_high / 100.0)))
    return bool(lower + 1 < up_to_dark and upper >= src.size - from_bright)


# (uint16[:, ::1], Plan, int64[::1]) -> None
@inline_kernel
def count_for_stretch(
    src: npt.NDArray[np.uint16], plan: Plan, counts: npt.NDArray[np.int64]
) -> None:
    """Compute a histogram of an image that is correct for all values that white balance needs.

    Parameters
    ----------
    counts : (65536,) int64, output
        Its sum is the number of pixels.
    """
    narrow = plan.percentile_low <= _WIDEST_TAIL and plan.percentile_high >= 100.0 - _WIDEST_TAIL
    fits = _FEWEST_PIXELS <= src.size <= _MOST_PIXELS
    if not (narrow and fits and count_tails(src, plan, counts)):
        count_image_u16(src, counts)
