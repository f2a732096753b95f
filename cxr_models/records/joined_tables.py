"""CSVs of the user, read and joined on their common columns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.csv_files import numbered_cells_of

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping, Sequence

_NO_NAME = re.compile(r"\s*|Unnamed: \d+")  # pandas' column of row numbers, also if saved twice


class JoinedRow(NamedTuple):
    """A row of the first CSV, with the cells of the rows of the other CSVs that belong to it."""

    cells: Mapping[str, str]  # cells by column; those of a CSV without such a row are empty
    lines: tuple[int, ...]  # line of the row in each CSV; 0 in a CSV without such a row


class JoinedTables(NamedTuple):
    """Result of joining CSVs."""

    paths: list[Path]
    headers: list[list[str]]
    rows: list[JoinedRow]
    remarks: list[str]  # sentences about rows of the first CSV that have no row in another

    def columns(self) -> list[str]:
        """Return the columns of all CSVs, each once."""
        return list(dict.fromkeys(name for header in self.headers for name in header))

    def place(self, row: JoinedRow, column: str) -> str:
        """Return the line and file that a cell of a row comes from, for error messages."""
        tables = zip(self.paths, self.headers, row.lines, strict=True)
        path, line = next((path, line) for path, header, line in tables if column in header)
        return f"line {line} of {str(path)!r}"


class _Table(NamedTuple):
    path: Path
    header: list[str]
    rows: list[tuple[int, dict[str, str]]]  # each with its line


def join_tables(
    csvs: Sequence[str | os.PathLike[str]], used: Collection[str] | None = None
) -> JoinedTables:
    """Read CSVs, and join each one to the rows of the first on the columns that they share.

    Parameters
    ----------
    csvs : sequence of str or PathLike
        Paths of the CSVs. The first CSV lists the rows.
    used : collection of str, optional
        Columns in which several rows with one key must agree. None compares all that have a name.

    Returns
    -------
    JoinedTables
        The rows of the first CSV. Blanks around keys make no difference. Columns without a name,
        such as the row numbers that pandas writes, are no keys, and an empty key has no rows.

    Raises
    ------
    ValueError
        If `cells_of` rejects a CSV, a CSV shares no column with those before it, none of its rows
        has the key of a row of the first, or several rows with one key differ.
    OSError
        If a CSV cannot be read.
    """
    first, *others = [_read(Path(path)) for path in csvs]
    joined = JoinedTables([first.path], [first.header], [], [])
    rows = [JoinedRow(cells, (line,)) for line, cells in first.rows]
    for number, table in enumerate(others, start=1):
        known = {name for header in joined.headers for name in header}
        named = [name for name in table.header if not _NO_NAME.fullmatch(name)]
        shared = [name for name in named if name in known]
        if not shared:
            raise ValueError(
                "`--csv` must share at least one named column with the first; got "
                f"{str(table.path)!r}, which has {', '.join(table.header) or 'no columns'}."
            )
        later = {name for other in others[number:] for name in other.header}  # may be keys
        compared = [name for name in named if used is None or name in used or name in later]
        rows = _with(rows, table, shared, compared)
        joined.paths.append(table.path)
        joined.headers.append(table.header)
        unmatched = sum(not row.lines[-1] for row in rows)
        if unmatched and unmatched == len(rows):
            raise ValueError(
                f"`--csv` must hold rows that belong to the first CSV; got {str(table.path)!r}, "
                f"where no row has the {' and '.join(shared)} of a row of {str(first.path)!r}. "
                "Rename columns that both have by chance, or correct their cells."
            )
        if unmatched:
            joined.remarks.append(
                f"{unmatched:,} of {len(rows):,} rows of {first.path.name} have no row in "
                f"{table.path.name} with the same {' and '.join(shared)}; its columns are empty "
                "for them"
            )
    joined.rows.extend(rows)
    return joined


def _read(path: Path) -> _Table:
    numbered = numbered_cells_of(path)
    _, header = next(numbered, (0, []))
    rows = [(line, dict(zip(header, cells, strict=True))) for line, cells in numbered]
    return _Table(path, header, rows)


def _with(
    rows: Sequence[JoinedRow], table: _Table, shared: Sequence[str], compared: Sequence[str]
) -> list[JoinedRow]:
    """Return the rows, each with the cells of the row of a table that has the same key."""
    with_key: dict[tuple[str, ...], list[tuple[int, dict[str, str]]]] = {}
    for line, cells in table.rows:
        with_key.setdefault(_key(cells, shared), []).append((line, cells))
    with_key.pop(("",) * len(shared), None)
    empty = dict.fromkeys(table.header, "")
    joined, checked = [], set()
    for row in rows:
        key = _key(row.cells, shared)
        matches = with_key.get(key, [])
        if len(matches) > 1 and key not in checked:
            _check_rows_agree(matches, table.path, dict(zip(shared, key, strict=True)), compared)
            checked.add(key)
        line, cells = matches[0] if matches else (0, empty)
        joined.append(JoinedRow({**cells, **row.cells}, (*row.lines, line)))
    return joined


def _key(cells: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(cells[name].strip() for name in names)


def _check_rows_agree(
    rows: Sequence[tuple[int, Mapping[str, str]]],
    path: Path,
    key: Mapping[str, str],
    compared: Sequence[str],
) -> None:
    """Raise ValueError if rows with one key differ in a compared column."""
    first_line, first = rows[0]
    for line, cells in rows[1:]:
        for name in compared:
            if cells[name].strip() != first[name].strip():
                shown = " and ".join(f"{column} {cell!r}" for column, cell in key.items())
                raise ValueError(
                    f"`--csv` must hold one row for each {' and '.join(key)}, or rows that agree; "
                    f"got {str(path)!r}, where lines {first_line} and {line} have {shown}, and "
                    f"{name} {first[name]!r} and {cells[name]!r}. Leave one of these lines in it."
                )
