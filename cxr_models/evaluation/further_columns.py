"""Columns of the records that tables of predictions hold beside the first ones.

What headers and tables of sets say (sex, age, manufacturer and more) is always kept; other columns
of a manifest are kept once values by group were asked for.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cxr_models._cells import harmless, original_cell
from cxr_models.records.manifest import HEADER_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cxr_models.records.manifest import Record

_KEPT = "kept:"  # how columns begin that have no meaning here


def further_columns(records: Sequence[Record]) -> list[str]:
    """Return the further columns of a table of records: those of which a record states a value."""
    header = [name for name in HEADER_COLUMNS if any(getattr(r, name) for r in records)]
    kept = dict.fromkeys(name for record in records for name, _ in record.kept)
    return [*header, *(_KEPT + name for name in kept)]


def further_cells(record: Record, columns: Iterable[str]) -> list[str]:
    """Return the cells of a record in `columns`, as CSV files hold them."""
    kept = dict(record.kept)
    return [
        harmless(
            kept.get(name.removeprefix(_KEPT), "")
            if name.startswith(_KEPT)
            else getattr(record, name)
        )
        for name in columns
    ]


def header_fields(row: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a record that the columns of headers in a table's row fill."""
    return {name: original_cell(row[name] or "") for name in HEADER_COLUMNS if name in row}


def kept_fields(row: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the names and cells of the columns in a table's row that have no meaning here."""
    return tuple(
        (name.removeprefix(_KEPT), original_cell(cell or ""))
        for name, cell in row.items()
        if name and name.startswith(_KEPT)
    )


def with_kept(records: Iterable[Record], names: Collection[str]) -> tuple[Record, ...]:
    """Return the records with those columns alone that have a meaning here or are in `names`."""
    return tuple(
        dataclasses.replace(record, kept=tuple(pair for pair in record.kept if pair[0] in names))
        if record.kept
        else record
        for record in records
    )


def completed(records: Sequence[Record], givers: Iterable[Record]) -> tuple[Record, ...]:
    """Return the records with what other records of the same files say in further columns."""
    by_file = {giver.file: giver for giver in givers}
    return tuple(_completed(record, by_file.get(record.file)) for record in records)


def _completed(record: Record, giver: Record | None) -> Record:
    if giver is None:
        return record
    header = {name: getattr(giver, name) or getattr(record, name) for name in HEADER_COLUMNS}
    kept = tuple((dict(record.kept) | dict(giver.kept)).items())
    findings = giver.findings or record.findings
    return dataclasses.replace(record, **header, kept=kept, findings=findings)


def states_more(records: Sequence[Record], former: Sequence[Record]) -> bool:
    """Return whether records state other further columns than the same records did."""
    return any(
        dataclasses.replace(record, findings=()) != dataclasses.replace(before, findings=())
        for record, before in zip(records, former, strict=True)
    )
