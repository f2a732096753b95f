"""Reader of the first sheet of an Excel workbook, as rows of text; no formulas, dates or styles."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from pathlib import Path

# Largest size of the XML of a sheet. Parsing needs up to 20 times as much memory. The sheets of
# public sets have a few million bytes.
_MAX_BYTES = 1 << 25
_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_xlsx(path: Path) -> list[list[str]]:
    """Read the first sheet of a workbook.

    Parameters
    ----------
    path : Path
        Workbook in the format of Excel 2007 and later (.xlsx).

    Returns
    -------
    list of list of str
        Cells by row. Cells that the file omits are empty.

    Raises
    ------
    ValueError
        If the file is not such a workbook, or the XML of its sheet or texts exceeds 32 MiB.
    OSError
        If the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as book:
            names = set(book.namelist())
            shared = _texts(book) if "xl/sharedStrings.xml" in names else []
            sheet = min(
                name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)
            )
            rows = [_cells(row, shared) for row in _parsed(book, sheet).iter(f"{_SPACE}row")]
            width = max(map(len, rows), default=0)  # cells at the end of a row are omitted, too
            return [[*cells, *[""] * (width - len(cells))] for cells in rows]
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
    """Return the index of a column from the reference of a cell: 0 for "A1", 26 for "AA1"."""
    place = 0
    for letter in re.match(r"[A-Z]*", reference)[0]:  # type: ignore[index]
        place = place * 26 + ord(letter) - ord("A") + 1
    return min(place - 1, 1 << 14)
