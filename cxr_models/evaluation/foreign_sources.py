"""Conversion of a third-party model's table to cells of text, from a CSV file or from memory.

This module gives no meaning to the names of columns.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cxr_models.records.csv_files import cells_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_DATES = ("M", "m")  # NumPy dtype kinds of dates and time spans, which NumPy turns into integers
_EMPTY = ("NoneType", "NAType")  # names of the types of missing values; NAType is pandas' type


class Columns(Protocol):
    """Columns by name, such as a dictionary of lists or arrays, or a pandas data frame."""

    def keys(self) -> Iterable[object]:
        """Return the names of the columns."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return the cells of a column."""


Table = str | os.PathLike[str] | Columns


class Source(NamedTuple):
    """The cells of a third-party model's table, before they are interpreted."""

    name: str  # name in messages
    place: str  # path of the file; the name for columns in memory
    root: Path  # the folder to which file names are relative
    cells: Iterable[list[str]]  # the header, then each row
    sha256: str  # hash of the file; for columns in memory, hash of all cells


def source_of(table: Table, name: str) -> Source:
    """Return the cells of a table with its name, place and hash.

    Parameters
    ----------
    table : str, PathLike or Columns
        Path of a CSV file, or columns of equal lengths: lists, NumPy arrays, pandas series or
        PyTorch tensors. Numbers are kept to the last digit. None, NaN and pandas' NA become empty
        cells.
    name : str
        Name of columns in memory in messages.

    Raises
    ------
    TypeError
        If the name of a column is not text, a column is not a list, array or series, or a cell is
        neither text nor a number.
    ValueError
        If columns differ in length.
    OSError
        If the file cannot be read.
    """
    if isinstance(table, str | os.PathLike):
        path = Path(table)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return Source(path.name, str(path), path.parent, cells_of(path), sha256)
    cells = _cells(table, name)
    text = json.dumps(cells, ensure_ascii=False)
    return Source(name, name, Path(), cells, hashlib.sha256(text.encode()).hexdigest())


def _cells(columns: Columns, name: str) -> list[list[str]]:
    header = list(columns.keys())
    for column in header:
        if not isinstance(column, str):
            raise TypeError(f"`{name}` must name its columns by text; got {column!r}.")
    values = {str(column): _values(columns[column], str(column)) for column in header}
    lengths = {column: len(cells) for column, cells in values.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{length:,} in {column}" for column, length in lengths.items())
        raise ValueError(f"`{name}` must have columns of equal lengths; got {shown}.")
    texts = [[_text(cell, column) for cell in cells] for column, cells in values.items()]
    return [[str(column) for column in header], *map(list, zip(*texts, strict=True))]


def _values(column: Any, name: str) -> list[object]:
    """Return the values of a column as Python objects."""
    if hasattr(column, "tolist") and not _is_date(column):
        column = column.tolist()
    if not isinstance(column, list | tuple):
        raise TypeError(
            f"`{name}` must be a list, an array or a series; got {type(column).__name__}"
            f"{f' of {column.dtype}' if _is_date(column) else ''}. Dates must be text, such as "
            "'2020-01-31'; make arrays of others with np.asarray."
        )
    return list(column)


def _text(cell: object, column: str) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, os.PathLike):
        return os.fsdecode(cell)
    if hasattr(cell, "item") and getattr(cell, "ndim", None) == 0 and not _is_date(cell):
        cell = cell.item()  # a NumPy or PyTorch number in a list
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float):
        return "" if math.isnan(cell) else repr(cell)
    if type(cell).__name__ in _EMPTY:
        return ""
    raise TypeError(
        f"`{column}` must hold text or numbers, one an image; got {type(cell).__name__}. An empty "
        "cell is None, NaN or ''."
    )


def _is_date(value: object) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") in _DATES
