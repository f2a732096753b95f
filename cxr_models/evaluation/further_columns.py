"""Further columns of the records in tables of predictions, after the columns of every table.

Columns with a fixed meaning (sex, age, manufacturer and more) are always kept. Other columns of a
manifest are kept only after values by group were requested for them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cxr_models._cells import escape_formula, original_cell
from cxr_models.records.manifest import HEADER_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cxr_models.records.manifest import Record

_KEPT = "kept:"  # prefix of columns that have no fixed meaning in this package


def further_columns(records: Sequence[Record]) -> list[str]:
    """Return the names of the further columns for which at least one record has a value."""
    header = [name for name in HEADER_COLUMNS if any(getattr(r, name) for r in records)]
    kept = dict.fromkeys(name for record in records for name, _ in record.kept)
    return [*header, *(_KEPT + name for name in kept)]


def further_cells(record: Record, columns: Iterable[str]) -> list[str]:
    """Return the cells of a record in `columns`, in the form written to CSV files."""
    kept = dict(record.kept)
    return [
        escape_formula(
            kept.get(name.removeprefix(_KEPT), "")
            if name.startswith(_KEPT)
            else getattr(record, name)
        )
        for name in columns
    ]


def header_fields(row: Mapping[str, str]) -> dict[str, str]:
    """Return the record fields of a table's row that come from columns with a fixed meaning."""
    return {name: original_cell(row[name] or "") for name in HEADER_COLUMNS if name in row}


def kept_fields(row: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the names and cells of a table's row in columns without a fixed meaning."""
    return tuple(
        (name.removeprefix(_KEPT), original_cell(cell or ""))
        for name, cell in row.items()
        if name and name.startswith(_KEPT)
    )


def with_kept(records: Iterable[Record], names: Collection[str]) -> tuple[Record, ...]:
    """Return the records without the kept columns that are not in `names`."""
    return tuple(
        dataclasses.replace(record, kept=tuple(pair for pair in record.kept if pair[0] in names))
        if record.kept
        else record
        for record in records
    )


def completed(records: Sequence[Record], updates: Iterable[Record]) -> tuple[Record, ...]:
    """Return the records with further columns filled in from other records of the same files.

    Parameters
    ----------
    records : sequence of Record
        The records to complete.
    updates : iterable of Record
        Records whose non-empty further columns and findings replace those of the record with the
        same file name.
    """
    by_file = {update.file: update for update in updates}
    return tuple(_completed(record, by_file.get(record.file)) for record in records)


def _completed(record: Record, update: Record | None) -> Record:
    if update is None:
        return record
    header = {name: getattr(update, name) or getattr(record, name) for name in HEADER_COLUMNS}
    kept = tuple((dict(record.kept) | dict(update.kept)).items())
    findings = update.findings or record.findings
    return dataclasses.replace(record, **header, kept=kept, findings=findings)


def states_more(records: Sequence[Record], former: Sequence[Record]) -> bool:
    """Return whether any record differs, apart from findings, from its earlier version.

    Parameters
    ----------
    records, former : sequence of Record
        The same images in the same order, now and before.
    """
    return any(
        dataclasses.replace(record, findings=()) != dataclasses.replace(before, findings=())
        for record, before in zip(records, former, strict=True)
    )
