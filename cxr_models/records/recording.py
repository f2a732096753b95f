"""Records from rows of a set: selection by view and column values, and one label per image."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.labels import Labeller
from cxr_models.records.layouts.harmony import harmonised
from cxr_models.records.layouts.values import with_blanks_absent
from cxr_models.records.manifest import FINDING, Record, further_columns
from cxr_models.records.scan import may_be_dicom
from cxr_models.records.selection import (
    MANIFEST_COLUMNS,
    OF_HEADERS,
    is_of_manifest,
    reason_to_leave_out,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cxr_models.records.choices import Choices
    from cxr_models.records.layouts.facts import ImageRow
    from cxr_models.records.layouts.values import Findings

UNCERTAIN_REASON = "its finding is uncertain"
UNKNOWN_REASON = "its findings are unknown"


class Recorded(NamedTuple):
    """Records made from rows, and the rows that make no record."""

    records: list[Record]
    left_out: list[tuple[str, str]]  # existing files that are left out, each with the reason
    listed: int  # number of rows
    absent: int  # number of rows whose file does not exist
    # number of records whose label was made from several present findings
    num_several_findings: int


def record_rows(
    rows: Iterable[ImageRow], choices: Choices, *, columns: Collection[str] = ()
) -> Recorded:
    """Make records from rows.

    Parameters
    ----------
    rows : iterable of ImageRow
        Images of a set. Rows without a file are only counted.
    choices : Choices
        Choice of the images and columns to keep, and of the labels.
    columns : collection of str, default ()
        Names of the columns in the tables of the set. The collection may still grow while `rows`
        is iterated; it is read after the last row.

    Returns
    -------
    Recorded
        The records, the files left out, and the numbers of rows. Rows that give an equal record
        are one row.

    Raises
    ------
    ValueError
        If the set has no finding or column that `choices` names, or `choices` has a rule for
        findings and the set has no findings.
    """
    maker = _Maker(choices)
    records: list[Record] = []
    first_records: dict[str, Record] = {}
    left_out: list[tuple[str, str]] = []
    listed = absent = num_several = 0
    for row in rows:
        listed += 1
        if not row.file:
            absent += 1
            continue
        row = maker.prepared(row)
        compared = maker.compared(row) if choices.where else row
        reason = reason_to_leave_out(compared, choices)
        if reason and may_be_dicom(row.file):
            reason = reason_to_leave_out(compared, choices, header_unread=True)
        label = "" if reason else maker.label(row)
        if label:
            record = maker.record(row, label)
            first = first_records.setdefault(record.file, record)
            if first is not record and first == record:  # a table may repeat a row
                listed -= 1
                continue
            records.append(record)
            num_several += maker.has_several_present(row)
        else:
            left_out.append((row.file, reason or _reason_without_label(row)))
    maker.check(columns)
    return Recorded(records, left_out, listed, absent, num_several)


def _reason_without_label(row: ImageRow) -> str:
    return UNCERTAIN_REASON if any(value for _, value in row.findings) else UNKNOWN_REASON


def searched(pattern: str, text: str) -> str:
    """Return the text that a regular expression finds in `text`; empty if it finds nothing.

    For a pattern with groups, this is the first group that is not empty. For a pattern without
    groups, it is the whole match.
    """
    match = re.search(pattern, text) if pattern else None
    if match is None:
        return ""
    return next((group for group in match.groups() if group), "" if match.groups() else match[0])


class _LabelledFindings(NamedTuple):
    """Renamed findings of a row, and their label.

    The original tuple is stored to keep it alive: the cache uses its `id`, which Python could
    otherwise give to another tuple.
    """

    original: Findings
    findings: Findings
    label: str
    has_several_present: bool


class _Maker:
    """Maker of records from rows, according to the choices."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._labeller = Labeller(choices)
        self._labelled: dict[int, _LabelledFindings] = {}
        self._names: dict[str, None] = {}
        self._keep = frozenset(choices.keep)
        self._extra_names: set[str] = set()
        self._with_values: set[str] = set()  # columns that `where` can compare
        self._makes_labels = bool(self._labeller.chosen_findings())  # of any row, from findings

    def prepared(self, row: ImageRow) -> ImageRow:
        """Return the row with patients, names of findings and blanks according to the choices."""
        if not row.label:
            self._makes_labels = True
        if row.kept:
            self._extra_names.update(name for name, _ in row.kept)
        if patient := searched(self._choices.patient_pattern, row.file):
            row = row._replace(patient=patient)
        labelled = self._of(row)
        return (
            row if labelled.findings is row.findings else row._replace(findings=labelled.findings)
        )

    def compared(self, row: ImageRow) -> ImageRow:
        """Return a prepared row with the label that is made from findings, if it states none.

        The columns in which the row has a value, or the header of its file may have one, are
        remembered for `check`.
        """
        row = row if row.label else row._replace(label=self.label(row))
        self._with_values.update(
            name for name, value in zip(row._fields, row, strict=True) if value
        )
        if may_be_dicom(row.file):
            self._with_values |= OF_HEADERS
        return row

    def label(self, row: ImageRow) -> str:
        """Return the label; empty if uncertain or unknown findings give no label."""
        if row.label and not self._labeller.chosen_findings():
            return row.label
        return self._of(row).label

    def has_several_present(self, row: ImageRow) -> bool:
        """Return whether the label was made from findings of which several are present."""
        if self._choices.label_from or (row.label and not self._choices.priority):
            return False
        return self._of(row).has_several_present

    def _of(self, row: ImageRow) -> _LabelledFindings:
        """Return the renamed and labelled findings of a row.

        Many rows share one tuple of findings, so results are stored by the identity of the tuple.
        Comparing or hashing fourteen pairs for each of 100,000 rows would take longer than all
        other steps.
        """
        labelled = self._labelled.get(id(row.findings))
        if labelled is None:
            findings = harmonised(row.findings) if self._choices.harmonise else row.findings
            if self._choices.blank == "absent":
                findings = with_blanks_absent(findings)
            names = [name for name, _ in findings]
            self._names.update(dict.fromkeys(names))
            self._labeller.check(names)
            has_several_present = len(self._labeller.present(findings)) > 1
            labelled = _LabelledFindings(
                row.findings, findings, self._labeller.label(findings), has_several_present
            )
            self._labelled[id(row.findings)] = self._labelled[id(findings)] = labelled
        return labelled

    def record(self, row: ImageRow, label: str) -> Record:
        """Return the record of a row."""
        extra = row.kept
        if extra and len(extra) != len(self._keep):
            extra = tuple(pair for pair in extra if pair[0] in self._keep)
        return Record(
            file=row.file,
            label=label,
            patient=row.patient,
            group=row.group,
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
        """Raise ValueError if the choices name a column or use findings that the set lacks.

        Without any image, nothing is known of the set, and nothing is checked.
        """
        if not self._labelled:
            return
        if not self._names:
            self._check_without_findings()
        elif self._choices.uncertain != "ignore" and not self._makes_labels:
            raise ValueError(
                "`--uncertain` is only allowed if labels are made from findings; got "
                f"{self._choices.uncertain!r} for a set that states each label. Leave it out, or "
                "make labels with --label-from or --priority."
            )
        self._check_kept()
        for name in self._choices.keep:
            if name not in columns:
                raise ValueError(
                    f"`--keep` must name columns of the set; got {name!r}. It has: "
                    f"{', '.join(sorted(columns)) or 'none'}."
                )
        self._check_where(columns)
        for option, chosen in (("--keep", self._choices.keep), ("--where", self._choices.where)):
            for name in chosen:
                if not is_of_manifest(name) and name not in self._extra_names:
                    raise ValueError(
                        f"`{option}` must name columns with one value for each image; got {name!r}."
                    )

    def _check_where(self, columns: Collection[str]) -> None:
        """Raise ValueError if a condition is about a column in which no image has a value."""
        findings = {FINDING + name for name in self._names}
        own = {name for name in columns if not is_of_manifest(name)}
        available = {*own, *findings, *(MANIFEST_COLUMNS & self._with_values)}
        for name, values in self._choices.where.items():
            if name not in available and not (name in MANIFEST_COLUMNS and "" in values):
                raise ValueError(
                    f"`--where` must name columns of the set that have values; got {name!r}. "
                    f"Columns with values: {', '.join(sorted(available))}."
                )

    def _check_kept(self) -> None:
        """Raise ValueError if a column to keep has a name that means something in a manifest."""
        _, free = further_columns(self._choices.keep)
        reserved = [name for name in self._choices.keep if name not in free]
        if not reserved:
            return
        name = reserved[0]
        cure = "To keep a column of your own CSV, give it another name in the CSV."
        if is_of_manifest(name):
            cure = (
                "It is written without --keep; of your own CSV, it is read with --columns "
                f"{name}=COLUMN."
            )
        raise ValueError(
            f"`--keep` must name columns that mean nothing in a manifest; got {name!r}. {cure}"
        )

    def _check_without_findings(self) -> None:
        """Raise ValueError if the choices have a rule for findings; the set has no findings."""
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
