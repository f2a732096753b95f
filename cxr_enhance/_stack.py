"""Calling the composed kernels on stacks of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._kernels import enhance as kernels
from cxr_enhance._kernels.lanes import LANES
from cxr_enhance._plan import gray_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance._kernels.plan import Plan
    from cxr_enhance._types import ChannelOrder, Image


# uint8 white balance and CLAHE in one go keep the histograms of all tiles until the percentiles
# are known: 4 MiB of them, at eight tiles a group, counted in 32 bits a row of tiles. Beyond,
# images are white-balanced first, which costs a pass over the pixels.
_KEPT_TILES = 4096
_ROW_PIXELS = 2**30


def run_stack(images: Image, out: Image, plan: Plan, channel_order: ChannelOrder = "rgb") -> None:
    """Enhance (N, H, W) or (N, H, W, 3) `images` into (N, H, W) `out`, without the GIL."""
    eight_bit = images.dtype == np.uint8
    colour = images.ndim == 4
    weights = gray_weights(channel_order) if colour else ()
    in_one_go = not (plan.stretch and eight_bit) or (
        -(-plan.tiles_x // LANES) * LANES * plan.tiles_y <= _KEPT_TILES
        and plan.tiles_x * plan.tile_width * plan.tile_height <= _ROW_PIXELS
    )
    if plan.equalize and in_one_go:
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
