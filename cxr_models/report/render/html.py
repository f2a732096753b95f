"""Rendering of a page as self-contained HTML: it has no script and loads no other file."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

try:
    import jinja2
except ImportError as error:
    raise ImportError(
        'jinja2 is needed for reports. Install it with: pip install "cxr-enhance[models]"'
    ) from error

from cxr_models.report.blocks import Chart, ticks
from cxr_models.report.formatting import clean
from cxr_models.report.images.choices import MOST
from cxr_models.report.images.pictures import Pictures
from cxr_models.report.render.builder import builder
from cxr_models.report.render.dot_plots import drawn_dots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.report.blocks import Page
    from cxr_models.report.read.finding_results import AnyResults

MOST_BYTES = 5_000_000  # limit of the size of a page; a page must be smaller
# number of colours; every second line is dashed, and further lines repeat the colours, all dashed
_SERIES = 6
_WIDTH, _HEIGHT = 400, 300  # size of a chart, in the units of its SVG drawing
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 44


def html_page(runs: Sequence[AnyResults], *, images: bool = True) -> str:
    """Return the page about one run or several runs as HTML.

    If the page would have 5 MB or more, it is built again with fewer images.

    Parameters
    ----------
    runs : sequence of Results or FindingResults
        Results of the runs; at least one. All have classes, or all have findings.
    images : bool, default True
        Whether the page shows small copies of some radiographs.

    Raises
    ------
    ValueError
        If runs with classes and runs with findings are given, or if the page has 5 MB or more
        even without images.
    """
    build = builder(runs)
    pictures = Pictures(MOST if images else 0)
    html = _render(build(pictures), shown=pictures.shown)
    while len(html.encode()) >= MOST_BYTES and pictures.count:
        pictures = pictures.fewer(pictures.count // 2)
        html = _render(build(pictures), shown=pictures.shown, reduced=True)
    if len(html.encode()) >= MOST_BYTES:
        raise ValueError(
            f"`RUN` must be so few runs that the page has less than {MOST_BYTES:,} bytes; got "
            f"{len(runs)}, whose page has {len(html.encode()):,}. Make several pages."
        )
    return html


def _render(page: Page, *, shown: int = 0, reduced: bool = False) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cxr_models.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    numbers = itertools.count(1)
    environment.globals["number"] = lambda: next(numbers)
    environment.globals["drawn"] = _drawn
    environment.globals["drawn_dots"] = drawn_dots
    environment.tests["kind"] = lambda block, name: type(block).__name__ == name
    return environment.get_template("page.html.j2").render(
        page=page, reduced=reduced, shown=shown, most_megabytes=MOST_BYTES / 1_000_000
    )


def _drawn(chart: Chart) -> dict[str, object]:
    """Return the elements of a chart for the template, in the units of its SVG drawing."""

    def place(x: float, y: float) -> tuple[float, float]:
        (left, right), (low, high) = chart.x_range, chart.y_range
        across = (x - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)
        up = (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return round(_LEFT + across, 1), round(_HEIGHT - _BOTTOM - up, 1)

    named = [line for line in chart.lines if line.name]
    integers_only = chart.x_label == "epoch"
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
        "right": _WIDTH - _RIGHT,
        "top": _TOP,
        "bottom": _HEIGHT - _BOTTOM,
        "x_ticks": [
            (place(tick, chart.y_range[0])[0], f"{tick:g}")
            for tick in ticks(*chart.x_range)
            if not integers_only or tick == round(tick)
        ],
        "y_ticks": [
            (place(chart.x_range[0], tick)[1], f"{round(tick, 9):g}")
            for tick in ticks(*chart.y_range)
        ],
        "band": _path(
            [
                *((x, low) for x, low, _ in chart.band),
                *((x, high) for x, _, high in reversed(chart.band)),
            ],
            place,
        ),
        "references": [_path(line.points, place) for line in chart.lines if not line.name],
        "lines": [
            {
                "name": line.name,
                "series": number % _SERIES,
                "dashed": number >= _SERIES or number % 2 == 1,
                "path": _path(line.points, place),
                "dots": [place(*point) for point in line.points] if line.dots else [],
            }
            for number, line in enumerate(named)
        ],
    }


def _path(points: Sequence[tuple[float, float]], place: Any) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in (place(*point) for point in points))
