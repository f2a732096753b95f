"""Images as a screen shows them: 8 bits, and how often each gray level occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cxr_enhance._types import Image, ImageU8


def full_scale(image: Image) -> int:
    """White of the display: 255, or for uint16 the least ``2**n - 1`` that holds the image."""
    return 255 if image.dtype == np.uint8 else int(2 ** max(int(image.max()).bit_length(), 8) - 1)


def shown(image: Image, full: int) -> ImageU8:
    """Give 8 bits of `image`: uint8 as it is, of uint16 the share of `full`, truncated."""
    if image.dtype == np.uint8:
        return image.view(np.uint8)
    levels = (np.arange(full + 1) * 255 // full).astype(np.uint8)
    return levels[image]


def gray_levels(image: ImageU8) -> list[int]:
    """Count how often each of the 256 levels occurs, in all channels together."""
    counts: list[int] = np.bincount(image.ravel(), minlength=256).tolist()
    return counts
