"""A picture that explains itself: a caption, the plain image, the map over it, and a colour bar.

Arrays and text alone; knows no file and no run.
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

_SMALLEST = 256  # pixels of the longer side of an image; smaller ones are enlarged
_GAP, _STRIP = 8, 26  # pixels: between parts, of a line of text
_BAR, _SCALE = 14, 64  # pixels: of the bar, of the words beside it
_CUT = "\N{HORIZONTAL ELLIPSIS}"
_BACK, _INK = "#16181b", "#e8eaed"
_DPI, _POINTS, _NARROWEST = 100, 9, 3  # of text; the last, pixels of a letter


def panel(image: Images, heat: Floats, caption: str) -> Images:
    """Put an image, its map laid over it and the meaning of the colours side by side.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8
        Gray or RGB.
    heat : ndarray of shape (h, w), dtype float32
        Values 0..1, stretched over the image.
    caption : str
        Stands above, shortened to what there is room for.

    Returns
    -------
    ndarray of shape (H', W', 3), dtype uint8
        RGB. Images of less than 256 pixels are enlarged by a whole number.

    Raises
    ------
    TypeError, ValueError
        As `cxr_models._heat.overlay`.
    """
    plain = enlarged(image)
    height = len(plain)
    both = [plain, _blank(height, _GAP), overlay(plain, heat), _blank(height, _GAP), _bar(height)]
    row = np.concatenate(both, axis=1)
    framed = cv2.copyMakeBorder(row, 0, _GAP, _GAP, 0, cv2.BORDER_CONSTANT, value=_colour(_BACK))
    line = written(caption, framed.shape[1], _STRIP)
    return np.concatenate([line, framed]).astype(np.uint8)


def enlarged(image: Images) -> Images:
    """Return an image as RGB, enlarged by a whole number where it is small."""
    height, width = image.shape[:2]
    rgb = np.broadcast_to(image.reshape(height, width, -1), (height, width, 3))
    scale = max(1, _SMALLEST // max(height, width))
    return np.repeat(np.repeat(rgb, scale, axis=0), scale, axis=1)


def written(text: str, width: int, height: int) -> Images:
    """Write one line of text, in any script that the font has, shortened to the width.

    Parameters
    ----------
    text : str
        The line.
    width, height : int
        Size of the result in pixels.

    Returns
    -------
    ndarray of shape (H, W, 3), dtype uint8
        RGB.
    """
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=_BACK)
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib's has methods without types
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
        # A label may be in whatever script; a missing glyph is drawn as a box.
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
    """Return the bar, hottest at the top, and what its ends mean."""
    bar = np.rot90(colour_bar(_BAR, height))
    scale = _blank(height, _SCALE)
    for text, top in (("most", 0), ("none", height - _STRIP)):
        scale[top : top + _STRIP] = written(text, _SCALE, _STRIP)
    return np.concatenate([bar, scale], axis=1)


def _blank(height: int, width: int) -> Images:
    return np.full((height, width, 3), _colour(_BACK), np.uint8)


def _colour(code: str) -> tuple[int, int, int]:
    red, green, blue = (int(code[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue
