"""CSVs of the user, read and joined on their common columns."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from cxr_models._counts import counted
from cxr_models.records.csv_files import numbered_cells_of
from cxr_models.records.patients import normalised_id

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping, Sequence

_NO_NAME = re.compile(r"\s*|Unnamed: \d+")  # pandas' column of row numbers, also if saved twice
_EVERYTHING: Mapping[str, Collection[str]] = MappingProxyType({})


class JoinedRow(NamedTuple):
    """A row of the first CSV, with the cells of the rows of the other CSVs that belong to it."""

    cells: Mapping[str, str]  # cells by column; those of a CSV without such a row are empty
    lines: tuple[int, ...]  # line of the row in each CSV; 0 in a CSV without such a row


class JoinedTables(NamedTuple):
    """Result of joining CSVs."""

    paths: list[Path]
    headers: list[list[str]]
    filled: list[frozenset[str]]  # for each CSV, the columns in which a row has a value
    rows: list[JoinedRow]
    remarks: list[str]  # sentences about rows of the first CSV that have no row in another

    def columns(self) -> list[str]:
        """Return the columns of all CSVs, each once."""
        return list(dict.fromkeys(name for header in self.headers for name in header))

    def place(self, row: JoinedRow, column: str) -> str:
        """Return the line and file that a cell of a row comes from, for error messages."""
        columns = [*self.filled, *self.headers]  # no row may have a value in the column
        tables = zip((*self.paths,) * 2, columns, row.lines * 2, strict=True)
        path, line = next((path, line) for path, names, line in tables if column in names)
        return f"line {line} of {str(path)!r}"


class _Table(NamedTuple):
    path: Path
    header: list[str]
    filled: frozenset[str]  # columns in which a row has a value; all columns, if there is no row
    rows: list[tuple[int, dict[str, str]]]  # each with its line

    def named(self) -> list[str]:
        """Return the columns that have a name."""
        return [name for name in self.header if not _NO_NAME.fullmatch(name)]


class _KeyedTable(NamedTuple):
    """A table whose rows, each with its line, are found by their cells in shared columns."""

    table: _Table
    shared: list[str]  # names of the shared columns
    rows: dict[tuple[str, ...], list[tuple[int, Mapping[str, str]]]]

    def key(self, cells: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(cells[name].strip() for name in self.shared)


def join_tables(
    csvs: Sequence[str | os.PathLike[str]],
    used: Collection[str] | None = None,
    where: Mapping[str, Collection[str]] = _EVERYTHING,
) -> JoinedTables:
    """Read CSVs, and join each one to the rows of the first on the columns that they share.

    Parameters
    ----------
    csvs : sequence of str or PathLike
        Paths of the CSVs. The first CSV lists the rows.
    used : collection of str, optional
        Columns in which several rows with one key must agree. None compares all that have a name.
    where : mapping of str to collection of str, default {}
        Values by column. Of several rows with one key, only those with such values are joined.

    Returns
    -------
    JoinedTables
        The rows of the first CSV. Blanks around keys make no difference. Columns that are empty in
        one of the CSVs or have no name, such as the row numbers that pandas writes, are no keys,
        and an empty key has no rows.

    Raises
    ------
    ValueError
        If `cells_of` rejects a CSV, a CSV shares no column with those before it, none of its rows
        has the key of a row of the first, keys differ in their spelling alone, such as ``001`` and
        ``1``, or several rows with one key differ.
    OSError
        If a CSV cannot be read.
    """
    first, *others = [_read(Path(path)) for path in csvs]
    joined = JoinedTables([first.path], [first.header], [first.filled], [], [])
    rows = [JoinedRow(cells, (line,)) for line, cells in first.rows]
    for number, table in enumerate(others, start=1):
        known = frozenset().union(*joined.filled)
        keyed = _keyed(table, known)
        later = {name for other in others[number:] for name in other.header}  # may be keys
        compared = [name for name in table.named() if used is None or name in used or name in later]
        _check_spellings(joined, rows, keyed)
        row_of_key = _row_of_each_key(keyed, rows, compared, where)
        none = 0, dict.fromkeys(table.header, "")
        rows = [
            _joined(row, *row_of_key.get(keyed.key(row.cells), none), table.filled - known)
            for row in rows
        ]
        joined.paths.append(table.path)
        joined.headers.append(table.header)
        joined.filled.append(table.filled)
        joined.remarks.extend(_remarks_on_unmatched(first.path, rows, keyed))
    joined.rows.extend(rows)
    return joined


def _read(path: Path) -> _Table:
    numbered = numbered_cells_of(path)
    _, header = next(numbered, (0, []))
    rows = [(line, dict(zip(header, cells, strict=True))) for line, cells in numbered]
    empty = {name for name in header if rows and not any(cells[name].strip() for _, cells in rows)}
    return _Table(path, header, frozenset(header) - empty, rows)


def _keyed(table: _Table, known: Collection[str]) -> _KeyedTable:
    """Return the rows of a table by their cells in the known columns.

    Raises
    ------
    ValueError
        If the table shares no column with the known ones.
    """
    filled = [name for name in table.named() if name in table.filled]
    keyed = _KeyedTable(table, [name for name in filled if name in known], {})
    if not keyed.shared:
        raise ValueError(
            "`--csv` must share at least one named column, which both fill, with the CSVs before "
            f"it; got {str(table.path)!r}, which fills {', '.join(filled) or 'none'}."
        )
    for line, cells in table.rows:
        keyed.rows.setdefault(keyed.key(cells), []).append((line, cells))
    keyed.rows.pop(("",) * len(keyed.shared), None)
    return keyed


def _check_spellings(joined: JoinedTables, rows: Sequence[JoinedRow], keyed: _KeyedTable) -> None:
    """Raise ValueError if a key without a row is another spelling of a key in the table.

    Spreadsheets write 1 for 001, and pandas writes 1.0. Such keys are not joined, because a set
    may have both 001 and 1.
    """
    keys = {keyed.key(row.cells): row for row in rows}
    unmatched = {_one_spelling(key): key for key in keyed.rows if key not in keys}
    for key, row in keys.items():
        other = None if key in keyed.rows else unmatched.get(_one_spelling(key))
        if other is None:
            continue
        name, cell, spelled = next(
            cells for cells in zip(keyed.shared, key, other, strict=True) if cells[1] != cells[2]
        )
        line, _ = keyed.rows[other][0]
        raise ValueError(
            f"`--csv` must write the same {name} in the same way; got {cell!r} in "
            f"{joined.place(row, name)}, and {spelled!r} in line {line} of "
            f"{str(keyed.table.path)!r}. Write it alike in both: a spreadsheet keeps zeros in a "
            "column of texts, and pandas keeps them with dtype=str. If two things are meant, "
            "remove the row of one of them."
        )


def _one_spelling(key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(normalised_id(cell) or cell for cell in key)


def _row_of_each_key(
    keyed: _KeyedTable,
    rows: Sequence[JoinedRow],
    compared: Sequence[str],
    where: Mapping[str, Collection[str]],
) -> dict[tuple[str, ...], tuple[int, Mapping[str, str]]]:
    """Return the row of a table, with its line, for each key that it shares with other rows."""
    conditions = {name: values for name, values in where.items() if name in keyed.table.header}
    row_of_key = {}
    for key in dict.fromkeys(keyed.key(row.cells) for row in rows):
        matches = keyed.rows.get(key, [])
        asked_for = [
            (line, cells)
            for line, cells in matches
            if all(cells[name].strip() in values for name, values in conditions.items())
        ]
        if len(asked_for) > 1:
            shown = dict(zip(keyed.shared, key, strict=True))
            _check_rows_agree(asked_for, keyed.table.path, shown, compared)
        if matches:
            row_of_key[key] = (asked_for or matches)[0]
    return row_of_key


def _joined(row: JoinedRow, line: int, cells: Mapping[str, str], new: Collection[str]) -> JoinedRow:
    """Return a row with the cells of a row of another table, whose new columns were empty."""
    filled = {name: cells[name] for name in new}
    return JoinedRow({**cells, **row.cells, **filled}, (*row.lines, line))


def _remarks_on_unmatched(
    first: Path, rows: Sequence[JoinedRow], keyed: _KeyedTable
) -> Iterator[str]:
    """Yield a sentence on the number of rows that have no row in the table joined last.

    Raises
    ------
    ValueError
        If no row has one.
    """
    unmatched = [row for row in rows if not row.lines[-1]]
    key, other = " and ".join(keyed.shared), keyed.table.path
    if unmatched and len(unmatched) == len(rows):
        shown = " and ".join(f"{name} {rows[0].cells[name]!r}" for name in keyed.shared)
        raise ValueError(
            f"`--csv` must hold rows that belong to the first CSV; got {str(other)!r}, where no "
            f"row has the {key} of a row of {str(first)!r}, such as {shown}. Rename columns that "
            "both have by chance, or correct their cells."
        )
    if unmatched:
        cure = ". Rename columns that both have by chance" if len(keyed.shared) > 1 else ""
        of_all = f"of {len(rows):,} rows of {first.name}"
        yield (
            f"{counted(len(unmatched), f'{of_all} has', f'{of_all} have')} no row in {other.name} "
            f"with the same {key}; its columns are empty for them{cure}"
        )


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
                    f"{name} {first[name]!r} and {cells[name]!r}. Leave one of these lines in it, "
                    "or choose lines with --where COLUMN=VALUE, where COLUMN is not a column of "
                    "manifests."
                )
