"""Rendering of a page as Markdown, with the tables and values of the HTML page, without images.

A list of titles and descriptions stands for charts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cxr_models.report.blocks import Charts, Gallery, Section, Table, Text
from cxr_models.report.formatting import clean
from cxr_models.report.images.pictures import Pictures
from cxr_models.report.render.builder import builder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxr_models.report.blocks import Block
    from cxr_models.report.read.finding_results import AnyResults

_MARKUP = re.compile(r"([\\`*_\[\]|#~$])")
# characters that start a list, or turn the line above into a heading
_AT_START = re.compile(r"^(\d*)([-+=.)])")
_LINK = re.compile(r"://|www\.|@")  # text that Markdown turns into a link
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def markdown_page(runs: Sequence[AnyResults]) -> str:
    """Return the page about one run or several runs as Markdown.

    Parameters
    ----------
    runs : sequence of Results or FindingResults
        Results of the runs; at least one. All have classes, or all have findings.

    Raises
    ------
    ValueError
        If runs with classes and runs with findings are given.
    """
    page = builder(runs)(Pictures(0))
    lines = [f"# {plain(page.title)}", ""]
    for section in page.sections:
        lines += _section(section, 2)
    return "\n".join(lines).rstrip() + "\n"


def plain(text: str) -> str:
    """Escape text so that Markdown shows the characters of markup and HTML literally.

    White space around the text is removed. Characters that cannot be printed are replaced.
    """
    text = _MARKUP.sub(r"\\\1", clean(text).strip())
    text = _LINK.sub(lambda match: re.sub(r"([:.@])", r"\\\1", match[0]), text)
    return "".join(_HTML.get(letter, letter) for letter in text)


def _line(text: str) -> str:
    """Escape a paragraph whose first characters would start a list or a heading."""
    return _AT_START.sub(r"\1\\\2", plain(text))


def _section(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * level} {plain(section.title)}"
    yield ""
    for block in section.blocks:
        yield from _block(block)
        yield ""
    for subsection in section.sections:
        yield from _section(subsection, level + 1)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Text):
        verdict = block.tone == "verdict"
        yield f"> **{plain(block.text)}**" if verdict else _line(block.text)
    elif isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Gallery):
        yield from _table(block.table)
    elif isinstance(block, Charts):
        for chart in block.charts:
            yield f"- {plain(chart.title)}. {plain(chart.description)}"


def _table(table: Table) -> Iterator[str]:
    yield f"{_line(table.caption)}:"
    yield ""
    yield _row(table.head)
    alignment = "---" if table.words else "---:"  # alignment of all columns after the first
    yield "|".join(("", "---", *[alignment] * (len(table.head) - 1), ""))
    for row in table.rows:
        yield _row(row)
    for note in table.notes:
        yield ""
        yield _line(note)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(plain, cells))} |"
