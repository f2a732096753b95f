"""Read the table of `--records`, whose columns are stored in the samples."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cxr_enhance.archive._cells import name_in_cell
from cxr_enhance.archive.sources import check_names_columns, table_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_COLUMN = "file"
_SEPARATOR = "\0"  # `read_records` refuses cells that hold NUL
_RESERVED = frozenset(("key", "image", "format"))  # fields that every sample has


class Records:
    """The rows of a table, found by their files; stored in little memory.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns.
    file_index : int
        Index of the column that names files.
    """

    def __init__(self, columns: Sequence[str], file_index: int) -> None:
        self.columns, self._file_index = tuple(columns), file_index
        self.files: list[str] = []
        self._rows: list[str] = []
        self._index_of: dict[str, int] = {}

    @property
    def file_column(self) -> str:
        """Name of the column that names files."""
        return self.columns[self._file_index]

    def add(self, file: str, cells: Sequence[str]) -> bool:
        """Append the row of a file; return False, without change, if the file has a row already."""
        key = os.path.abspath(file)
        if self._index_of.setdefault(key, len(self.files)) < len(self.files):
            return False
        self.files.append(file)
        self._rows.append(_SEPARATOR.join(cells))
        return True

    def of(self, file: str) -> dict[str, str]:
        """Return the unchanged cells of a file's row, by column name.

        Raises
        ------
        KeyError
            If the file has no row.
        """
        cells = self._rows[self._index_of[os.path.abspath(file)]].split(_SEPARATOR)
        return dict(zip(self.columns, cells, strict=True))


def read_records(path: str, column: str | None = None, root: str | None = None) -> Records:
    """Read a table of files, such as a manifest that cxr-models wrote.

    Parameters
    ----------
    path : str
        A CSV file as `cxr_enhance.archive.sources.read_list` reads it; lines before the header that
        begin with ``#`` are comments.
    column : str, optional
        The column that names files. None uses the only column, or the column ``file``.
    root : str, optional
        Folder to which names in the table are relative; None uses the folder of the table.

    Returns
    -------
    Records
        The rows, in the order of the table.

    Raises
    ------
    ValueError
        If the first row is empty or is the name of a file. If the table lacks the column or has no
        other rows. If a row names no file, or has more or fewer cells than the header. If a file
        has two rows. If a column has no name, the name of another column, or the name of a field
        that every sample has.
    OSError
        If the table cannot be read.
    """
    rows = table_rows(path, "--records", column=column, comments=True)
    _, columns = next(rows, (1, []))
    if not columns:
        raise ValueError(
            f"`--records` must name a table whose first row names its columns; got {path!r}, where "
            "it is empty."
        )
    file_index = _index_of_files(columns, column, path)
    _check_columns(columns, path)
    if root is None:
        root = os.path.dirname(path)
    if column is None and len(columns) == 1:
        check_names_columns("--records", path, columns[0], root)
    records = Records(columns, file_index)
    for line, row in rows:
        if not any(row):
            continue
        where = f"line {line} of {path!r}"
        if len(row) < len(columns) or any("\0" in cell for cell in row):
            raise ValueError(
                f"`--records` must name a table whose rows have a cell for each column, "
                f"{len(columns)}, without NUL; got {len(row)} in {where}."
            )
        row = row[: len(columns)]  # `table_rows` has checked that further cells are empty
        if not row[file_index]:
            raise ValueError(f"`--records` must name a file in each row; got none in {where}.")
        if not records.add(os.path.join(root, name_in_cell(row[file_index], root)), row):
            raise ValueError(
                f"`--records` must name each file once; got {row[file_index]!r} again in {where}."
            )
    if not records.files:
        raise ValueError(f"`--records` must name a table of at least one file; got {path!r}.")
    return records


def _index_of_files(columns: Sequence[str], column: str | None, path: str) -> int:
    if column is None:
        column = FILE_COLUMN if len(columns) != 1 else columns[0]
        if column not in columns:
            raise ValueError(
                f"`--column` must name the column of {path!r} that holds the files; it has "
                f"{', '.join(columns) or 'none'}."
            )
    elif column not in columns:
        raise ValueError(
            f"`--column` must be one of {', '.join(columns) or 'none'}; got {column!r}. "
            f"Table: {path!r}."
        )
    return columns.index(column)


def _check_columns(columns: Sequence[str], path: str) -> None:
    """Refuse columns that a sample cannot store: without a name, or with a name already used."""
    if len(set(columns)) < len(columns) or not all(columns):
        raise ValueError(
            f"`--records` must name a table whose columns have a name each; got "
            f"{', '.join(map(repr, columns))} in {path!r}."
        )
    reserved = sorted(_RESERVED & set(columns))
    if reserved:
        raise ValueError(
            f"`--records` must name a table without columns called {', '.join(sorted(_RESERVED))}, "
            f"which every sample has; got {', '.join(reserved)} in {path!r}. Rename them."
        )
