"""Layout of a dot plot in the units of its SVG drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.report.blocks import Dot, ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_models.report.blocks import DotPlot

# number of colours; every second series is dashed, and further series repeat the colours, all
# dashed
_SERIES = 6
_WIDTH = 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 12, 14, 4, 44
_NAME, _LINE, _PADDING = 19, 15, 6  # heights of a row's name, of a dot, and of the space below
_LONGEST = 52  # number of characters of a text that fit into the plot


def drawn_dots(plot: DotPlot) -> dict[str, object]:
    """Return the elements of a dot plot for the template, in the units of its SVG drawing."""
    low, high = plot.x_range

    def place(x: float) -> float:
        inside = min(max(x, low), high)
        return round(_LEFT + (inside - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT), 1)

    rows, top = [], float(_TOP)
    for name, dots in plot.rows:
        start = top + _NAME
        rows.append(
            {
                "name": _truncate(name),
                "name_y": top + 14,
                "dots": [
                    _dot(dot, mark, number, start + (number + 0.5) * _LINE, place)
                    for number, (dot, mark) in enumerate(zip(dots, plot.marks, strict=True))
                ],
                "end": start + len(dots) * _LINE + _PADDING,
            }
        )
        top = start + len(dots) * _LINE + _PADDING
    return {
        "width": _WIDTH,
        "height": top + _BOTTOM,
        "left": _LEFT,
        "right": _WIDTH - _RIGHT,
        "top": _TOP,
        "bottom": top,
        "x_ticks": [(place(tick), f"{round(tick, 9):g}") for tick in ticks(*plot.x_range)],
        "rows": rows,
        "legend": [
            {"name": name, **_style(number)} for number, name in enumerate(plot.series) if name
        ],
    }


def _dot(
    dot: Dot, mark: float | None, number: int, y: float, place: Callable[[float], float]
) -> dict[str, object]:
    interval = dot.interval
    marked = mark is not None and dot.value is not None
    return {
        **_style(number),
        "x": None if dot.value is None else place(dot.value),
        "y": y,
        "interval": f"{place(interval[0]):g},{y:g} {place(interval[1]):g},{y:g}"
        if interval
        else "",
        "mark": f"{place(mark):g},{y - 7:g} {place(mark):g},{y + 7:g}"
        if mark is not None and marked
        else "",
        "text": _truncate(dot.text),
    }


def _style(number: int) -> dict[str, object]:
    return {"series": number % _SERIES, "dashed": number >= _SERIES or number % 2 == 1}


def _truncate(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
