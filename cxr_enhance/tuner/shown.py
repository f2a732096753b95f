"""Convert images for the screen: to 8 bits, to a small size, and to histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    from cxr_enhance._types import Image, ImageU8

_SMALL_SIDE = 320  # pixels of the longer side
_GAP = 4  # white columns between two images


def full_scale(image: Image) -> int:
    """Return the value shown as white: 255, or for uint16 the least ``2**n - 1`` above all values.

    For uint16, n is at least 8.
    """
    return 255 if image.dtype == np.uint8 else int(2 ** max(int(image.max()).bit_length(), 8) - 1)


def shown(image: Image, full: int) -> ImageU8:
    """Return `image` as uint8; uint16 values are scaled from 0..`full` to 0..255 and truncated."""
    if image.dtype == np.uint8:
        return image.view(np.uint8)
    levels = (np.arange(full + 1) * 255 // full).astype(np.uint8)
    return levels[image]


def gray_levels(image: ImageU8) -> list[int]:
    """Return the histogram of the 256 levels, over all channels."""
    counts: list[int] = np.bincount(image.ravel(), minlength=256).tolist()
    return counts


def small(image: ImageU8) -> ImageU8:
    """Reduce an image to at most 320 pixels on its longer side; keep the aspect ratio."""
    scale = _SMALL_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    cv2 = load_cv2()
    size_wh = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[no-any-return]


def side_by_side(left: ImageU8, right: ImageU8) -> ImageU8:
    """Join two images side by side on white; the result is RGB if one image is."""
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
