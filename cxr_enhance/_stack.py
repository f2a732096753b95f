"""Calling the composed kernels on stacks of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._kernels import enhance as kernels
from cxr_enhance._plan import gray_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance._kernels.plan import Plan
    from cxr_enhance._types import ChannelOrder, Image


# Tiles whose uint8 histograms are kept until the percentiles are known: 4 MiB of them. Finer grids
# are white-balanced first, which costs a pass over the pixels.
_KEPT_TILES = 4096


def run_stack(images: Image, out: Image, plan: Plan, channel_order: ChannelOrder = "rgb") -> None:
    """Enhance (N, H, W) or (N, H, W, 3) `images` into (N, H, W) `out`, without the GIL."""
    eight_bit = images.dtype == np.uint8
    colour = images.ndim == 4
    weights = gray_weights(channel_order) if colour else ()
    too_fine = eight_bit and plan.tiles_x * plan.tiles_y > _KEPT_TILES
    if plan.equalize and not (plan.stretch and too_fine):
        _ENHANCE[colour, eight_bit](images, out, plan, *weights)
        return
    if plan.stretch or colour:
        _BALANCE[colour, eight_bit](images, out, plan, *weights)
    else:
        np.copyto(out, images)
    if plan.equalize:
        _ENHANCE[False, eight_bit](out, out, plan._replace(stretch=False))


# By whether the images are colour and whether they are uint8.
_ENHANCE: dict[tuple[bool, bool], Callable[..., None]] = {
    (False, True): kernels.enhance_gray_u8,
    (False, False): kernels.enhance_gray_u16,
    (True, True): kernels.enhance_colour_u8,
    (True, False): kernels.enhance_colour_u16,
}
_BALANCE: dict[tuple[bool, bool], Callable[..., None]] = {
    (False, True): kernels.balance_gray_u8,
    (False, False): kernels.balance_gray_u16,
    (True, True): kernels.balance_colour_u8,
    (True, False): kernels.balance_colour_u16,
}
