"""CSV files with a header, optional comments before it, and cells that are safe in spreadsheets."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io.atomic import replace_atomically
from cxr_models._cells import CsvWriter, escape_formula, original_cell

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

_DELIMITERS = ",;\t"
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])\r?\n")  # spreadsheets write it before the header
_OTHER_FILES = {  # by their first bytes
    b"PK": "a workbook of Excel or another zip file. Save its table as CSV in UTF-8",
    b"\x1f\x8b": "a file that is packed with gzip. Unpack it",
}
_RESAVED_COMMENT = '"# cxr-models '  # comment that `write_cells` wrote and a spreadsheet quoted


def header_of(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the columns of a CSV; an empty list if the file has no header.

    The rules and errors are those of `cells_of`.
    """
    return next(cells_of(path), [])


def cells_of(path: str | os.PathLike[str]) -> Iterator[list[str]]:
    """Yield the header of a CSV, then the cells of one row at a time.

    Comments before the header are skipped, and so are empty lines. The delimiter is that of a line
    ``sep=;`` before the header, or the result of `delimiter_of` for the header. `write_rows` puts
    an apostrophe before cells that a spreadsheet could run as a formula; this function removes it.

    Raises
    ------
    ValueError
        If the file is not UTF-8 or not a CSV, has two columns of one name, has a row whose number
        of cells differs from that of the header, or has the comment of a split as a spreadsheet
        saves it.
    OSError
        If the file cannot be read.
    """
    return (cells for _, cells in numbered_cells_of(path))


def numbered_cells_of(path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield what `cells_of` yields, each with the number of the line on which it begins.

    The first line of the file has the number 1.
    """
    name = Path(path).name
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            start = _start_of_header(file, name)
            if not start.header:
                return
            file.seek(start.position)
            delimiter = start.delimiter or delimiter_of(start.header)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = [original_cell(name) for name in next(reader)]
            if len(set(header)) < len(header):
                raise ValueError(f"`{name}` must name each column once; got {', '.join(header)}.")
            yield start.line, header
            line = start.line + reader.line_num
            for row in reader:
                if row and len(row) != len(header):
                    raise ValueError(
                        f"`{name}` must have as many fields in a row as columns, {len(header)}; "
                        f"got {len(row)}: {','.join(row)[:80]!r}."
                    )
                if row:
                    yield line, [original_cell(cell) for cell in row]
                line = start.line + reader.line_num
    except UnicodeDecodeError as error:
        with open(path, "rb") as raw:
            first_bytes = raw.read(2)
        if first_bytes in _OTHER_FILES:
            other = _OTHER_FILES[first_bytes]
            raise ValueError(f"`{name}` must be a CSV; got {other}.") from error
        raise ValueError(f"`{name}` must be UTF-8; got {error}. Save it as UTF-8.") from error
    except csv.Error as error:
        raise ValueError(f"`{name}` must be a CSV; got {error}.") from error


class _Start(NamedTuple):
    """Place of the header of a CSV, after comments, empty lines and a line such as ``sep=;``."""

    header: str  # the line itself; empty at the end of the file
    line: int  # its number
    position: int  # its position in the file
    delimiter: str  # the stated delimiter; empty if none is stated


def _start_of_header(file: TextIO, name: str) -> _Start:
    number, position, delimiter = 1, file.tell(), ""
    while line := file.readline():
        if line.startswith(_RESAVED_COMMENT):
            raise ValueError(
                f"`{name}` must begin with the line it was made with; got {line[:40]!r}, which a "
                "spreadsheet has changed. Take the file as it was made, or delete that line to "
                "vouch for the cells yourself."
            )
        if stated := _SEPARATOR_LINE.fullmatch(line):
            delimiter = stated[1]
        elif not line.startswith("#") and line.strip(_DELIMITERS + '" \r\n'):
            break
        number, position = number + 1, file.tell()
    return _Start(line, number, position, delimiter)


def delimiter_of(header: str) -> str:
    """Return the character that separates the cells of a header: comma, semicolon or tab.

    It is the most frequent of the three characters outside of quotation marks. If counts are equal,
    the comma has priority over the semicolon, and the semicolon over the tab.

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
    """Write dictionaries as a CSV atomically: a failed write leaves no partial file.

    An apostrophe is written before a cell that a spreadsheet could run as a formula.

    Parameters
    ----------
    path : str or PathLike
        CSV to write. An existing file is replaced.
    columns : sequence of str
        Names of the columns, in their order.
    rows : iterable of dict of str to str
        Cells by column name; every row must have all columns.
    comment : str, default ""
        One line of text, written before the header after the character ``#``. Empty writes no
        comment.
    """
    cells = ([escape_formula(row[name]) for name in columns] for row in rows)
    write_cells(path, columns, cells, comment=comment)


def write_cells(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Iterable[Iterable[str]],
    *,
    comment: str,
) -> None:
    """Write rows of cells atomically, without changing the cells.

    The caller has made the cells safe with `escape_formula`; names of columns are made safe here.
    """
    with (
        replace_atomically(Path(path)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        if comment:
            file.write(f"# {comment}\n")
        writer = CsvWriter(file)
        writer.writerow(map(escape_formula, columns))
        writer.writerows(rows)
