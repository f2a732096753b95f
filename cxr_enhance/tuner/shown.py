"""Images as a screen shows them: 8 bits, and how often each gray level occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    from cxr_enhance._types import Image, ImageU8

_SMALL_SIDE = 320  # pixels of the longer side
_GAP = 4  # white columns between two images


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


def small(image: ImageU8) -> ImageU8:
    """Make an image of at most 320 pixels a side, aspect kept."""
    scale = _SMALL_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    cv2 = load_cv2()
    size_wh = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[no-any-return]


def side_by_side(left: ImageU8, right: ImageU8) -> ImageU8:
    """Draw two images beside each other, on white; RGB if one of them is."""
    if left.ndim != right.ndim:
        left, right = (
            image if image.ndim == 3 else np.dstack([image] * 3) for image in (left, right)
        )
    height = max(len(left), len(right))
    width = left.shape[1] + _GAP + right.shape[1]
    picture = np.full((height, width, *left.shape[2:]), 255, np.uint8)
    picture[: len(left), : left.shape[1]] = left
    picture[: len(right), -right.shape[1] :] = right
    return picture
