"""Reading of the predictions of a third-party model from a table.

The result is a number of sets that are evaluated like the sets of a run. Each assumption about the
table is kept as a remark. This module imports no deep-learning framework and opens no image.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cxr_models._counts import counted
from cxr_models.evaluation.comparable_sets import at_root, difference_of
from cxr_models.evaluation.finding_predictions import (
    AnyPredictions,
    FindingPredictions,
)
from cxr_models.evaluation.foreign_columns import (
    classes_of,
    finding_scores_of,
    scores_of,
)
from cxr_models.evaluation.foreign_sources import source_of
from cxr_models.evaluation.foreign_tables import read_table
from cxr_models.evaluation.prediction_tables import Origin
from cxr_models.evaluation.predictions import Predictions
from cxr_models.inputs.targets import finding_targets
from cxr_models.records.layouts.values import UNCERTAIN
from cxr_models.records.manifest import SPLITS, Manifest
from cxr_models.records.patients import patient_key
from cxr_models.records.splits import records_hash
from cxr_models.records.ties import components

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cxr_models.evaluation.foreign_columns import Classes, Scores
    from cxr_models.evaluation.foreign_sources import Table
    from cxr_models.evaluation.foreign_tables import ForeignRow, ForeignTable
    from cxr_models.evaluation.results import Kind
    from cxr_models.records.manifest import Record


class SplitImages(NamedTuple):
    """The records and paths of the images of train, val and test."""

    records: list[Record]
    paths: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRun:
    """The predictions of a third-party model, with remarks on assumptions.

    Parameters
    ----------
    sets : tuple of Predictions or tuple of FindingPredictions
        The sets of the table in this order: train, val, test, other sources.
    manifest : Manifest
        All records with their parts, including records without predictions.
    remarks : tuple of str
        Sentences on assumptions, on changed values and on rows that were left out.
    """

    sets: tuple[AnyPredictions, ...]
    manifest: Manifest
    remarks: tuple[str, ...]

    @property
    def lacking(self) -> list[str]:
        """The parts of the split (train, val, test) without records; an audit needs all parts."""
        return [part for part in SPLITS if not self.manifest.select(part).records]

    @property
    def split_images(self) -> SplitImages:
        """The images of train, val and test, which an audit reads."""
        paths = zip(self.manifest.records, self.manifest.paths(), strict=True)
        chosen = [(record, path) for record, path in paths if record.split]
        return SplitImages([record for record, _ in chosen], [path for _, path in chosen])


def read_foreign(
    table: Table,
    *,
    name: str = "predictions",
    validation: Table | None = None,
    images: str | os.PathLike[str] | None = None,
) -> ForeignRun:
    """Read the predictions of a third-party model.

    Parameters
    ----------
    table : str, PathLike or Columns
        A CSV file in UTF-8 with cells separated by commas, semicolons or tabs; or columns in
        memory, in the forms that `cxr_models.evaluation.foreign_sources.source_of` accepts. A
        table of classes needs ``file``, ``label`` and ``prob:CLASS`` (or ``probability:CLASS``)
        for each class; one column ``prob:X`` is enough for X against all other labels. A table of
        findings, which do not exclude each other, needs ``file`` and, for each finding,
        ``finding:NAME`` and ``prob:NAME``. Columns ``logit:NAME`` may be added to, or replace, the
        columns ``prob:NAME``. Optional columns are those of a manifest, and ``part`` or ``split``
        (train, val, test, or the name of another source). Rows of train without predictions are
        used only by an audit.
    name : str, default "predictions"
        Name of columns in memory in messages.
    validation : str, PathLike or Columns, optional
        A table with the same columns that contains the part val.
    images : str or PathLike, optional
        The folder to which file names are relative. None is the folder of the CSV file or, for
        columns in memory, the working directory.

    Returns
    -------
    ForeignRun
        The sets, with an `Origin` that has no hashes of weights and settings.

    Raises
    ------
    TypeError
        If columns in memory contain values that are neither text nor numbers.
    ValueError
        If a column is missing, a cell has an invalid value, a file is named twice, or there is no
        set to test.
    OSError
        If a file cannot be read.

    Notes
    -----
    Without columns of logits, the logits of classes are the logarithms of the probabilities, and
    the logits of findings are the log odds. For them, a probability of 0 counts as 2.2e-16, or as
    less if the set has smaller probabilities; a finding's probability of 1 counts as 1 - 2.2e-16.
    The probabilities stay as they are.
    """
    source = source_of(table, name)
    root = (source.root if images is None else Path(images)).resolve()
    read = read_table(
        source, root, validation=None if validation is None else source_of(validation, "validation")
    )
    every = (*read.rows, *read.audited)
    manifest = Manifest(records=tuple(row.record for row in every), root=root)
    origin = Origin(
        weights_sha256="",
        config_sha256="",
        records_sha256=records_hash(manifest.records),
        inputs=source.sha256,
    )
    remarks = _remarks_on_records(every)
    sets: list[AnyPredictions] = []
    classes = None
    if not read.has_findings:
        labels = [row.record.label for row in every]
        classes = classes_of(read.columns.classes, labels, read.name)
    for part in _in_order(row.part for row in read.rows):
        rows = [row for row in read.rows if row.part == part]
        scores_from = finding_scores_of if classes is None else scores_of
        scores = scores_from(read.columns, [row.cells for row in rows], _names_of(rows))
        remarks += _remarks_on_scores(part, scores)
        manifest_of_part = Manifest(records=tuple(row.record for row in rows), root=root)
        if classes is None:
            findings = read.columns.classes
            sets.append(_set_of_findings(part, manifest_of_part, scores, findings, origin))
        else:
            sets.append(_set(part, manifest_of_part, scores, classes, origin))
    remarks += _remarks_on_table(read)
    return ForeignRun(sets=tuple(sets), manifest=manifest, remarks=tuple(remarks))


def check_same_files(runs: Mapping[str, ForeignRun]) -> None:
    """Check that all tables have the same test files, as paired tests require.

    The files must have the same classes or findings, the same labels and the same patients. A set
    from another source may differ: it is left out of the comparison.

    Parameters
    ----------
    runs : mapping of str to ForeignRun
        The predictions of each third-party model.

    Raises
    ------
    ValueError
        If the tables have different classes or findings, a table has no set ``test``, its files or
        their labels differ, or the tables group files by patient in different ways. The message
        counts the differences.
    """
    tested_sets = {
        name: {s.name: s for s in run.sets if s.kind in ("test", "external")}
        for name, run in runs.items()
    }
    for name, sets in tested_sets.items():
        if "test" not in sets:
            raise ValueError(
                f"`part` must be test in at least one row of each table, to compare them; got "
                f"{', '.join(sets)} in {name}."
            )
    first, *others = tested_sets
    for other in others:
        sets, other_sets = tested_sets[first], tested_sets[other]
        names = first, other
        _check_same_outputs(names, (sets["test"], other_sets["test"]))
        _check_same_tests(names, (sets["test"], other_sets["test"]))
        for part in [part for part in sets if part in other_sets]:
            pair = sets[part], other_sets[part]
            if part == "test" or not _difference(*pair):
                _check_same_patients(names, pair)


def _check_same_outputs(
    names: tuple[str, str], sets: tuple[AnyPredictions, AnyPredictions]
) -> None:
    first, second = map(_outputs_of, sets)
    if first != second:
        raise ValueError(
            f"`prob:` must be of the same classes or findings in {names[0]} and {names[1]}, to "
            f"compare them; got {first} and {second}. Evaluate the tables one by one."
        )


def _outputs_of(predictions: AnyPredictions) -> str:
    if isinstance(predictions, FindingPredictions):
        return f"the findings {', '.join(sorted(predictions.findings))}"
    return f"the classes {', '.join(sorted(predictions.class_names))}"


def _check_same_tests(names: tuple[str, str], sets: tuple[AnyPredictions, AnyPredictions]) -> None:
    first, other = names
    here, there = map(_files, sets)
    if here != there:
        raise ValueError(
            f"`{other}` must hold the files of {first} in test, to be compared with it; "
            f"got {len(there):,} files, {len(there - here):,} of them not among the "
            f"{len(here):,} of {first}, which has {len(here - there):,} that are missing. "
            "Evaluate the tables one by one, or leave out the rows that only one has."
        )
    difference = _difference(*sets)
    if difference:
        raise ValueError(
            f"`{other}` must hold the labels of {first} in test, to be compared with it; got "
            f"{difference}. Write the same labels into both tables, or evaluate the tables one by "
            "one."
        )


def _difference(first: AnyPredictions, second: AnyPredictions) -> str:
    """Return how the files or labels of two sets differ; empty if they do not."""
    return difference_of(at_root(first, Path()), at_root(second, Path()))


def _check_same_patients(
    names: tuple[str, str], sets: tuple[AnyPredictions, AnyPredictions]
) -> None:
    first, second = map(_first_files, sets)
    differing = sorted(file for file, of_patient in first.items() if second[file] != of_patient)
    if differing:
        raise ValueError(
            f"`patient` must group the files of {sets[0].name} in the same way in {names[0]} and "
            f"{names[1]}; got differences for {counted(len(differing), 'file')}, such "
            f"as {differing[0]!r}. Tests and intervals are over patients: write the same columns "
            "patient, source and group into both tables."
        )


def _first_files(predictions: AnyPredictions) -> dict[str, str]:
    """Return, for each file, the first file name (in sorted order) of the same patient."""
    records = predictions.manifest.records
    roots = components(records)
    first: dict[int, str] = {}
    for record, root in zip(records, roots, strict=True):
        first[root] = min(first.get(root, record.file), record.file)
    return {record.file: first[root] for record, root in zip(records, roots, strict=True)}


def _names_of(rows: Sequence[ForeignRow]) -> Callable[[int], str]:
    return lambda place: rows[place].record.file


def _set(
    part: str, manifest: Manifest, scores: Scores, classes: Classes, origin: Origin
) -> Predictions:
    order = list(classes.order)
    return Predictions(
        name=part,
        kind=_kind(part),
        manifest=manifest,
        class_names=classes.names,
        labels=classes.labels,
        logits=scores.logits[:, order],
        probabilities=scores.probabilities[:, order],
        origin=origin,
        logits_given=scores.logits_given,
    )


def _set_of_findings(
    part: str, manifest: Manifest, scores: Scores, findings: tuple[str, ...], origin: Origin
) -> FindingPredictions:
    return FindingPredictions(
        name=part,
        kind=_kind(part),
        manifest=manifest,
        findings=findings,
        targets=finding_targets(manifest, findings),
        logits=scores.logits,
        probabilities=scores.probabilities,
        origin=origin,
        logits_given=scores.logits_given,
    )


def _kind(part: str) -> Kind:
    return part if part in SPLITS else "external"  # type: ignore[return-value]


def _in_order(parts: Iterable[str]) -> list[str]:
    """Return the parts that occur: train, val, test, then other sources in their given order."""
    occurring = dict.fromkeys(parts)
    return [part for part in dict.fromkeys((*SPLITS, *occurring)) if part in occurring]


def _remarks_on_records(rows: Sequence[ForeignRow]) -> list[str]:
    """Return remarks on images without a patient id, tied images, and leaks between parts."""
    remarks = []
    parts_of_patient: dict[tuple[str, str], set[str]] = defaultdict(set)
    without = 0
    for row in rows:
        key = patient_key(row.record)
        if key is None:
            without += not row.record.group
        else:
            parts_of_patient[key].add(row.part)
    if without:
        remarks.append(
            f"{counted(without, 'image has', 'images have')} no patient id; each is "
            "treated as its own patient, and intervals are too narrow where it is not"
        )
    records = [row.record for row in rows]
    if any(record.group for record in records):
        alone = [dataclasses.replace(record, group="") for record in records]
        count, tied = (len(set(components(of))) for of in (alone, records))
        if tied < count:
            remarks.append(
                f"the column group ties images: {count:,} patients count as {tied:,}; leave it out "
                "if it is not of images that belong together"
            )
    seen = {patient for patient, parts in parts_of_patient.items() if _leaks(parts)}
    if seen:
        remarks.append(
            f"WARNING: {counted(len(seen), 'patient is', 'patients are')} in train "
            "or val and in a tested set too: its values are too good"
        )
    tied_images = sum(patient_key(row.record) not in seen for row in _rows_tied_to_training(rows))
    if tied_images:
        remarks.append(
            "WARNING: the column group ties "
            f"{counted(tied_images, 'image')} of tested sets to images of train or "
            "val: the values of these sets are too good"
        )
    return remarks


def _leaks(parts: set[str]) -> bool:
    """Return whether parts include a tested set and a part that training or choices used."""
    return bool(parts & {"train", "val"}) and bool(parts - {"train", "val"})


def _rows_tied_to_training(rows: Sequence[ForeignRow]) -> list[ForeignRow]:
    """Return the rows of tested sets that are tied to rows of train or val."""
    roots = components([row.record for row in rows])
    parts: dict[int, set[str]] = defaultdict(set)
    for root, row in zip(roots, rows, strict=True):
        parts[root].add(row.part)
    return [
        row
        for root, row in zip(roots, rows, strict=True)
        if row.part not in ("train", "val") and _leaks(parts[root])
    ]


def _remarks_on_scores(part: str, scores: Scores) -> list[str]:
    """Return remarks on sums that are not 1 and on probabilities without a finite logit."""
    remarks = []
    if scores.off:
        images = counted(scores.off, "image does", "images do")
        remarks.append(
            f"{part}: the probabilities of {images} not sum to 1; logits are those of the "
            "probabilities divided by their sum"
        )
    if scores.zeros:
        remarks.append(
            f"{part}: probabilities of 0 or 1 have no finite logit and count as numbers near them "
            f"in logits, {scores.zeros:,} of them"
        )
    return remarks


def _remarks_on_table(table: ForeignTable) -> list[str]:
    """Return remarks on missing columns and parts, and on uncertain findings."""
    remarks = []
    if not table.columns.logits:
        remarks.append(
            "no columns logit:CLASS: logarithms of the probabilities take the place of logits"
        )
    names = table.columns.classes if table.has_findings else ()
    uncertain = sum(row.record.finding(name) == UNCERTAIN for row in table.rows for name in names)
    if uncertain:
        remarks.append(f"uncertain findings count as unknown, {uncertain:,} of them")
    if table.audited:
        images = counted(len(table.audited), "image")
        remarks.append(f"train, {images}, has no predictions and is not evaluated")
    if not any(row.part == "val" for row in table.rows):
        remarks.append(
            "no validation part: probabilities are not calibrated, and thresholds are not chosen "
            "on validation"
        )
    return remarks


def _files(predictions: AnyPredictions) -> frozenset[str]:
    return frozenset(record.file for record in predictions.manifest.records)
