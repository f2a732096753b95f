"""Rows of a set to records: those of the views and values asked for, with a label each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.labels import Labeller
from cxr_models.records.layouts.harmony import harmonised
from cxr_models.records.manifest import FINDING, Record
from cxr_models.records.scan import may_be_dicom
from cxr_models.records.selection import MANIFEST_COLUMNS, reason_to_leave_out

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cxr_models.records.choices import Choices
    from cxr_models.records.layouts.facts import ImageRow
    from cxr_models.records.layouts.values import Findings

UNCERTAIN_REASON = "its finding is uncertain"


class Recorded(NamedTuple):
    """Records made of rows, and what became of the others."""

    records: list[Record]  # those that are kept
    left_out: list[tuple[str, str]]  # files that are there and not kept, and why
    listed: int  # listed, absent: rows, and how many of them name no file that is there
    absent: int
    several: int  # records with several findings whose label is made of them


def record_rows(
    rows: Iterable[ImageRow], choices: Choices, *, columns: Collection[str] = ()
) -> Recorded:
    """Make records of rows.

    Parameters
    ----------
    rows : iterable of ImageRow
        Images of a set; those without a file are counted.
    choices : Choices
        Labels, views and columns to make of them.
    columns : collection of str, default ()
        Columns that the tables of the set have; read when all rows were.

    Raises
    ------
    ValueError
        If a finding or column of `choices` is not there.
    """
    maker = _Maker(choices)
    records: list[Record] = []
    left_out: list[tuple[str, str]] = []
    listed = absent = several = 0
    for row in rows:
        listed += 1
        if not row.file:
            absent += 1
            continue
        row = maker.prepared(row)
        reason = reason_to_leave_out(row, choices)
        if reason and may_be_dicom(row.file):
            reason = reason_to_leave_out(row, choices, header_unread=True)
        label = "" if reason else maker.label(row)
        if label:
            records.append(maker.record(row, label))
            several += maker.holds_several(row)
        else:
            left_out.append((row.file, reason or UNCERTAIN_REASON))
    maker.check(columns)
    return Recorded(records, left_out, listed, absent, several)


def searched(pattern: str, text: str) -> str:
    """Return the first group of a regular expression that took part in a match, or the match."""
    found = re.search(pattern, text) if pattern else None
    if found is None:
        return ""
    return next((group for group in found.groups() if group), "" if found.groups() else found[0])


class _Made(NamedTuple):
    """What is made of findings; they are kept, so that no other tuple takes their identity."""

    given: Findings
    findings: Findings
    label: str
    several: bool


class _Maker:
    """What the choices make of a row."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._labeller = Labeller(choices)
        self._made: dict[int, _Made] = {}
        self._names: dict[str, None] = {}
        self._keep = frozenset(choices.keep)
        self._given: set[str] = set()

    def prepared(self, row: ImageRow) -> ImageRow:
        """Return the row with the names of findings that were asked for."""
        if row.kept:
            self._given.update(name for name, _ in row.kept)
        made = self._of(row)
        return row if made.findings is row.findings else row._replace(findings=made.findings)

    def label(self, row: ImageRow) -> str:
        """Return the label; empty where an uncertain finding gives none."""
        if row.label and not self._labeller.named():
            return row.label
        return self._of(row).label

    def holds_several(self, row: ImageRow) -> bool:
        """Tell whether the label stands for one of several findings."""
        if self._choices.label_from or (row.label and not self._choices.priority):
            return False
        return self._of(row).several

    def _of(self, row: ImageRow) -> _Made:
        """Return what is made of a row's findings.

        Rows share tuples of findings, so that they are told apart by identity: to compare or hash
        fourteen pairs for each of a hundred thousand rows takes longer than all the rest.
        """
        made = self._made.get(id(row.findings))
        if made is None:
            findings = harmonised(row.findings) if self._choices.harmonise else row.findings
            names = [name for name, _ in findings]
            self._names.update(dict.fromkeys(names))
            self._labeller.check(names)
            several = len(self._labeller.present(findings)) > 1
            made = _Made(row.findings, findings, self._labeller.label(findings), several)
            self._made[id(row.findings)] = self._made[id(findings)] = made
        return made

    def record(self, row: ImageRow, label: str) -> Record:
        """Return the record of a row that is kept."""
        kept = row.kept
        if kept and len(kept) != len(self._keep):
            kept = tuple(pair for pair in kept if pair[0] in self._keep)
        pattern = self._choices.patient_pattern
        return Record(
            file=row.file,
            label=label,
            patient=searched(pattern, row.file) if pattern else row.patient,
            source=row.source,
            view=row.view,
            split=row.split if self._choices.official_split else "",
            study=row.study,
            modality=row.modality,
            sex=row.sex,
            age=row.age,
            manufacturer=row.manufacturer,
            date=row.date,
            findings=row.findings,
            kept=kept,
        )

    def check(self, columns: Collection[str]) -> None:
        """Raise where the choices name columns that nothing has."""
        findings = {FINDING + name for name in self._names}
        for option, wanted, known in (
            ("--keep", self._choices.keep, set(columns)),
            ("--where", tuple(self._choices.where), {*columns, *MANIFEST_COLUMNS, *findings}),
        ):
            for name in wanted:
                if name not in known:
                    raise ValueError(
                        f"`{option}` must name columns of the set; got {name!r}. It has: "
                        f"{', '.join(sorted(known)) or 'none'}."
                    )
                if name in columns and name not in self._given:
                    raise ValueError(
                        f"`{option}` must name columns with one value for each image; got {name!r}."
                    )
            if option == "--keep" and (taken := MANIFEST_COLUMNS & set(wanted)):
                raise ValueError(
                    f"`--keep` must name columns that a manifest does not have itself; got "
                    f"{', '.join(sorted(taken))}."
                )
