"""Cells of CSV files that no spreadsheet takes for a formula, and the original cells.

A spreadsheet runs a cell that begins with one of four characters, and names of files and patients
may come from strangers. An apostrophe before the cell makes spreadsheets read it as text.
"""

from __future__ import annotations

import re

_SUSPECT = frozenset("'=+-@\t\r")
_FORMULA = re.compile(
    r"'*[=+\-@\t\r]"
)  # a cell with an apostrophe gets another, so that none is lost
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def harmless(cell: str) -> str:
    """Return `cell` as it is written: an apostrophe precedes text that could be a formula."""
    if cell[:1] not in _SUSPECT:  # nearly all cells, millions of them
        return cell
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def original_cell(cell: str) -> str:
    """Return the cell of which `harmless` made `cell`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
