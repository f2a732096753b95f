"""Cells of CSV files that a spreadsheet would run as formulas: an apostrophe makes them text."""

from __future__ import annotations

import os

_BEGINNINGS = tuple("'=+-@\t\r")


def escaped_cell(cell: object) -> str:
    """Return the text of a cell, behind an apostrophe if it begins as a formula or with one."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_BEGINNINGS) else text


def name_in_cell(cell: str, root: str = "") -> str:
    """Return the name of a file that `escaped_cell` or cxr-models may have put into a cell.

    The apostrophe is removed, unless only the name with the apostrophe is that of a file. Such a
    cell comes from another program.

    Parameters
    ----------
    cell : str
        The cell.
    root : str
        Folder to which the name is relative.
    """
    name = cell.removeprefix("'")
    if name == cell or not name.startswith(_BEGINNINGS):
        return cell
    is_only_cell = not _exists(root, name) and _exists(root, cell)
    return cell if is_only_cell else name


def _exists(root: str, name: str) -> bool:
    return "\0" not in name and os.path.lexists(os.path.join(root, name))
