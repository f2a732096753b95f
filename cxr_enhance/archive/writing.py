"""Find writing burned into an image near its border, such as a name and a date.

The rule is conservative: writing is a row of at least five bright shapes of equal height. Single
markers such as L and R do not count. Writing that is gray, handwritten, or in the middle of the
image is not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._types import Image

_LONG_SIDE = 1000  # pixels of the reduced image; its number of shapes fits labels of 16 bits
_BORDER = 0.2  # height of the upper and of the lower band, as a share of the image's height
_BRIGHT = 0.75  # least value of a letter, as a share of the greatest value
_DARK = 0.6  # greatest median around letters, as a share of the greatest value
_LETTERS = 5  # least number of letters in a line
_HEIGHTS = (5, 40)  # least and greatest height of a letter, in pixels of the reduced image
_MAX_SHAPES = 2000  # shapes in a band; more of them are noise

_LEFT, _TOP, _WIDTH, _HEIGHT, _AREA = range(5)  # columns of OpenCV's statistics


def holds_writing(gray: Image) -> bool:
    """Return whether a line of bright letters lies near the upper or lower border.

    Parameters
    ----------
    gray : ndarray of shape (H, W), dtype uint8 or uint16
        The image.
    """
    rows = max(int(gray.shape[0] * _BORDER), 1)
    white = int(gray.max())
    return any(_holds_line(band, white) for band in (gray[:rows], gray[-rows:]))


def _holds_line(band: Image, white: int) -> bool:
    cv2 = load_cv2()
    step = -(-max(band.shape[1], int(band.shape[0] / _BORDER)) // _LONG_SIDE)
    _, bright = cv2.threshold(band, int(_BRIGHT * white), 255, cv2.THRESH_BINARY)
    bright = bright.astype(
        np.uint8, copy=False
    )  # 0 and 255 fit uint8 also where the band is uint16
    if step > 1:  # a block becomes bright if any of its pixels is, so that thin strokes stay
        bright = cv2.dilate(bright, np.ones((step, step), np.uint8))[::step, ::step].copy()
    count, _, statistics, _ = cv2.connectedComponentsWithStats(
        bright, connectivity=8, ltype=cv2.CV_16U
    )
    if count - 1 < _LETTERS or count > _MAX_SHAPES:
        return False
    lines = _lines(_letters(statistics[1:]))
    return any(_is_on_dark(band[::step, ::step], line, white) for line in lines)


def _letters(shapes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Keep the shapes whose size and filled share are those of a letter."""
    width, height, area = shapes[:, _WIDTH], shapes[:, _HEIGHT], shapes[:, _AREA]
    filling = area / (width * height)
    is_stroke = (width <= 0.35 * height) & (filling > 0.5)  # I, l, 1
    is_letter = (width > 0.25 * height) & (width <= 1.4 * height) & (filling > 0.15)
    is_letter &= filling < 0.9
    in_size = (height >= _HEIGHTS[0]) & (height <= _HEIGHTS[1])
    kept: npt.NDArray[np.int32] = shapes[in_size & (is_stroke | is_letter)]
    return kept


def _lines(letters: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int32]]:
    """Find lines: letters of equal height on one baseline, close to each other."""
    lines = []
    left = letters[np.argsort(letters[:, _LEFT])]
    while len(left) >= _LETTERS:
        line = [left[0]]
        rest: list[npt.NDArray[np.int32]] = []
        for shape in left[1:]:
            (line if _continues(line[-1], shape) else rest).append(shape)
        if len(line) >= _LETTERS and not _is_comb(line):
            lines.append(np.array(line))
        left = np.array(rest, np.int32).reshape(-1, letters.shape[1])
    return lines


def _continues(last: npt.NDArray[np.int32], shape: npt.NDArray[np.int32]) -> bool:
    height = max(last[_HEIGHT], shape[_HEIGHT])
    gap = shape[_LEFT] - last[_LEFT] - last[_WIDTH]
    base = (last[_TOP] + last[_HEIGHT]) - (shape[_TOP] + shape[_HEIGHT])
    return bool(
        min(last[_HEIGHT], shape[_HEIGHT]) >= 0.65 * height
        and abs(base) <= max(0.2 * height, 1)
        and -0.2 * height <= gap <= 1.5 * height
    )


def _is_comb(line: list[npt.NDArray[np.int32]]) -> bool:
    """Return whether a line is a ruler or a grid: all its shapes are alike, as letters are not."""
    widths = np.array([shape[_WIDTH] for shape in line])
    areas = np.array([shape[_AREA] for shape in line])
    return bool(np.ptp(widths) <= 1 and np.ptp(areas) <= 0.15 * areas.max())


def _is_on_dark(band: Image, line: npt.NDArray[np.int32], white: int) -> bool:
    top, left = line[:, _TOP].min(), line[:, _LEFT].min()
    bottom = (line[:, _TOP] + line[:, _HEIGHT]).max()
    right = (line[:, _LEFT] + line[:, _WIDTH]).max()
    box = band[top:bottom, left:right]
    ground = box[box <= _BRIGHT * white]
    return bool(ground.size > 0.3 * box.size and np.median(ground) <= _DARK * white)
