"""The blocks of a page, before it is HTML or Markdown; all text is plain text, never markup."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "verdict", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph.

    Parameters
    ----------
    text : str
        Sentences.
    tone : {"plain", "verdict", "note"}, default "plain"
        A verdict stands out; a note stands back.
    """

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first column names its rows.

    Parameters
    ----------
    caption : str
        What it shows.
    head : tuple of str
        Names of the columns, that of the first among them.
    rows : tuple of tuple of str
        As long as `head`.
    shades : tuple of tuple of (float or None), default ()
        For each row and each column but the first, 0..1: how much a cell stands out.
    notes : tuple of str, default ()
        Said below.
    words : bool, default False
        Whether the cells hold words, not numbers.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shades: tuple[tuple[float | None, ...], ...] = ()
    notes: tuple[str, ...] = ()
    words: bool = False

    def __post_init__(self) -> None:
        if any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"`rows` must have {len(self.head)} cells each, in {self.caption!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a chart.

    Parameters
    ----------
    name : str
        Empty for a line that is there to compare with.
    points : tuple of (float, float)
        In the order they are joined.
    dots : bool, default False
        Whether each point is marked.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    dots: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over two axes.

    Parameters
    ----------
    title, description : str
        What it shows, for readers who do not see it.
    x_label, y_label : str
        Of the axes.
    lines : tuple of Line
        At least one, with at least one point.
    x_range, y_range : (float, float), default (0, 1)
        Ends of the axes.
    """

    title: str
    description: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """Charts side by side, where there is room."""

    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image and the lines below it.

    Parameters
    ----------
    file : str
        Its name.
    lines : tuple of str
        Text below it.
    alt : str
        Description for readers who do not see it.
    image, overlay : str or None
        Data URIs; None where there is none.
    """

    file: str
    lines: tuple[str, ...]
    alt: str
    image: str | None = None
    overlay: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures side by side, and the same as a table for pages without images.

    Parameters
    ----------
    pictures : tuple of Picture
        In order.
    table : Table
        A row a picture.
    """

    pictures: tuple[Picture, ...]
    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourBar:
    """What the colours of pictures mean; nothing on pages without images.

    Parameters
    ----------
    image : str
        Data URI of the colours, from `low` to `high`.
    low, high : str
        What its ends mean.
    """

    image: str
    low: str
    high: str


Block = Text | Table | Charts | Gallery | ColourBar


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what stands below it.

    Parameters
    ----------
    title : str
        The heading.
    blocks : tuple of Block, default ()
        In order.
    sections : tuple of Section, default ()
        Below those.
    folded : str, default ""
        What to call all of it where it is shown when asked for; empty shows it.
    """

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    folded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole report."""

    title: str
    sections: tuple[Section, ...]


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return round numbers from `low` to `high`, at most `most` of them, evenly spaced."""
    if not high > low:
        return [low]
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
