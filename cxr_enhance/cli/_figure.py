"""The before and after picture: two images above their histograms."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxr_enhance._types import Image

_MAX_SHOWN_PIXELS = 1200  # a side; more than the picture can resolve
_GRAY, _ACCENT = "#555555", "#1f6f8b"


def draw_before_after(before: Image, after: Image, *, title: str) -> bytes:
    """Draw `before` and `after` above their histograms; return the picture as PNG."""
    figure = Figure(figsize=(11, 8.2), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    axes = figure.subplots(2, 2, height_ratios=(3.4, 1))
    for column, (name, image) in enumerate((("before", before), ("after", after))):
        _show(axes[0, column], image, name)
        _show_histogram(axes[1, column], image)
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # The title is a file's name, in whatever script; a missing glyph is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(drawn, format="png")
    return drawn.getvalue()


def _show(axes: Axes, image: Image, name: str) -> None:
    step = -(-max(image.shape[:2]) // _MAX_SHOWN_PIXELS)
    shown = image[::step, ::step].astype(np.int64) * 255 // _full_scale(image)
    axes.imshow(shown.astype(np.uint8), cmap="gray", vmin=0, vmax=255)
    height, width = image.shape[:2]
    axes.set_title(f"{name}  ({width} x {height}, {image.dtype})", fontsize=11)
    axes.set_axis_off()


def _show_histogram(axes: Axes, image: Image) -> None:
    full = _full_scale(image)
    counts = np.bincount((image.astype(np.int64) * 256 // (full + 1)).ravel(), minlength=256)
    shares = counts / counts.sum() * 100
    edges = np.linspace(0, full + 1, 257)
    axes.stairs(shares, edges, fill=True, color=_ACCENT)
    # One full bin, such as a black border, would flatten all others.
    axes.set_ylim(0, max(np.partition(shares, -4)[-4] * 1.25, 0.5))
    axes.set_xlim(0, full + 1)
    axes.set_xlabel("gray level", fontsize=9, color=_GRAY)
    axes.set_ylabel("% of pixels", fontsize=9, color=_GRAY)
    axes.tick_params(labelsize=8, colors=_GRAY)
    axes.spines[["top", "right"]].set_visible(False)


def _full_scale(image: Image) -> int:
    """White of the display: 255, or for uint16 the least 2**n - 1 that holds the image."""
    return 255 if image.dtype == np.uint8 else int(2 ** max(int(image.max()).bit_length(), 8) - 1)
