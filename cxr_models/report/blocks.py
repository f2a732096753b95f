"""The blocks of a page, independent of HTML and Markdown; all text is plain text, never markup."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "verdict", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph."""

    text: str  # one or more sentences
    tone: Tone = "plain"  # "verdict" is emphasized, "note" is less prominent than plain text


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first column names its rows."""

    caption: str  # what the table shows
    head: tuple[str, ...]  # names of all columns
    rows: tuple[tuple[str, ...], ...]  # cells of each row, as many as `head`
    # strength of the background colour of each cell, 0..1, or None for a cell without colour; a
    # tuple for each row, without the first column; empty for a table without colours
    shades: tuple[tuple[float | None, ...], ...] = ()
    notes: tuple[str, ...] = ()  # sentences below the table
    words: bool = False  # whether the cells contain words, not numbers

    def __post_init__(self) -> None:
        if any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"`rows` must have {len(self.head)} cells each, in {self.caption!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a chart."""

    name: str  # empty for a reference line
    points: tuple[tuple[float, float], ...]  # x and y, in the order in which they are joined
    dots: bool = False  # whether each point is marked with a dot


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of lines with two axes."""

    title: str  # what the chart shows
    description: str  # the values of the chart in a sentence
    x_label: str  # label of the x axis
    y_label: str  # label of the y axis
    lines: tuple[Line, ...]  # in the order of the legend; a line may have no points
    x_range: tuple[float, float] = (0.0, 1.0)  # lowest and highest value of the x axis
    y_range: tuple[float, float] = (0.0, 1.0)  # lowest and highest value of the y axis
    # x, lowest y and highest y of a band around the first line; empty for no band
    band: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A value and its interval in a dot plot."""

    value: float | None
    interval: tuple[float, float] | None
    text: str = ""  # text that is shown if there is no value


@dataclass(frozen=True, slots=True, kw_only=True)
class DotPlot:
    """A plot of rows with one axis; each row has a dot with an interval for each series."""

    title: str  # what the plot shows
    description: str  # the values of the plot in a sentence
    x_label: str  # label of the axis
    x_range: tuple[float, float]  # lowest and highest value of the axis
    series: tuple[str, ...]  # names of the series; a single series may have an empty name
    rows: tuple[tuple[str, tuple[Dot, ...]], ...]  # name of each row, and its dot of each series
    marks: tuple[float | None, ...]  # reference of each series, marked where a row has a value

    def __post_init__(self) -> None:
        dots = (self.marks, *(dots for _, dots in self.rows))
        if any(len(of_row) != len(self.series) for of_row in dots):
            raise ValueError(f"`rows` must have {len(self.series)} dots each, in {self.title!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """Charts that are shown side by side if there is room."""

    charts: tuple[Chart | DotPlot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image and the lines below it."""

    file: str  # name of the file
    lines: tuple[str, ...]  # text below the image
    alt: str  # description for readers who do not see the image
    image: str | None = None  # data URI; None if the image is not shown
    overlay: str | None = None  # data URI of the image with its Grad-CAM map; None without a map
    overlay_of: str = "the predicted class"  # the class or finding of the map


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures side by side, and a table that replaces them if no picture has an image."""

    pictures: tuple[Picture, ...]  # in order
    table: Table  # a row for each picture


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourBar:
    """The key to the colours of pictures; Markdown leaves it out."""

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
    folded: str = ""  # text of a section that HTML shows closed at first; empty for an open one


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
