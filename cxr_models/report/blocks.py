"""The blocks of a page, independent of HTML and Markdown; all text is plain text, never markup."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "verdict", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph."""

    text: str  # sentences
    tone: Tone = "plain"  # a verdict stands out; a note stands back


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first column names its rows."""

    caption: str  # what the table shows
    head: tuple[str, ...]  # names of the columns, the first column included
    rows: tuple[tuple[str, ...], ...]  # as long as `head`
    # for each row and each column but the first, 0..1: how much a cell stands out
    shades: tuple[tuple[float | None, ...], ...] = ()
    notes: tuple[str, ...] = ()  # below the table
    words: bool = False  # whether the cells hold words, not numbers

    def __post_init__(self) -> None:
        if any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"`rows` must have {len(self.head)} cells each, in {self.caption!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a chart."""

    name: str  # empty for a reference line
    points: tuple[tuple[float, float], ...]  # in the order in which the line joins them
    dots: bool = False  # whether each point is marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over two axes."""

    title: str  # what the chart shows
    description: str  # the figures in a sentence
    x_label: str  # of the axis
    y_label: str
    lines: tuple[Line, ...]  # at least one, with at least one point
    x_range: tuple[float, float] = (0.0, 1.0)  # ends of the axes
    y_range: tuple[float, float] = (0.0, 1.0)
    # x, lowest and highest y of a band around the first line; empty for none
    band: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A value and its interval."""

    value: float | None
    interval: tuple[float, float] | None
    text: str = ""  # stands where there is no value


@dataclass(frozen=True, slots=True, kw_only=True)
class DotPlot:
    """Rows of values over one axis, a dot and its interval for each series."""

    title: str  # what the plot shows
    description: str  # the figures in a sentence
    x_label: str  # of the axis
    x_range: tuple[float, float]
    series: tuple[str, ...]  # names; a single series may have an empty name
    rows: tuple[tuple[str, tuple[Dot, ...]], ...]  # names and a dot of each series
    marks: tuple[float | None, ...]  # for each series a value to compare its dots with

    def __post_init__(self) -> None:
        dots = (self.marks, *(dots for _, dots in self.rows))
        if any(len(of_row) != len(self.series) for of_row in dots):
            raise ValueError(f"`rows` must have {len(self.series)} dots each, in {self.title!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """Charts side by side, where there is room."""

    charts: tuple[Chart | DotPlot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image and the lines below it."""

    file: str  # name of the file
    lines: tuple[str, ...]  # text below the image
    alt: str  # description for readers who do not see the image
    image: str | None = None  # data URI; None for a page without the image
    overlay: str | None = None  # data URI of the image with its Grad-CAM map
    overlay_of: str = "the predicted class"  # what the map is for


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures side by side, and a table that replaces them on pages without images."""

    pictures: tuple[Picture, ...]  # in order
    table: Table  # a row for each picture


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourBar:
    """The key to the colours of pictures; pages without images leave it out."""

    image: str  # data URI of the colours, from `low` to `high`
    low: str  # meaning of the colour at the left end
    high: str  # meaning of the colour at the right end


Block = Text | Table | Charts | Gallery | ColourBar


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, and the blocks and sections below the heading."""

    title: str  # the heading
    blocks: tuple[Block, ...] = ()  # in order
    sections: tuple[Section, ...] = ()  # below the blocks
    folded: str = ""  # text that stands for the closed section; empty for an open section


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole report."""

    title: str
    sections: tuple[Section, ...]


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return at most `most` evenly spaced round numbers from `low` to `high`."""
    if not high > low:
        return [low]
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
