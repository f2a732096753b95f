"""Find the border of an image: rows and columns without content, searched from each side.

Two kinds of lines (rows or columns) belong to the border:

1. Dark lines: no pixel is much brighter than the darkest pixel of the image. Examples are a black
   frame, the area that a collimator's blades shade, and air that looks the same on the detector.
2. Uniform lines of any gray, such as the white frame of a scan: all pixels have about one level. A
   straight edge must follow, behind which most pixels of a line have another level.

A line with a letter or with tissue is of neither kind and ends the search at its side. In doubt, a
line is kept. A slanted edge is cropped up to its first corner; a blurred edge is not cropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.preparation.transform import Box

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._types import Image

    Levels = npt.NDArray[np.int64]

# Fractions of the range between the darkest and the brightest pixel of the image:
_DARK = 0.06  # a pixel of a dark line is at most this much above the darkest pixel of the image
_EVEN = 0.02  # largest difference between two pixels of a uniform frame
_STEP = 0.10  # least difference between a uniform frame and a pixel behind its edge
_STEP_SHARE = 0.75  # fraction of the pixels behind an edge that must have this difference
_EDGE = 3  # largest width of an edge in lines, if it is blurred or shows a codec's ringing
_LEAST_KEPT = 0.25  # fraction of a side; if less would be left, this axis is not cropped
_FEWEST_LEVELS = 8  # least range of an image in gray levels; an image below it is only noise
_MOST_ROUNDS = 4  # largest number of frames inside each other


def find_border(image: Image) -> Box:
    """Return the part of an image inside its border.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C), dtype uint8 or uint16
        The image; 0 is black.

    Returns
    -------
    Box
        The part inside the border. It is the whole image if there is no border. An axis along which
        less than a quarter would be left is not cropped.
    """
    height, width = image.shape[:2]
    kept = Box(0, 0, height, width)
    darkest, span = int(image.min()), int(np.ptp(image))
    if span < _FEWEST_LEVELS:
        return kept
    for _ in range(_MOST_ROUNDS):
        before = kept
        top, bottom = _ends(kept.of(image), darkest, span)
        kept = kept._replace(top=kept.top + top, height=kept.height - top - bottom)
        left, right = _ends(np.swapaxes(kept.of(image), 0, 1), darkest, span)
        kept = kept._replace(left=kept.left + left, width=kept.width - left - right)
        if kept == before:
            break
    if kept.height < _LEAST_KEPT * height:
        kept = kept._replace(top=0, height=height)
    if kept.width < _LEAST_KEPT * width:
        kept = kept._replace(left=0, width=width)
    return kept


def _ends(lines: Image, darkest: int, span: int) -> tuple[int, int]:
    """Count the border lines at the start and at the end of `lines`."""
    axes = tuple(range(1, lines.ndim))
    low = lines.min(axis=axes).astype(np.int64)
    high = lines.max(axis=axes).astype(np.int64)
    start = _start(lines, low, high, darkest, span)
    end = _start(lines[::-1], low[::-1], high[::-1], darkest, span)
    return (start, end) if start + end < len(lines) else (0, 0)


def _start(lines: Image, low: Levels, high: Levels, darkest: int, span: int) -> int:
    dark = _leading(high <= darkest + _DARK * span)
    even = _leading(np.maximum.accumulate(high) - np.minimum.accumulate(low) <= _EVEN * span)
    if even > dark and _has_edge(lines, even, span):
        return even
    return dark


def _has_edge(lines: Image, count: int, span: int) -> bool:
    """Return whether most pixels of a line behind the first `count` lines differ from them."""
    if count + _EDGE > len(lines):
        return False
    behind = lines[count + _EDGE - 1].astype(np.int64)
    level = float(np.median(lines[:count]))
    return bool((np.abs(behind - level) >= _STEP * span).mean() >= _STEP_SHARE)


def _leading(flags: npt.NDArray[np.bool_]) -> int:
    """Count the true values before the first false value."""
    return len(flags) if flags.all() else int(flags.argmin())
