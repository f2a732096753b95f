"""Calling the composed kernels on stacks of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._kernels.enhance import (
    enhance_colour_u8,
    enhance_colour_u16,
    enhance_gray_u8,
    enhance_gray_u16,
)
from cxr_enhance._plan import gray_weights

if TYPE_CHECKING:
    from cxr_enhance._kernels.plan import Plan
    from cxr_enhance._types import ChannelOrder, Image


def run_stack(images: Image, out: Image, plan: Plan, channel_order: ChannelOrder = "rgb") -> None:
    """Enhance (N, H, W) or (N, H, W, 3) `images` into (N, H, W) `out`, without the GIL."""
    eight_bit = images.dtype == np.uint8
    if images.ndim == 3:
        gray_kernel = enhance_gray_u8 if eight_bit else enhance_gray_u16
        gray_kernel(images, out, plan)
    else:
        colour_kernel = enhance_colour_u8 if eight_bit else enhance_colour_u16
        colour_kernel(images, out, plan, *gray_weights(channel_order))
