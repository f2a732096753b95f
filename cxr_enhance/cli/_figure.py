"""Pictures of images before and after enhancement: with histograms, or as a contact sheet."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cxr_enhance.tuner.shown import full_scale, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cxr_enhance._types import Image

_MAX_SHOWN_PIXELS = 1200  # most pixels of a side that are drawn; the picture resolves fewer
_MAX_COLUMNS, _PANEL_INCHES, _MAX_TITLE = 6, 2.6, 28
_GRAY, _ACCENT = "#555555", "#1f6f8b"


class Panel(NamedTuple):
    """An image of a contact sheet, its title above, and its caption below."""

    image: Image
    title: str
    caption: str


def draw_before_after(before: Image, after: Image, *, title: str, caption: str = "") -> bytes:
    """Draw `before` and `after` above their histograms, and return the picture as PNG.

    `caption` is written under `after`.
    """
    figure = Figure(figsize=(11, 8.2), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(_plain(title), fontsize=13)
    axes = figure.subplots(2, 2, height_ratios=(3.4, 1))
    for column, (name, image) in enumerate((("before", before), ("after", after))):
        _show(axes[0, column], image, f"{name}  ({_size(image)})")
        _show_histogram(axes[1, column], image)
    _write_under(axes[0, 1], caption)
    return _png(figure)


def draw_sheet(rows: Sequence[Sequence[Panel]]) -> bytes:
    """Draw the panels of each image side by side, and return the picture as PNG.

    The panels of each image begin a new line, which has at most 6 panels.
    """
    columns = min(max(map(len, rows)), _MAX_COLUMNS)
    lines = [row[i : i + columns] for row in rows for i in range(0, len(row), columns)]
    tallest = max(panel.image.shape[0] / panel.image.shape[1] for row in rows for panel in row)
    captions = max(panel.caption.count("\n") + 1 for row in rows for panel in row)
    height = _PANEL_INCHES * min(max(tallest, 0.3), 2) + 0.17 * captions + 0.6
    figure = Figure(
        figsize=(_PANEL_INCHES * columns, height * len(lines)), dpi=110, layout="constrained",
        facecolor="white",
    )  # fmt: skip
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(lines), columns, squeeze=False)
    for line, line_axes in zip(lines, axes, strict=True):
        for place in line_axes:
            place.set_axis_off()
        for panel, place in zip(line, line_axes, strict=False):
            title = f"{_short(panel.title)}\n{_size(panel.image)}" if panel.title else ""
            _show(place, panel.image, _plain(title), size=9)
            _write_under(place, panel.caption)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # Titles are file names and may contain any script. A missing glyph is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(drawn, format="png")
    return drawn.getvalue()


def _plain(text: str) -> str:
    """Escape dollar signs, because matplotlib parses text between them as a formula."""
    return text.replace("$", r"\$")


def _short(title: str) -> str:
    """Return the title; the middle of a title that is too long is left out."""
    half = _MAX_TITLE // 2
    return title if len(title) <= _MAX_TITLE else f"{title[:half]}...{title[-half:]}"


def _size(image: Image) -> str:
    height, width = image.shape[:2]
    return f"{width} x {height}, {image.dtype}"


def _write_under(axes: Axes, caption: str) -> None:
    if caption:
        axes.text(
            0.5, -0.02, _plain(caption), transform=axes.transAxes, ha="center", va="top",
            fontsize=8, color=_GRAY,
        )  # fmt: skip


def _show(axes: Axes, image: Image, title: str, *, size: int = 11) -> None:
    step = -(-max(image.shape[:2]) // _MAX_SHOWN_PIXELS)
    axes.imshow(shown(image[::step, ::step], full_scale(image)), cmap="gray", vmin=0, vmax=255)
    axes.set_title(title, fontsize=size)
    axes.set_axis_off()


def _show_histogram(axes: Axes, image: Image) -> None:
    full = full_scale(image)
    counts = np.bincount((image.astype(np.int64) * 256 // (full + 1)).ravel(), minlength=256)
    shares = counts / counts.sum() * 100
    edges = np.linspace(0, full + 1, 257)
    axes.stairs(shares, edges, fill=True, color=_ACCENT)
    # The axis limit ignores the three largest bins, because the bin of a black border would make
    # all other bins too small to see.
    axes.set_ylim(0, max(np.partition(shares, -4)[-4] * 1.25, 0.5))
    axes.set_xlim(0, full + 1)
    axes.set_xlabel("gray level", fontsize=9, color=_GRAY)
    axes.set_ylabel("% of pixels", fontsize=9, color=_GRAY)
    axes.tick_params(labelsize=8, colors=_GRAY)
    axes.spines[["top", "right"]].set_visible(False)
