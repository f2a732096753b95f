"""Tables of public sets: compressed or not, any delimiter or encoding, with or without header."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
from operator import itemgetter
from typing import TYPE_CHECKING

from cxr_models.records.csv_files import delimiter_of
from cxr_models.records.layouts.xlsx import read_xlsx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

WHOLE_LINE = "\x1f"  # delimiter that occurs in no line, so that a line is one cell
Extra = tuple[tuple[str, str], ...]


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("cxr_models.latin_1", _as_latin_1)


class Table:
    """A table of a set, read row by row.

    Parameters
    ----------
    path : Path
        A text file, possibly compressed with gzip, or a workbook (.xlsx). Bytes that are not UTF-8
        are read as Latin-1. All kinds of line ends are accepted.
    name : str
        Name of the table in error messages.
    header : sequence of str, optional
        Names of the columns, for a file without header. None reads the header from the file.
    delimiter : str, optional
        Character between the cells. None finds it in the first line, as the delimiter of a CSV.
    skip : int, default 0
        Number of lines before the header.
    extra : sequence of str, optional
        Further columns for `rows_and_extra`. Columns that the table does not have are ignored.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        header: Sequence[str] | None = None,
        delimiter: str | None = None,
        skip: int = 0,
        extra: Sequence[str] = (),
    ) -> None:
        self.path, self.name = path, name
        self._fixed_header, self._delimiter, self._skip = header, delimiter, skip
        self._extra = tuple(extra)
        self._header: list[str] | None = None

    @property
    def header(self) -> list[str]:
        """Names of the columns, stripped of blanks; empty and repeated names are kept."""
        if self._header is None:
            lines = self._lines()
            names = self._fixed_header if self._fixed_header is not None else next(lines, [])
            self._header = [name.strip() for name in names]
        return self._header

    def rows(self, *columns: str) -> Iterator[tuple[str, ...]]:
        """Yield the cells of some columns, row by row, without blanks around them.

        Rows that are empty are skipped.

        Parameters
        ----------
        *columns : str
            Names of the columns. ``A|B`` is the first of these columns that the table has. ``A?``
            is an optional column, whose cells are empty if the table does not have it. If a name
            is repeated, the first column of this name is read.

        Raises
        ------
        ValueError
            If a column is missing, or a row ends before one of them.
        OSError
            If the table cannot be read.
        """
        get = self._getter(columns)
        lines = self._lines()
        if self._fixed_header is None:
            next(lines, None)
        row: list[str] = []
        try:
            for row in lines:
                if any(row):
                    yield tuple(map(str.strip, get(row)))
        except IndexError:
            raise ValueError(
                f"`{self.name}` must have the cells of {', '.join(columns)} in each row; got "
                f"{','.join(row)[:80]!r}."
            ) from None

    def rows_and_extra(self, *columns: str) -> Iterator[tuple[tuple[str, ...], Extra]]:
        """Yield pairs: the cells from `rows`, and the names and cells of the extra columns."""
        extra_names = [name for name in self._extra if name in self.header]
        if not extra_names:
            for row in self.rows(*columns):
                yield row, ()
            return
        count = len(columns)
        for cells in self.rows(*columns, *extra_names):
            yield cells[:count], tuple(zip(extra_names, cells[count:], strict=True))

    def _getter(self, columns: Sequence[str]) -> Callable[[list[str]], tuple[str, ...]]:
        places = [self._place(column) for column in columns]
        present = [place for place in places if place is not None]
        if len(present) == len(places) > 1:
            return itemgetter(*present)
        return lambda row: tuple("" if place is None else row[place] for place in places)

    def _place(self, column: str) -> int | None:
        names = column.removesuffix("?").split("|")
        for name in names:
            if name in self.header:
                return self.header.index(name)
        if column.endswith("?"):
            return None
        raise ValueError(
            f"`{self.name}` must have the column {' or '.join(names)}; got "
            f"{', '.join(name for name in self.header if name) or 'no columns'}."
        )

    def _lines(self) -> Iterator[list[str]]:
        if self.path.suffix.lower() == ".xlsx":
            yield from read_xlsx(self.path)[self._skip :]
            return
        with self.path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw
            text = io.TextIOWrapper(stream, "utf-8-sig", errors="cxr_models.latin_1", newline=None)
            for _ in range(self._skip):
                text.readline()
            try:
                first = text.readline()
                delimiter = self._delimiter or delimiter_of(first)
                yield from csv.reader(itertools.chain((first,), text), delimiter=delimiter)
            except (csv.Error, EOFError, gzip.BadGzipFile) as error:
                raise ValueError(f"`{self.name}` must be a table; got {error}.") from error
