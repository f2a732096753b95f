"""Histograms of uint16 images for white balance, which looks at the darkest and brightest alone.

The usual percentiles lie among a thousandth of the pixels at either end, and these lie together:
a collimator's edge, a marker. Counting every pixel into 65,536 bins takes several times as long as
looking, 64 pixels at once, whether any of them is that dark or bright. How dark that is, some rows
say beforehand; whether they said enough is known afterwards, exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.histogram import collect, count_image_u16, count_stretch_u16
from cxr_enhance._kernels.jit import inline_kernel
from cxr_enhance._kernels.stretch import order_statistic

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan

_I32 = np.int32
_U = np.uintp
_U16 = np.uint16

_BLOCK = 64  # pixels that are looked at together, and counted together
_EACH_ROW = 16  # every 16th row is counted beforehand
_WIDEST_TAIL = 1.0  # percent; with wider tails most blocks are counted
_FEWEST_PIXELS, _MOST_PIXELS = 1 << 19, 1 << 30  # fewer are soon counted; more exceed int32


# (uint16[::1], int64, int64, int32[::1]) -> None
@inline_kernel
def count_blocks_with_tails(
    row: npt.NDArray[np.uint16], dark: int, bright: int, counts: npt.NDArray[np.int32]
) -> None:
    """Count the blocks of `row` that hold a pixel up to `dark` or from `bright` on."""
    middle = _I32(dark + 1)
    span = _I32(bright - dark - 1)
    blocks = row.size // _BLOCK
    for block in range(blocks):
        start = _U(block * _BLOCK)
        farthest = _U16(0)  # of the pixels, counted from `middle`; darker ones wrap to the far end
        for k in range(_U(_BLOCK)):
            farthest = max(farthest, _U16((_I32(row[start + k]) - middle) & _I32(0xFFFF)))
        if _I32(farthest) >= span:
            count_stretch_u16(row, block * _BLOCK, (block + 1) * _BLOCK, 0, counts, 0)
    count_stretch_u16(row, blocks * _BLOCK, row.size, 0, counts, 0)


# (uint16[:, ::1], Plan, int64[::1]) -> bool
@inline_kernel
def count_tails(src: npt.NDArray[np.uint16], plan: Plan, counts: npt.NDArray[np.int64]) -> bool:
    """Histogram as far as the percentiles of `plan` ask for it; tell whether it goes far enough.

    Values up to `dark` and from `bright` on are counted exactly. The pixels between are in `counts`
    too, somewhere between, so that ranks are right at both ends.
    """
    height, width = src.shape
    part = np.zeros(counts.size, np.int32)
    rows = 0
    for y in range(_EACH_ROW // 2, height, _EACH_ROW):
        count_stretch_u16(src[y], 0, width, 0, part, 0)
        rows += 1
    counts[:] = 0
    collect(part, counts)
    # Twice the tail and a little more, so that rows that are not like the others do no harm.
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
    """Histogram of an image, right wherever `stretch.fill_stretch_table` looks.

    Parameters
    ----------
    counts : (65536,) int64, output
        Its sum is the number of pixels.
    """
    narrow = plan.percentile_low <= _WIDEST_TAIL and plan.percentile_high >= 100.0 - _WIDEST_TAIL
    fits = _FEWEST_PIXELS <= src.size <= _MOST_PIXELS
    if not (narrow and fits and count_tails(src, plan, counts)):
        count_image_u16(src, counts)
