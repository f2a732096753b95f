"""What a table says of each file: the columns of samples."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cxr_enhance.archive.sources import check_names_columns, table_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_COLUMN = "file"
_BETWEEN = "\0"  # no cell holds it: `read_records` refuses it
_TAKEN = frozenset(("key", "image", "format"))  # names of a sample's own


class Records:
    """The rows of a table, by the files that they are of, in little memory.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns.
    place : int
        Which of them names files.
    """

    def __init__(self, columns: Sequence[str], place: int) -> None:
        self.columns, self._place = tuple(columns), place
        self.files: list[str] = []
        self._rows: list[str] = []
        self._index_of: dict[str, int] = {}

    @property
    def file_column(self) -> str:
        """Name of the column that names files."""
        return self.columns[self._place]

    def add(self, file: str, cells: Sequence[str]) -> bool:
        """Append the row of a file; False where the file has one."""
        key = os.path.abspath(file)
        if self._index_of.setdefault(key, len(self.files)) < len(self.files):
            return False
        self.files.append(file)
        self._rows.append(_BETWEEN.join(cells))
        return True

    def of(self, file: str) -> dict[str, str]:
        """Return what the table says of a file, as it stands there.

        Raises
        ------
        KeyError
            If it has no row.
        """
        cells = self._rows[self._index_of[os.path.abspath(file)]].split(_BETWEEN)
        return dict(zip(self.columns, cells, strict=True))


def read_records(path: str, column: str | None = None, root: str | None = None) -> Records:
    """Read a table of files, such as a manifest that cxr-models wrote.

    Parameters
    ----------
    path : str
        A CSV file as `cxr_enhance.archive.sources.read_list` reads it; lines before the header that
        begin with ``#`` are comments.
    column : str, optional
        The column that names files; None for ``file``, or the only one.
    root : str, optional
        Folder that names in the table start from; None for that of the table.

    Returns
    -------
    Records
        In the order of the table.

    Raises
    ------
    ValueError
        If there is no such column, a row has no file or more or fewer cells than there are columns,
        a file has two rows, a column has no name, one of a sample's own or that of another, the
        first row is empty or a file, or there are no rows.
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
    place = _place_of_files(columns, column, path)
    _check_columns(columns, path)
    if root is None:
        root = os.path.dirname(path)
    if column is None and len(columns) == 1:
        check_names_columns("--records", path, columns[0], root)
    records = Records(columns, place)
    for line, row in rows:
        if not any(row):
            continue
        where = f"line {line} of {path!r}"
        if len(row) < len(columns) or any("\0" in cell for cell in row):
            raise ValueError(
                f"`--records` must name a table whose rows have a cell for each column, "
                f"{len(columns)}, without NUL; got {len(row)} in {where}."
            )
        row = row[: len(columns)]  # what is beyond is empty
        if not row[place]:
            raise ValueError(f"`--records` must name a file in each row; got none in {where}.")
        if not records.add(os.path.join(root, _as_it_was(row[place])), row):
            raise ValueError(
                f"`--records` must name each file once; got {row[place]!r} again in {where}."
            )
    if not records.files:
        raise ValueError(f"`--records` must name a table of at least one file; got {path!r}.")
    return records


def _place_of_files(columns: Sequence[str], column: str | None, path: str) -> int:
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
    """Refuse columns that a sample could not hold beside each other."""
    if len(set(columns)) < len(columns) or not all(columns):
        raise ValueError(
            f"`--records` must name a table whose columns have a name each; got "
            f"{', '.join(map(repr, columns))} in {path!r}."
        )
    taken = sorted(_TAKEN & set(columns))
    if taken:
        raise ValueError(
            f"`--records` must name a table without columns called {', '.join(sorted(_TAKEN))}, "
            f"which every sample has; got {', '.join(taken)} in {path!r}. Rename them."
        )


def _as_it_was(name: str) -> str:
    """Take away the apostrophe that cxr-models writes before what could be a formula."""
    return name[1:] if name[:1] == "'" and name[1:2] in ("=", "+", "-", "@", "'") else name
