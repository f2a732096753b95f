"""Lists of files: one a line, or a column of a CSV file."""

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BYTE_ORDER_MARK = "\ufeff"
_SEPARATOR = re.compile(r"sep=[,;\t]\r?\n")  # before the header, for spreadsheets


def read_list(path: str, column: str | None = None) -> list[str]:
    """Read the names of files from a list.

    Parameters
    ----------
    path : str
        A text file of one name a line, empty lines left out; or a ``.csv`` or ``.tsv`` file with a
        line of column names, which may be separated by semicolons too; or ``-`` for the text on
        standard input. Names are relative to the working folder. UTF-8; bytes that are not are
        kept. UTF-16 with a byte order mark, as PowerShell writes it, is read too.
    column : str, optional
        The CSV column that holds the names; needless where there is but one.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the column is missing or not chosen, a quotation mark is never closed, a row has more
        columns than the header, or the list is empty or holds a NUL.
    OSError
        If the list cannot be read.
    """
    extension = os.path.splitext(path)[1].lower()
    try:
        with _opened(path) as file:
            if column is not None or extension in (".csv", ".tsv"):
                names = _column(file, path, column, "\t" if extension == ".tsv" else ",")
            else:
                names = _plain(file)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`--from` must name a list in UTF-8; got {path!r}, which begins as UTF-16 and is cut "
            "short or damaged."
        ) from error
    if any("\0" in name for name in names):
        raise ValueError(f"`--from` must name a list of one file a line; got {path!r} with NUL.")
    if not names:
        raise ValueError(f"`--from` must name a list of at least one file; got {path!r}, empty.")
    return names


@contextlib.contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    """Open a list, or standard input, as text without its byte order mark."""
    with contextlib.ExitStack() as stack:
        if path != "-":
            source: Any = stack.enter_context(open(path, "rb"))
        else:
            source = io.BytesIO() if sys.stdin is None else sys.stdin.buffer  # None: it is closed
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
    # A mark stands within the text where lists were put one after another.
    names = (line.rstrip("\r\n").removeprefix(_BYTE_ORDER_MARK) for line in lines)
    return [name for name in names if name]


def _column(file: TextIO, path: str, column: str | None, delimiter: str) -> list[str]:
    first, skipped = file.readline(), 0
    if _SEPARATOR.fullmatch(first):
        delimiter, first, skipped = first[4], file.readline(), 1
    else:
        delimiter = _delimiter(first, column, delimiter)
    rows = _csv_rows(itertools.chain([first], file), path, delimiter, skipped)
    _, header = next(rows, (1, []))
    if column is None:
        if len(header) != 1:
            raise ValueError(
                f"`--column` must name the column of {path!r} that holds the files; it has "
                f"{', '.join(header) or 'none'}."
            )
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
        if any(row[len(header) :]):
            raise ValueError(
                f"`--from` must name a list whose rows have no more columns than its header, "
                f"{len(header)}; got {len(row)} in line {line} of {path!r}. Quote values that "
                f"hold {delimiter!r}."
            )
        if len(row) <= index or not row[index]:
            continue
        name = row[index]
        if ("\n" in name or "\r" in name) and not os.path.lexists(name):
            raise _stray_quote(path, line, f"begins a name of {len(name.splitlines())} lines")
        names.append(name)
    return names


def _delimiter(header: str, column: str | None, usual: str) -> str:
    """Choose what separates columns by the header: many spreadsheets write semicolons into CSV."""
    if usual in header or header.strip() == column:
        return usual
    return next((other for other in ";\t," if other in header), usual)


def _csv_rows(
    lines: Iterable[str], path: str, delimiter: str, skipped: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows and the numbers of the lines where they begin."""
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = skipped + rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            # One that is never closed, or closed before a character that no separator precedes.
            raise _stray_quote(path, line, f"cannot be read: {error}") from error
        yield line, row


def _stray_quote(path: str, line: int, what: str) -> ValueError:
    return ValueError(
        f"`--from` must name a list whose quotation marks come in pairs around a value; the row "
        f"from line {line} of {path!r} on {what}. Look for a stray quotation mark there."
    )
