"""Read lists of files: a text with one name on each line, or a column of a CSV file."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import itertools
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from cxr_enhance.archive._cells import name_in_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BYTE_ORDER_MARK = "\ufeff"
_SEPARATOR = re.compile(r"sep=[,;\t]\r?\n")  # before the header, for spreadsheets


def read_list(path: str, column: str | None = None) -> list[str]:
    """Read the names of files from a list.

    Parameters
    ----------
    path : str
        A text file with one name on each line, or a ``.csv`` or ``.tsv`` file with a line of column
        names, or ``-`` for a text on standard input. Empty lines are ignored. A CSV file may use
        semicolons as separators. The apostrophe is removed that `cxr-enhance check` and cxr-models
        write before a cell that looks like a formula. Names are relative to the working folder. The
        encoding is UTF-8; bytes that are not UTF-8 are kept. UTF-16 with a byte order mark, as
        PowerShell writes it, is read too.
    column : str, optional
        The CSV column that holds the names; not needed for a file of one column.

    Returns
    -------
    list of str
        The names, in the order of the list.

    Raises
    ------
    ValueError
        If the column is missing, or not given for several columns. If a quotation mark is never
        closed, or a row has more columns than the header. If the header is the name of a file. If
        the list is empty or holds a NUL.
    OSError
        If the list cannot be read.
    """
    extension = os.path.splitext(path)[1].lower()
    if column is not None or extension in (".csv", ".tsv"):
        names = _column(table_rows(path, "--from", column=column), path, column)
    else:
        with _opened(path, "--from") as file:
            names = _plain(file)
    if any("\0" in name for name in names):
        raise ValueError(f"`--from` must name a list of one file a line; got {path!r} with NUL.")
    if not names:
        raise ValueError(f"`--from` must name a list of at least one file; got {path!r}, empty.")
    return names


def table_rows(
    path: str, option: str, *, column: str | None = None, comments: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of a table's header, then of each of its rows.

    Parameters
    ----------
    path : str
        A CSV file as `read_list` reads it.
    option : str
        The command line option that names the table; error messages begin with it.
    column : str, optional
        A column that the header should have; it helps to find the separator.
    comments : bool
        Whether lines before the header that begin with ``#`` are skipped.

    Raises
    ------
    ValueError
        If `path` is empty, a quotation mark is never closed, or the text is damaged.
    OSError
        If the table cannot be read.
    """
    delimiter = "\t" if os.path.splitext(path)[1].lower() == ".tsv" else ","
    with _opened(path, option) as file:
        first, skipped = file.readline(), 0
        while comments and first.startswith("#"):
            first, skipped = file.readline(), skipped + 1
        if _SEPARATOR.fullmatch(first):
            delimiter, first, skipped = first[4], file.readline(), skipped + 1
        else:
            delimiter = _delimiter(first, column, delimiter)
        rows = csv.reader(itertools.chain([first], file), delimiter=delimiter, strict=True)
        width = 0
        while True:
            line = skipped + rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                # A quotation mark never closed, or closed before something other than a separator.
                raise _stray_quote(path, option, line, f"cannot be read: {error}") from error
            width = width or len(row)
            if any(row[width:]):
                raise ValueError(
                    f"`{option}` must name a list whose rows have no more columns than its header, "
                    f"{width}; got {len(row)} in line {line} of {path!r}. Quote values that "
                    f"hold {delimiter!r}."
                )
            yield line, row


def check_names_columns(option: str, path: str, first: str, root: str) -> None:
    """Refuse a table of one column whose first row is a file, because the file would be ignored.

    Raises
    ------
    ValueError
        If `first`, the row's only cell, is the name of a file that starts from the folder `root`.
    """
    if os.path.isfile(os.path.join(root, first)):
        raise ValueError(
            f"`{option}` must name a table whose first row names its columns; got {path!r}, where "
            f"it is the file {first!r}. Write a row `file` above it."
        )


@contextlib.contextmanager
def _opened(path: str, option: str) -> Iterator[TextIO]:
    """Open a list, or standard input, as text without its byte order mark."""
    if not path:
        raise ValueError(f"`{option}` must name a file; got ''.")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_damage_in_words(path, option))
        if path != "-":
            source: Any = stack.enter_context(open(path, "rb"))
        else:
            source = io.BytesIO() if sys.stdin is None else sys.stdin.buffer  # None if closed
        buffered = io.BufferedReader(source)
        stack.callback(buffered.detach)  # standard input stays open
        is_utf16 = buffered.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        if is_utf16:
            text = io.TextIOWrapper(buffered, "utf-16", newline="")
        else:
            text = io.TextIOWrapper(buffered, "utf-8-sig", "surrogateescape", newline="")
        stack.callback(text.detach)
        yield text


def _plain(lines: Iterable[str]) -> list[str]:
    # A text that was joined from several lists has byte order marks inside.
    names = (line.rstrip("\r\n").removeprefix(_BYTE_ORDER_MARK) for line in lines)
    return [name for name in names if name]


def _column(rows: Iterator[tuple[int, list[str]]], path: str, column: str | None) -> list[str]:
    _, header = next(rows, (1, []))
    if column is None:
        if len(header) != 1:
            raise ValueError(
                f"`--column` must name the column of {path!r} that holds the files; it has "
                f"{', '.join(header) or 'none'}."
            )
        check_names_columns("--from", path, header[0], "")
        index = 0
    elif column in header:
        index = header.index(column)
    else:
        raise ValueError(
            f"`--column` must be one of {', '.join(header) or 'none'}; got {column!r}. "
            f"List: {path!r}."
        )
    names = []
    for line, row in rows:
        if len(row) <= index or not row[index]:
            continue
        name = name_in_cell(row[index])
        if ("\n" in name or "\r" in name) and not os.path.lexists(name):
            count = len(name.splitlines())
            raise _stray_quote(path, "--from", line, f"begins a name of {count} lines")
        names.append(name)
    return names


@contextlib.contextmanager
def _damage_in_words(path: str, option: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`{option}` must name a list in UTF-8; got {path!r}, which begins as UTF-16 and is "
            "cut short or damaged."
        ) from error


def _delimiter(header: str, column: str | None, usual: str) -> str:
    """Choose the column separator by the header: many spreadsheets separate by semicolons."""
    if usual in header or header.strip() == column:
        return usual
    return next((other for other in ";\t," if other in header), usual)


def _stray_quote(path: str, option: str, line: int, what: str) -> ValueError:
    return ValueError(
        f"`{option}` must name a list whose quotation marks come in pairs around a value; the row "
        f"from line {line} of {path!r} on {what}. Look for a stray quotation mark there."
    )
