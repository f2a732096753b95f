"""Rows of a set to records: rows of the chosen views and values, each with one label."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.labels import Labeller
from cxr_models.records.layouts.harmony import harmonised
from cxr_models.records.layouts.values import with_blanks_absent
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
    """Records made of rows, and the rows that make no record."""

    records: list[Record]
    left_out: list[tuple[str, str]]  # files that exist and are left out, with the reason
    listed: int  # listed, absent: number of rows, and of rows whose file does not exist
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
    match = re.search(pattern, text) if pattern else None
    if match is None:
        return ""
    return next((group for group in match.groups() if group), "" if match.groups() else match[0])


class _LabelledFindings(NamedTuple):
    """Findings of a row, renamed and labelled.

    The original tuple is stored, so that no other tuple takes its identity.
    """

    original: Findings
    findings: Findings
    label: str
    several: bool


class _Maker:
    """Makes records of rows, as the choices say."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._labeller = Labeller(choices)
        self._labelled: dict[int, _LabelledFindings] = {}
        self._names: dict[str, None] = {}
        self._keep = frozenset(choices.keep)
        self._extra_names: set[str] = set()

    def prepared(self, row: ImageRow) -> ImageRow:
        """Return the row with its findings under the chosen names, blanks as chosen."""
        if row.kept:
            self._extra_names.update(name for name, _ in row.kept)
        labelled = self._of(row)
        return (
            row if labelled.findings is row.findings else row._replace(findings=labelled.findings)
        )

    def label(self, row: ImageRow) -> str:
        """Return the label; empty where an uncertain finding gives none."""
        if row.label and not self._labeller.chosen_findings():
            return row.label
        return self._of(row).label

    def holds_several(self, row: ImageRow) -> bool:
        """Tell whether the label stands for one of several findings."""
        if self._choices.label_from or (row.label and not self._choices.priority):
            return False
        return self._of(row).several

    def _of(self, row: ImageRow) -> _LabelledFindings:
        """Return the renamed and labelled findings of a row.

        Rows share tuples of findings, so tuples are compared by identity: comparing or hashing
        fourteen pairs for each of a hundred thousand rows takes longer than everything else.
        """
        labelled = self._labelled.get(id(row.findings))
        if labelled is None:
            findings = harmonised(row.findings) if self._choices.harmonise else row.findings
            if self._choices.blank == "absent":
                findings = with_blanks_absent(findings)
            names = [name for name, _ in findings]
            self._names.update(dict.fromkeys(names))
            self._labeller.check(names)
            several = len(self._labeller.present(findings)) > 1
            labelled = _LabelledFindings(
                row.findings, findings, self._labeller.label(findings), several
            )
            self._labelled[id(row.findings)] = self._labelled[id(findings)] = labelled
        return labelled

    def record(self, row: ImageRow, label: str) -> Record:
        """Return the record of a row."""
        extra = row.kept
        if extra and len(extra) != len(self._keep):
            extra = tuple(pair for pair in extra if pair[0] in self._keep)
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
            kept=extra,
        )

    def check(self, columns: Collection[str]) -> None:
        """Raise where the choices name columns that nothing has, or act on findings of none."""
        if not self._names:
            self._check_without_findings()
        findings = {FINDING + name for name in self._names}
        for option, chosen, available in (
            ("--keep", self._choices.keep, set(columns)),
            ("--where", tuple(self._choices.where), {*columns, *MANIFEST_COLUMNS, *findings}),
        ):
            for name in chosen:
                if name not in available:
                    raise ValueError(
                        f"`{option}` must name columns of the set; got {name!r}. It has: "
                        f"{', '.join(sorted(available)) or 'none'}."
                    )
                if name in columns and name not in self._extra_names:
                    raise ValueError(
                        f"`{option}` must name columns with one value for each image; got {name!r}."
                    )
            if option == "--keep" and (reserved := MANIFEST_COLUMNS & set(chosen)):
                raise ValueError(
                    f"`--keep` must name columns that a manifest does not have itself; got "
                    f"{', '.join(sorted(reserved))}."
                )

    def _check_without_findings(self) -> None:
        """Raise where a choice about findings is made for a set that has none."""
        cure = "Leave it out, or name findings with --columns finding:NAME=COLUMN."
        for option, chosen, default in (
            ("--blank", self._choices.blank, "unknown"),
            ("--uncertain", self._choices.uncertain, "ignore"),
        ):
            if chosen != default:
                raise ValueError(
                    f"`{option}` must be {default} for a set without findings; got {chosen!r}. "
                    f"{cure}"
                )
        if self._choices.harmonise:
            raise ValueError(
                f"`--harmonise` is only allowed for a set with findings; got one without. {cure}"
            )
