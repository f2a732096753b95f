"""Escaping of CSV cells that a spreadsheet would run as formulas.

Spreadsheets can run a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return.
Names of files and patients may come from untrusted sources. An apostrophe before the cell makes
spreadsheets read the cell as text. Numbers get no apostrophe.
"""

from __future__ import annotations

import re

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
