"""Pictures with a caption, the plain image, the image with its map, and a colour bar.

This module uses arrays and text; it uses neither files nor runs.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cxr_models._heat import colour_bar, overlay

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.text import Text

    Floats = npt.NDArray[np.float32]
    Images = npt.NDArray[np.uint8]

_SMALLEST = 256  # images whose longer side has fewer pixels are enlarged up to this length
_GAP, _STRIP = 8, 26  # pixels: gap between parts, height of a line of text
_BAR, _SCALE = 14, 64  # pixels: width of the colour bar, width of its labels
_CUT = "\N{HORIZONTAL ELLIPSIS}"
_BACK, _INK = "#16181b", "#e8eaed"
_DPI, _POINTS, _NARROWEST = 100, 9, 3  # text: resolution, size, smallest width of a letter (pixels)


def panel(image: Images, heat: Floats, caption: str) -> Images:
    """Return a picture with an image, the image with its map, and a colour bar side by side.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8
        Gray or RGB image.
    heat : ndarray of shape (h, w), dtype float32
        Map with values 0..1, stretched over the image.
    caption : str
        Text above the image, shortened to the width of the picture.

    Returns
    -------
    ndarray of shape (H', W', 3), dtype uint8
        RGB picture. An image whose longer side has at most 128 pixels is enlarged by an integer
        factor. Below an image that is lower than the colour bar there is background.

    Raises
    ------
    TypeError
        If `cxr_models._heat.overlay` rejects the type of an argument.
    ValueError
        If `cxr_models._heat.overlay` rejects the shape or the values of an argument.
    """
    plain = enlarged(image)
    height = max(len(plain), 2 * _STRIP)  # the bar has two labels, one above the other
    gap = _blank(height, _GAP)
    parts = [_tall(plain, height), gap, _tall(overlay(plain, heat), height), gap, _bar(height)]
    row = np.concatenate(parts, axis=1)
    framed = cv2.copyMakeBorder(row, 0, _GAP, _GAP, 0, cv2.BORDER_CONSTANT, value=_colour(_BACK))
    line = written(caption, framed.shape[1], _STRIP)
    return np.concatenate([line, framed]).astype(np.uint8)


def enlarged(image: Images) -> Images:
    """Return an image as RGB, enlarged by an integer factor if it is small.

    The factor is the largest with which the longer side has at most 256 pixels; it is at least 1.
    """
    height, width = image.shape[:2]
    rgb = np.broadcast_to(image.reshape(height, width, -1), (height, width, 3))
    scale = max(1, _SMALLEST // max(height, width))
    return np.repeat(np.repeat(rgb, scale, axis=0), scale, axis=1)


def written(text: str, width: int, height: int) -> Images:
    """Return a picture of one line of text, shortened to the width of the picture.

    Parameters
    ----------
    text : str
        The line, in any script that the font supports.
    width, height : int
        Size of the result, in pixels.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8
        RGB picture.
    """
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=_BACK)
    canvas: Any = FigureCanvasAgg(figure)  # Any, because matplotlib has methods without types
    line = figure.text(
        _GAP / width,
        0.5,
        text[: width // _NARROWEST],
        color=_INK,
        fontsize=_POINTS,
        verticalalignment="center",
        parse_math=False,
    )
    with warnings.catch_warnings():
        # A label may be in any script; a missing glyph is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        while len(text) > 1 and _width_of(line, canvas) > width - 2 * _GAP:
            text = line.get_text().removesuffix(_CUT)[:-1]
            line.set_text(text + _CUT)
        canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :3]
    sized: Images = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_NEAREST)
    return sized


def _width_of(line: Text, canvas: Any) -> float:
    return line.get_window_extent(canvas.get_renderer()).width


@functools.cache
def _bar(height: int) -> Images:
    """Return the colour bar, with the highest value at the top, and labels at its ends."""
    bar = np.rot90(colour_bar(_BAR, height))
    scale = _blank(height, _SCALE)
    for text, top in (("most", 0), ("none", height - _STRIP)):
        scale[top : top + _STRIP] = written(text, _SCALE, _STRIP)
    return np.concatenate([bar, scale], axis=1)


def _tall(image: Images, height: int) -> Images:
    """Return an image with background below it, up to `height`."""
    return np.concatenate([image, _blank(height - len(image), image.shape[1])])


def _blank(height: int, width: int) -> Images:
    return np.full((height, width, 3), _colour(_BACK), np.uint8)


def _colour(code: str) -> tuple[int, int, int]:
    red, green, blue = (int(code[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue
