"""Cells of CSV files: escaping of formulas, and quoting of line breaks.

Spreadsheets can run a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return.
Names of files and patients may come from untrusted sources. An apostrophe before the cell makes
spreadsheets read the cell as text. Numbers get no apostrophe.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

_SUSPECT = frozenset("'=+-@\t\r")
_FORMULA = re.compile(
    r"'*[=+\-@\t\r]"
)  # a formula after apostrophes gets one more apostrophe, so that the original can be restored
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def escape_formula(cell: str) -> str:
    """Return `cell` for a CSV file; text that could be a formula gets an apostrophe before it."""
    if cell[:1] not in _SUSPECT:  # a fast path for nearly all of millions of cells
        return cell
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def original_cell(cell: str) -> str:
    """Undo `escape_formula`: return the original text of `cell`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class CsvWriter:
    """Writer of CSV rows that end with a newline; cells with line breaks of any kind are quoted.

    `csv.writer` quotes a carriage return only if the rows end with one (Python 3.11), and readers
    take a carriage return without quotes as the end of a row.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._rows = csv.writer(self, lineterminator="\r\n")

    def write(self, row: str) -> None:
        """Write the text of a row, as `csv.writer` gives it."""
        self._file.write(row.removesuffix("\r\n") + "\n")

    def writerow(self, cells: Iterable[object]) -> None:
        """Write one row."""
        self._rows.writerow(cells)

    def writerows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write several rows."""
        self._rows.writerows(rows)
