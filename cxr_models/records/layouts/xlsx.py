"""The first sheet of an Excel workbook as rows of text; no formulas, dates or styles."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from pathlib import Path

# Of a sheet's XML, which takes up to twenty times as much memory; those of sets have some millions.
_MAX_BYTES = 1 << 25
_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_xlsx(path: Path) -> list[list[str]]:
    """Read the first sheet of a workbook.

    Parameters
    ----------
    path : Path
        A file in the form that Excel has written since 2007.

    Returns
    -------
    list of list of str
        Rows; cells that are left out are empty.

    Raises
    ------
    ValueError
        If the file is no such workbook, or its sheet is too large.
    OSError
        If it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as book:
            names = set(book.namelist())
            shared = _texts(book) if "xl/sharedStrings.xml" in names else []
            sheet = min(
                name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)
            )
            rows = _parsed(book, sheet).iter(f"{_SPACE}row")
            return [_cells(row, shared) for row in rows]
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"`{path.name}` must be a workbook of Excel (.xlsx); got {error}."
        ) from error


def _parsed(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > _MAX_BYTES:
        raise ValueError(f"{name} of more than {_MAX_BYTES} bytes")
    return ElementTree.fromstring(book.read(name))


def _texts(book: zipfile.ZipFile) -> list[str]:
    items = _parsed(book, "xl/sharedStrings.xml").iter(f"{_SPACE}si")
    return ["".join(text.text or "" for text in item.iter(f"{_SPACE}t")) for item in items]


def _cells(row: ElementTree.Element, shared: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{_SPACE}c"):
        place = _column(cell.get("r", "")) if cell.get("r") else len(cells)
        cells += [""] * (place - len(cells))
        if cell.get("t") == "inlineStr":
            cells.append("".join(text.text or "" for text in cell.iter(f"{_SPACE}t")))
            continue
        value = cell.findtext(f"{_SPACE}v") or ""
        cells.append(shared[int(value)] if cell.get("t") == "s" and value else value)
    return cells


def _column(reference: str) -> int:
    """Return the place of a column: A is 0, AA is 26."""
    place = 0
    for letter in re.match(r"[A-Z]*", reference)[0]:  # type: ignore[index]
        place = place * 26 + ord(letter) - ord("A") + 1
    return min(place - 1, 1 << 14)
