"""Call the composed kernels on stacks of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._engine.planning import gray_weights
from cxr_enhance._kernels import entries as kernels
from cxr_enhance._kernels.constants import LANES

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan
    from cxr_enhance._types import ChannelOrder, Image


# For uint8, the kernel for white balance and CLAHE together keeps the histograms of all tiles until
# the percentiles are known. This is done for at most 4,096 tiles, whose histograms need 4 MiB; the
# columns are rounded up to groups of eight tiles. A row of tiles must have at most 2**30 pixels,
# because its counts are 32-bit. Other images are white-balanced first, which costs one more pass
# over the pixels.
_KEPT_TILES = 4096
_ROW_PIXELS = 2**30


def run_stack(images: Image, out: Image, plan: Plan, channel_order: ChannelOrder = "rgb") -> None:
    """Enhance (N, H, W) or (N, H, W, 3) `images`; write (N, H, W) `out`. Releases the GIL."""
    if images.ndim == 3:
        _run_gray(images, out, plan)
        return
    weights = gray_weights(channel_order)
    balanced = plan._replace(stretch=False)
    for i, image in enumerate(images):
        done = kernels.to_one_channel(image, out[i], *weights, *plan)
        gray = out[i : i + 1]
        _run_gray(gray, gray, balanced if done else plan)


def _run_gray(images: Image, out: Image, plan: Plan) -> None:
    enhance, balance = (
        (kernels.enhance_u8, kernels.balance_u8)
        if images.itemsize == 1
        else (kernels.enhance_u16, kernels.balance_u16)
    )
    if _takes_one_kernel(plan, images.itemsize):
        enhance(images, out, *plan)
    elif plan.equalize and images.itemsize == 2:
        kernels.enhance_by_bins_u16(images, out, *plan)
    elif plan.equalize:
        if plan.stretch:
            balance(images, out, *plan)
            images, plan = out, plan._replace(stretch=False)
        clahe = enhance if plan.all_values else kernels.clahe_by_bins_u8
        clahe(images, out, *plan)
    elif plan.stretch:
        balance(images, out, *plan)
    elif images is not out:
        np.copyto(out, images)


def _takes_one_kernel(plan: Plan, itemsize: int) -> bool:
    """Return whether one call of `enhance_u8` or `enhance_u16` enhances a gray image."""
    kept = -(-plan.tiles_x // LANES) * LANES * plan.tiles_y
    row = plan.tiles_x * plan.tile_width * plan.tile_height
    keeps_all_tiles = plan.stretch and itemsize == 1
    too_large = keeps_all_tiles and (kept > _KEPT_TILES or row > _ROW_PIXELS)
    return plan.equalize and plan.all_values and not too_large
