"""Where a frame around an image ends: lines that show nothing, looked for from each side.

Two kinds of lines are cut off, row by row and column by column:

1. Dark ones: no pixel is far above the darkest of the image. A black frame, what a collimator's
   blades shade, and air that no detector tells from either.
2. Even ones of any gray, such as the white frame of a scan: all of one level, up to a straight edge
   behind which most of the line has another one.

A line with a letter or with tissue on it is neither, and ends the search at its side. Whatever is
in doubt stays: slanted edges are cut up to their first corner, soft ones not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.preparation.transform import Box

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._types import Image

    Levels = npt.NDArray[np.int64]

_DARK = 0.06  # of the image's range: highest pixel of a dark line above the darkest of the image
_EVEN = 0.02  # of the range: between the lowest and the highest pixel of an even frame
_STEP = 0.10  # of the range: from an even frame to what lies behind its edge
_STEP_SHARE = 0.75  # of the pixels behind an edge must be that far from the frame
_EDGE = 3  # lines that an edge may take, blurred or with a codec's ringing
_LEAST_KEPT = 0.25  # of a side; where less would be left, nothing is cut off along it
_FEWEST_LEVELS = 8  # between the darkest and the brightest pixel; below it all is noise
_MOST_ROUNDS = 4  # frames within frames


def find_border(image: Image) -> Box:
    """Return the part of an image that is left without its border.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C), dtype uint8 or uint16
        0 is black.

    Returns
    -------
    Box
        The whole image where there is no border, or too little would be left.
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
    """Return how many lines at the start and at the end of `lines` show nothing."""
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
    """Tell whether most of a line behind the first `count` ones differs from them."""
    if count + _EDGE > len(lines):
        return False
    behind = lines[count + _EDGE - 1].astype(np.int64)
    level = float(np.median(lines[:count]))
    return bool((np.abs(behind - level) >= _STEP * span).mean() >= _STEP_SHARE)


def _leading(flags: npt.NDArray[np.bool_]) -> int:
    """Count the true values before the first false one."""
    return len(flags) if flags.all() else int(flags.argmin())
