"""Escaping of CSV cells that a spreadsheet would run as formulas, and writing of CSV lines.

Spreadsheets can run a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return.
Names of files and patients may come from untrusted sources. An apostrophe before the cell makes
spreadsheets read the cell as text. Numbers get no apostrophe.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUSPECT = frozenset("'=+-@\t\r")
_FORMULA = re.compile(
    r"'*[=+\-@\t\r]"
)  # a formula after apostrophes gets one more apostrophe, so that the original can be restored
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class TextFile(Protocol):
    """A file that takes text."""

    def write(self, text: str, /) -> object:
        """Write text."""


class RowWriter(Protocol):
    """A writer of rows of cells, such as `csv.writer` returns."""

    def writerow(self, row: Iterable[object], /) -> object:
        """Write one row."""

    def writerows(self, rows: Iterable[Iterable[object]], /) -> object:
        """Write several rows."""


def csv_writer(file: TextFile) -> RowWriter:
    r"""Return a writer of CSV lines that end with a line feed.

    A cell with a carriage return is quoted, because readers take a carriage return for the end of
    a line. `csv.writer` quotes the characters of its line terminator only, so that it must have
    the terminator ``\r\n``; the carriage return after each row is removed.
    """
    return csv.writer(_WithLineFeeds(file), lineterminator="\r\n")


class _WithLineFeeds:
    """A file that replaces the end of each row, a carriage return and a line feed, by the latter.

    `csv.writer` writes each row by one call.
    """

    def __init__(self, file: TextFile) -> None:
        self._file = file

    def write(self, row: str, /) -> object:
        return self._file.write(row.removesuffix("\r\n") + "\n")


def escape_formula(cell: str) -> str:
    """Return `cell` for a CSV file; text that could be a formula gets an apostrophe before it."""
    if cell[:1] not in _SUSPECT:  # a fast path for nearly all of millions of cells
        return cell
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def original_cell(cell: str) -> str:
    """Undo `escape_formula`: return the original text of `cell`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
