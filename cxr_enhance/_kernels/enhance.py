"""The composed kernels, which the public operations call: for stacks of gray images, or an image.

White balance and CLAHE are both tables over the pixel's value. White balance is therefore composed
into the tables of the tiles and needs no pass of its own. The exception is
`clahe_bins.equalize_by_bins`, which gets white-balanced pixels. In `enhance_u8`, the histograms of
the tiles give the histogram of the image too, so that all steps together take two passes over the
pixels. CLAHE takes one channel: `to_one_channel` first reduces a colour image to it.

A kernel whose code is the same for both dtypes is written once. The name of any other kernel ends
with its dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.clahe_bins import equalize_by_bins
from cxr_enhance._kernels.clahe_few_values import equalize_few_values, find_few_values
from cxr_enhance._kernels.clahe_u8 import equalize_u8
from cxr_enhance._kernels.clahe_u16 import equalize_u16
from cxr_enhance._kernels.gray import (
    GREEN,
    mix_gray,
    mix_stretched_gray,
    take_equal_channels,
    weigh_table,
)
from cxr_enhance._kernels.histogram import (
    count_all_tiles,
    count_channels,
    count_image_u8,
    value_range,
)
from cxr_enhance._kernels.jit import inline_kernel, kernel
from cxr_enhance._kernels.lanes import LANES
from cxr_enhance._kernels.plan import Plan
from cxr_enhance._kernels.stretch import (
    apply_channel_tables,
    apply_table,
    fill_stretch_table,
    percentile,
    stretch_row,
)
from cxr_enhance._kernels.tails import count_for_stretch


# (uint16[:, ::1], uint16[:, ::1], int64[::1], Plan) -> None
@inline_kernel
def stretch_channel_u16(
    src: npt.NDArray[np.uint16],
    dst: npt.NDArray[np.uint16],
    counts: npt.NDArray[np.int64],
    plan: Plan,
) -> None:
    """Apply white balance to one uint16 channel whose histogram is `counts`; `dst` may be `src`."""
    black = percentile(counts, src.size, plan.percentile_low)
    white = percentile(counts, src.size, plan.percentile_high)
    for y in range(src.shape[0]):
        stretch_row(src[y], black, white, plan.bits, dst[y])


# Kernels for stacks take (N, H, W) `images` and write (N, H, W) `out`, which may be the same array.
# The fields of a plan are separate arguments, because passing a named tuple takes a microsecond
# more for each call.


# (uint8[:, :, ::1], uint8[:, :, ::1], *fields of Plan) -> None
@kernel
def enhance_u8(images: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], *fields: Any) -> None:
    """Apply white balance, if planned, and CLAHE to each uint8 image.

    White balance needs the histogram of the whole image before the first table is made. In this
    case, the histograms of all tiles are counted first and kept, with 1 KiB for each tile.
    """
    plan = Plan(*fields)
    groups = (plan.tiles_x + LANES - 1) // LANES
    counts = np.empty((plan.tiles_y if plan.stretch else 1, groups * 256 * LANES), np.int32)
    own_bins = not plan.stretch and plan.bit_shift == 0
    bins = np.empty(0 if own_bins else 256, np.int32)
    image_counts = np.empty(256, np.int64)
    table = np.empty(256, np.uint8)
    for value in range(256):
        table[value] = value
    for i in range(images.shape[0]):
        src, dst = images[i], out[i]
        if plan.stretch:
            count_all_tiles(src, plan, counts, image_counts)
            fill_stretch_table(image_counts, src.size, plan, table)
        for value in range(bins.size):
            bins[value] = table[value] >> plan.bit_shift
        equalize_u8(src, dst, plan, bins, counts, plan.stretch)


# (uint16[:, :, ::1], uint16[:, :, ::1], *fields of Plan) -> None
@kernel
def enhance_u16(images: npt.NDArray[np.uint16], out: npt.NDArray[np.uint16], *fields: Any) -> None:
    """Apply white balance, if planned, and CLAHE to each uint16 image."""
    plan = Plan(*fields)
    for i in range(images.shape[0]):
        src, dst = images[i], out[i]
        low, high = value_range(src)
        n = high - low + 1
        bins = np.empty(n, np.int32)
        if plan.stretch:
            image_counts = np.empty(65_536, np.int64)
            table = np.empty(65_536, np.uint16)
            count_for_stretch(src, plan, image_counts)
            fill_stretch_table(image_counts, src.size, plan, table)
            for k in range(n):
                bins[k] = table[low + k] >> plan.bit_shift
        else:
            for k in range(n):
                bins[k] = (low + k) >> plan.bit_shift
        duplicates = np.empty(n, np.int64)
        found = 0
        for k in range(n - 1, 0, -1):
            if bins[k] == bins[k - 1]:
                duplicates[found] = k
                found += 1
        equalize_u16(src, dst, plan, low, bins, duplicates[:found])


# (uint8[:, :, ::1], uint8[:, :, ::1], *fields of Plan) -> None
@kernel
def clahe_by_bins_u8(
    images: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], *fields: Any
) -> None:
    """Apply CLAHE with fewer bins than values to each uint8 image, without white balance.

    `plan.stretch` is ignored.
    """
    plan = Plan(*fields)
    for i in range(images.shape[0]):
        equalize_by_bins(images[i], out[i], plan)


# (uint16[:, :, ::1], uint16[:, :, ::1], *fields of Plan) -> None
@kernel
def enhance_by_bins_u16(
    images: npt.NDArray[np.uint16], out: npt.NDArray[np.uint16], *fields: Any
) -> None:
    """Apply white balance, if planned, and CLAHE with fewer bins than values to uint16 images.

    Images with few different values are processed value by value (`clahe_few_values`), all others
    pixel by pixel (`clahe_bins`). The results do not depend on this choice.
    """
    plan = Plan(*fields)
    for i in range(images.shape[0]):
        src, dst = images[i], out[i]
        low, high, few = find_few_values(src, plan)
        table = np.empty(0, np.uint16)
        if plan.stretch:
            image_counts = np.empty(65_536, np.int64)
            count_for_stretch(src, plan, image_counts)
            if few:
                table = np.empty(65_536, np.uint16)
                fill_stretch_table(image_counts, src.size, plan, table)
            else:
                stretch_channel_u16(src, dst, image_counts, plan)
                src = dst
        if few:
            balanced = np.empty(high - low + 1, np.uint16)
            for k in range(balanced.size):
                balanced[k] = table[low + k] if plan.stretch else low + k
            equalize_few_values(src, dst, plan, low, balanced)
        else:
            equalize_by_bins(src, dst, plan)


# (uint8[:, :, ::1], uint8[:, :, ::1], *fields of Plan) -> None
@kernel
def balance_u8(images: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], *fields: Any) -> None:
    """Apply white balance to each uint8 image, without CLAHE."""
    plan = Plan(*fields)
    counts = np.empty(256, np.int64)
    table = np.empty(256, np.uint8)
    for i in range(images.shape[0]):
        src, dst = images[i], out[i]
        count_image_u8(src, counts)
        fill_stretch_table(counts, src.size, plan, table)
        for y in range(src.shape[0]):
            apply_table(src[y], table, dst[y])


# (uint16[:, :, ::1], uint16[:, :, ::1], *fields of Plan) -> None
@kernel
def balance_u16(images: npt.NDArray[np.uint16], out: npt.NDArray[np.uint16], *fields: Any) -> None:
    """Apply white balance to each uint16 image, without CLAHE."""
    plan = Plan(*fields)
    counts = np.empty(65_536, np.int64)
    for i in range(images.shape[0]):
        count_for_stretch(images[i], plan, counts)
        stretch_channel_u16(images[i], out[i], counts, plan)


# (T[:, :, ::1], T[:, ::1], int64, int64, *fields of Plan) -> bool
@kernel
def to_one_channel(
    src: npt.NDArray[np.unsignedinteger],
    dst: npt.NDArray[np.unsignedinteger],
    first_weight: int,
    third_weight: int,
    *fields: Any,
) -> bool:
    """Reduce an (H, W, 3) image to one gray channel; return whether it was white-balanced.

    If the three channels are equal, the first channel is copied, and white balance remains to be
    done. Other images are white-balanced, if planned, before their gray is computed. The weights
    are the gray weights of the first and the third channel, times 2**15: RED and BLUE, or BLUE and
    RED.
    """
    plan = Plan(*fields)
    if take_equal_channels(src, dst):
        return False
    if not plan.stretch:
        mix_gray(src, first_weight, dst)
        return False
    values = np.iinfo(src.dtype).max + 1
    counts = np.empty((3, values), np.int64)
    count_channels(src, counts)
    table = np.empty(values, src.dtype)
    weighted = np.empty((3, values), np.uint32)
    total = src.shape[0] * src.shape[1]
    for channel in range(3):
        weight = GREEN if channel == 1 else (first_weight if channel == 0 else third_weight)
        fill_stretch_table(counts[channel], total, plan, table)
        weigh_table(table, weight, channel == 0, weighted[channel])
    mix_stretched_gray(src, weighted, dst)
    return True


# (T[:, :, ::1], T[:, :, ::1], *fields of Plan) -> None
@kernel
def white_balance_colour(
    src: npt.NDArray[np.unsignedinteger], dst: npt.NDArray[np.unsignedinteger], *fields: Any
) -> None:
    """Apply white balance to each of the three channels of an (H, W, 3) image separately."""
    plan = Plan(*fields)
    values = np.iinfo(src.dtype).max + 1
    counts = np.empty((3, values), np.int64)
    tables = np.empty((3, values), src.dtype)
    count_channels(src, counts)
    total = src.shape[0] * src.shape[1]
    for channel in range(3):
        fill_stretch_table(counts[channel], total, plan, tables[channel])
    apply_channel_tables(src, tables, dst)


# (T[:, :, ::1], T[:, ::1], int64) -> None
@kernel
def gray_image(
    src: npt.NDArray[np.unsignedinteger],
    dst: npt.NDArray[np.unsignedinteger],
    first_weight: int,
) -> None:
    """Compute the gray of an (H, W, 3) image; `first_weight` is RED or BLUE (see `mix_gray`)."""
    mix_gray(src, first_weight, dst)


# (T[:, ::1], T[:, :, ::1]) -> None
@kernel
def repeat_gray(src: npt.NDArray[np.unsignedinteger], dst: npt.NDArray[np.unsignedinteger]) -> None:
    """Write an (H, W) image to the three channels of an (H, W, 3) image."""
    for y in range(src.shape[0]):
        row, out = src[y], dst[y]
        for x in range(np.uintp(row.size)):
            for channel in range(np.uintp(3)):
                out[x, channel] = row[x]
