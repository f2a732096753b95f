"""Cells of CSV files that no spreadsheet takes for a formula, and what they were.

A spreadsheet runs what begins with one of four characters, and names of files and patients may
come from strangers. An apostrophe before it, which spreadsheets take for "text", keeps it one.
"""

from __future__ import annotations

import re

_SUSPECT = frozenset("'=+-@\t\r")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # those that have an apostrophe get another: none is lost
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def harmless(cell: str) -> str:
    """Return `cell` as it is written: text that could be a formula behind an apostrophe."""
    if cell[:1] not in _SUSPECT:  # nearly all cells, millions of them
        return cell
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def original_cell(cell: str) -> str:
    """Return what `harmless` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
