"""CSV files with a header, comments before it, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_enhance.io.atomic import replaces_whole
from cxr_models._cells import harmless, original_cell

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

_DELIMITERS = ",;\t"
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])\r?\n")  # before the header, for spreadsheets


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Read the rows of a CSV as dictionaries, comments before the header left out.

    Cells are separated as the header shows; see `delimiter_of`. An apostrophe before what could be
    a formula, as `write_rows` sets it, is taken away.

    Raises
    ------
    ValueError
        If the file is no UTF-8, no CSV, names a column twice, or has a row of another length than
        its header.
    OSError
        If it cannot be read.
    """
    rows = cells_of(path)
    header = next(rows, [])
    return [dict(zip(header, row, strict=True)) for row in rows]


def cells_of(path: str | os.PathLike[str]) -> Iterator[list[str]]:
    """Yield the header of a CSV, then the cells of each row; as `read_rows`, but one by one."""
    name = Path(path).name
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            delimiter, position = "", file.tell()
            while (line := file.readline()).startswith("#"):
                position = file.tell()
            if stated := _SEPARATOR_LINE.fullmatch(line):
                delimiter, position = stated[1], file.tell()
                line = file.readline()
            if not line:
                return
            file.seek(position)
            reader = csv.reader(file, delimiter=delimiter or delimiter_of(line), strict=True)
            header = [original_cell(name) for name in next(reader)]
            if len(set(header)) < len(header):
                raise ValueError(f"`{name}` must name each column once; got {', '.join(header)}.")
            yield header
            for row in reader:
                if row and len(row) != len(header):
                    raise ValueError(
                        f"`{name}` must have as many fields in a row as columns, {len(header)}; "
                        f"got {len(row)}: {','.join(row)[:80]!r}."
                    )
                if row:
                    yield [original_cell(cell) for cell in row]
    except UnicodeDecodeError as error:
        raise ValueError(f"`{name}` must be UTF-8; got {error}. Save it as UTF-8.") from error
    except csv.Error as error:
        raise ValueError(f"`{name}` must be a CSV; got {error}.") from error


def delimiter_of(header: str) -> str:
    """Return what separates the cells of a header: comma, semicolon or tab.

    The commonest of them outside of quotation marks is taken, the comma where it is as common.

    Examples
    --------
    >>> delimiter_of("file,label"), delimiter_of('file;label;"a, b"'), delimiter_of("file")
    (',', ';', ',')
    """
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=unquoted.count)


def write_rows(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Iterable[dict[str, str]],
    *,
    comment: str = "",
) -> None:
    """Write dictionaries as a CSV that appears whole or not at all.

    An apostrophe precedes text that a spreadsheet would take for a formula.
    """
    cells = ([harmless(row[name]) for name in columns] for row in rows)
    write_cells(path, columns, cells, comment=comment)


def write_cells(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Iterable[Iterable[str]],
    *,
    comment: str,
) -> None:
    """Write rows of cells that are harmless already."""
    with (
        replaces_whole(Path(path)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        if comment:
            file.write(f"# {comment}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(harmless, columns))
        writer.writerows(rows)
