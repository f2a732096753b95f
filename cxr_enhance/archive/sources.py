"""Lists of files: one a line, or a column of a CSV file."""

from __future__ import annotations

import csv
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable


def read_list(path: str, column: str | None = None) -> list[str]:
    """Read the names of files from a list.

    Parameters
    ----------
    path : str
        A text file of one name a line, empty lines left out; or a ``.csv`` or ``.tsv`` file with a
        line of column names; or ``-`` for the text on standard input. Names are relative to the
        working folder. UTF-8; bytes that are not are kept.
    column : str, optional
        The CSV column that holds the names; needless where there is but one.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the column is missing or not chosen, or the list is empty or holds a NUL.
    OSError
        If the list cannot be read.
    """
    if path == "-":
        names = _plain(sys.stdin) if column is None else _column(sys.stdin, path, column, ",")
    else:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            extension = os.path.splitext(path)[1].lower()
            if column is not None or extension in (".csv", ".tsv"):
                names = _column(file, path, column, "\t" if extension == ".tsv" else ",")
            else:
                names = _plain(file)
    if any("\0" in name for name in names):
        raise ValueError(f"`--from` must name a list of one file a line; got {path!r} with NUL.")
    if not names:
        raise ValueError(f"`--from` must name a list of at least one file; got {path!r}, empty.")
    return names


def _plain(lines: Iterable[str]) -> list[str]:
    return [name for line in lines if (name := line.rstrip("\r\n"))]


def _column(file: TextIO, path: str, column: str | None, delimiter: str) -> list[str]:
    rows = csv.reader(file, delimiter=delimiter)
    header = next(rows, [])
    if column is None:
        if len(header) != 1:
            raise ValueError(
                f"`--column` must name the column of {path!r} that holds the files; it has "
                f"{', '.join(header) or 'none'}."
            )
        place = 0
    elif column in header:
        place = header.index(column)
    else:
        raise ValueError(
            f"`--column` must be one of {', '.join(header) or 'none'}; got {column!r}. "
            f"List: {path!r}."
        )
    return [row[place] for row in rows if len(row) > place and row[place]]
