"""Compute crop, scale and padding from the size of an image and the options.

`fitted` uses integers only, because layers of an exported model repeat its computation. Only
`long_side` and `spacing` are computed in floating point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io.options import MAX_PIXELS
from cxr_enhance.preparation.border import find_border
from cxr_enhance.preparation.transform import Box, Pad, Transform

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.preparation.options import Preparation

    PixelSpacing = tuple[float, float]

_NO_PAD = Pad(0, 0, 0, 0)


class Plan(NamedTuple):
    """The geometry of the preparation of one image."""

    border: Box
    """The part of the image inside its border; the whole image without ``crop_border``."""
    transform: Transform


def plan_of(image: Image, preparation: Preparation, pixel_spacing: PixelSpacing | None) -> Plan:
    """Return the border and the transform of `image`.

    Raises
    ------
    ValueError
        If ``preparation.spacing`` is given and `pixel_spacing` is None, or if the result of a
        spacing would be too large.
    """
    height, width = image.shape[:2]
    border = find_border(image) if preparation.crop_border else Box(0, 0, height, width)
    if preparation.size is not None:
        crop, scaled, pad = fitted(border, preparation.size, preparation.fit)
    else:
        crop, scaled, pad = border, _scaled_size(border, preparation, pixel_spacing), _NO_PAD
    transform = Transform(source_size=(height, width), crop=crop, scaled_size=scaled, pad=pad)
    return Plan(border, transform)


def fitted(kept: Box, size: tuple[int, int], fit: str) -> tuple[Box, tuple[int, int], Pad]:
    """Return the part of `kept` that is scaled, the size that it is scaled to, and the padding.

    Fractions of a pixel are rounded, halves up. If an odd number of pixels is padded or cropped,
    the larger half is at the bottom and at the right.
    """
    high, wide = size
    if fit == "pad":
        if kept.width * high <= kept.height * wide:
            scaled = high, min(max(_rounded(kept.width * high, kept.height), 1), wide)
        else:
            scaled = min(max(_rounded(kept.height * wide, kept.width), 1), high), wide
        top, left = (high - scaled[0]) // 2, (wide - scaled[1]) // 2
        pad = Pad(top, high - scaled[0] - top, left, wide - scaled[1] - left)
        return kept, scaled, pad
    if fit == "crop":
        height, width = kept.height, kept.width
        if width * high > height * wide:
            width = min(max(_rounded(height * wide, high), 1), width)
        else:
            height = min(max(_rounded(width * high, wide), 1), height)
        top = kept.top + (kept.height - height) // 2
        left = kept.left + (kept.width - width) // 2
        kept = Box(top, left, height, width)
    return kept, (high, wide), _NO_PAD


def _rounded(number: int, divisor: int) -> int:
    return (2 * number + divisor) // (2 * divisor)


def _scaled_size(
    kept: Box, preparation: Preparation, pixel_spacing: PixelSpacing | None
) -> tuple[int, int]:
    if preparation.long_side is not None:
        scale = preparation.long_side / max(kept.height, kept.width)
        return max(round(kept.height * scale), 1), max(round(kept.width * scale), 1)
    if preparation.spacing is None:
        return kept.height, kept.width
    if pixel_spacing is None:
        raise ValueError(
            "`spacing` is only allowed for images whose pixels have a size in millimetres; got an "
            "image without one. Leave it out, or give a size in pixels."
        )
    high_mm, wide_mm = kept.height * pixel_spacing[0], kept.width * pixel_spacing[1]
    height, width = (max(mm / preparation.spacing, 1) for mm in (high_mm, wide_mm))
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"`spacing` must give at most {MAX_PIXELS} pixels; got {preparation.spacing:g} mm for "
            f"an image of {high_mm:g} x {wide_mm:g} mm."
        )
    return round(height), round(width)
