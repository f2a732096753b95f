"""Reading of the rows of third-party models' tables: records, parts and cells.

`cxr_models.evaluation.foreign_columns` converts the cells to numbers; this module does not.
"""

from __future__ import annotations

import os
import re
import reprlib
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.evaluation.foreign_columns import class_columns, is_class_column
from cxr_models.records.labels import UNKNOWN_LABEL
from cxr_models.records.layouts.values import FindingsOf
from cxr_models.records.manifest import (
    COLUMNS,
    FINDING,
    FURTHER_COLUMNS,
    SPLITS,
    Record,
    check_names_differ,
    file_of_cell,
    further_columns,
)
from cxr_models.records.official import PART_NAMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cxr_models.evaluation.foreign_columns import ClassColumns
    from cxr_models.evaluation.foreign_sources import Source

_TEXTS = (*COLUMNS[2:-1], *FURTHER_COLUMNS)  # columns of a record, except file, label and split
_PART_COLUMNS = ("part", "split")
_LONGEST_PART = 200  # bytes; file systems allow 255 for external-PART.csv and a temporary suffix


class ForeignRow(NamedTuple):
    """A row of a table."""

    record: Record
    part: str  # train, val, test, or the name of another source
    cells: list[str]  # cells of the class columns


class ForeignTable(NamedTuple):
    """The rows of a table, together with the rows of its validation table."""

    name: str  # name in messages
    columns: ClassColumns
    has_findings: bool  # whether the columns are findings, which do not exclude each other
    rows: list[ForeignRow]  # the rows that can be evaluated
    audited: list[ForeignRow]  # the rows of train, if no row of train has a prediction


def read_table(source: Source, root: Path, *, validation: Source | None = None) -> ForeignTable:
    """Read a table and, if given, a second table with the part val.

    Parameters
    ----------
    source : Source
        The table. Its rows belong to test if no column names their part.
    root : Path
        The folder to which file names are relative.
    validation : Source, optional
        A table with the same columns whose rows belong to val.

    Raises
    ------
    ValueError
        If a column is missing, a cell has an invalid value, a file is named twice, the columns of
        both tables differ, or there is no set to test.
    OSError
        If a file cannot be read.
    """
    columns, has_findings, rows = _read(source, root, part="test")
    if validation is not None:
        rows = [*rows, *_validation_rows(validation, root, columns, has_findings, rows)]
    check_names_differ(row.record.file for row in rows)
    train = [row for row in rows if row.part == "train"]
    audited = [] if any(cell.strip() for row in train for cell in row.cells) else train
    evaluated = [row for row in rows if row.part != "train"] if audited else rows
    parts = {row.part for row in rows}
    _check_lengths(parts)
    if parts <= {"train", "val"}:
        raise ValueError(
            "`part` must be test, or the name of another source, in at least one row; got "
            f"{' and '.join(sorted(parts))} in {source.name}."
        )
    return ForeignTable(source.name, columns, has_findings, evaluated, audited)


def _read(source: Source, root: Path, *, part: str) -> tuple[ClassColumns, bool, list[ForeignRow]]:
    """Read the columns, whether they are findings, and the rows of a table.

    The rows belong to `part` if no column names their part. The class columns are findings if each
    of them has a column ``finding:NAME``.
    """
    name = source.name
    cells = iter(source.cells)
    header = [column.strip() for column in next(cells, [])]
    findings = {column.removeprefix(FINDING) for column in further_columns(header)[0]}
    if "file" not in header or not (findings or "label" in header):
        raise ValueError(
            f"`{name}` must have the columns file and label, and prob:CLASS for each class; got "
            f"{', '.join(header) or 'no columns'}."
        )
    columns = class_columns(header, name)
    has_findings = set(columns.classes) <= findings
    if not has_findings and "label" not in header:
        lacking = next(label for label in columns.classes if label not in findings)
        raise ValueError(
            f"`{name}` must have the column label, or finding:NAME for each prob:NAME; got no "
            f"finding:{lacking}."
        )
    fields = _Fields(header, name, part, root)
    rows = []
    for number, row in enumerate(cells, start=1):
        try:
            record, stated = fields.read(row)
        except ValueError as error:
            raise ValueError(f"{error} Row {number} of {source.place!r}.") from error
        rows.append(ForeignRow(record, stated, [row[place] for place in columns.places]))
    if not rows:
        raise ValueError(f"`{name}` must hold at least one row; got none.")
    return columns, has_findings, rows


class _Fields:
    """A reader of the record and the part of each row."""

    def __init__(self, header: Sequence[str], name: str, part: str, root: Path) -> None:
        part_columns = [column for column in _PART_COLUMNS if column in header]
        if len(part_columns) > 1:
            raise ValueError(f"`{name}` must have one of the columns part and split; got both.")
        self._part, self._part_place = part, header.index(part_columns[0]) if part_columns else None
        self._words: dict[str, str] = {}  # for each other source, the first spelling of its name
        self._file, self._root = header.index("file"), root
        self._label = header.index("label") if "label" in header else None
        self._texts = {column: header.index(column) for column in _TEXTS if column in header}
        findings, extra = further_columns(header)
        self._findings_of = FindingsOf([column.removeprefix(FINDING) for column in findings])
        self._findings = [header.index(column) for column in findings]
        self._kept = [
            (column, header.index(column))
            for column in extra
            if not is_class_column(column) and column not in _PART_COLUMNS
        ]

    def read(self, row: Sequence[str]) -> tuple[Record, str]:
        """Return the record and the part of a row."""
        part = self._part
        if self._part_place is not None:
            word = row[self._part_place].strip()
            part = _part(word)
            first = self._words.setdefault(part.casefold(), word) if part not in SPLITS else word
            if first != word:
                raise ValueError(
                    "`part` must name other sources by different letters, digits, - and _, as they "
                    f"name files; got {first!r} and {word!r}. Write one of them in another way."
                )
        record = Record(
            file=file_of_cell(row[self._file], self._root),
            label=UNKNOWN_LABEL if self._label is None else row[self._label].strip(),
            split=part if part in SPLITS else "",
            **{column: row[place].strip() for column, place in self._texts.items()},
            findings=self._findings_of(tuple(row[place].strip() for place in self._findings)),
            kept=tuple((column, row[place]) for column, place in self._kept),
        )
        return record, part


def _part(word: str) -> str:
    part = PART_NAMED.get(word.lower(), word)
    if not part:
        raise ValueError(
            "`part` must be train, val, test, or the name of another source; got ''. Leave the "
            "column out if all rows are of the test set."
        )
    return part if part in SPLITS else re.sub(r"[^\w.-]+", "_", part)


def _check_lengths(parts: Iterable[str]) -> None:
    """Raise ValueError if the name of a part is too long for the file name of its predictions."""
    for part in parts:
        if len(os.fsencode(part)) > _LONGEST_PART:
            raise ValueError(
                f"`part` must name other sources in at most {_LONGEST_PART} bytes, as they name "
                f"files; got {len(os.fsencode(part)):,} bytes: {reprlib.repr(part)}. Write it "
                "shorter; a letter outside a-z takes 2 to 4 bytes."
            )


def _validation_rows(
    source: Source,
    root: Path,
    columns: ClassColumns,
    has_findings: bool,
    rows: Sequence[ForeignRow],
) -> list[ForeignRow]:
    given = sum(row.part == "val" for row in rows)
    if given:
        raise ValueError(
            "`--validation` is only allowed with predictions that have no rows of val; got "
            f"{given:,} such rows. Leave them out, or leave out --validation."
        )
    of_validation, with_findings, validation_rows = _read(source, root, part="val")
    kinds = [(c.classes, bool(c.probabilities), bool(c.logits)) for c in (columns, of_validation)]
    if kinds[0] != kinds[1] or has_findings != with_findings:
        raise ValueError(
            "`--validation` must have the columns prob: and logit: that the predictions have, for "
            f"{', '.join(columns.classes)}; got others in {source.place!r}."
        )
    others = sorted({row.part for row in validation_rows} - {"val"})
    if others:
        raise ValueError(
            f"`--validation` must hold rows of val alone; got {', '.join(others)} in "
            f"{source.place!r}."
        )
    return validation_rows
