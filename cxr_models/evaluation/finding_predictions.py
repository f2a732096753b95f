"""Predictions of findings as a table; an image may show any number of findings.

Each finding is evaluated separately, over the images with a known label.
`FindingPredictions.outcomes` returns a finding as two classes, so that the code that evaluates
classes can also evaluate a finding. This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cxr_models._typed_json import converted
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.metrics import Outcomes
from cxr_models.evaluation.prediction_tables import (
    FINDINGS_TAG,
    Origin,
    TableHead,
    holds_findings,
    read_numbers,
    read_records,
    read_table,
    table_text,
    write_table,
)
from cxr_models.evaluation.predictions import (
    TOLERANCE,
    Predictions,
    check_numbers,
    check_set,
    patients_of,
    read_predictions,
)
from cxr_models.evaluation.results import Aggregation, Kind
from cxr_models.records.manifest import FINDING, Manifest
from cxr_models.records.overlap import Overlap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from cxr_models.records.manifest import Record

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Targets = npt.NDArray[np.int8]

PRESENT, ABSENT, UNKNOWN = 1, 0, -1  # values of targets
_TARGETS = {"1": PRESENT, "0": ABSENT, "": UNKNOWN}  # target for each cell of a table
_CELLS = {target: cell for cell, target in _TARGETS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head(TableHead):
    FIRST: ClassVar[tuple[str, ...]] = ("set", "kind", "findings", "root")

    set: str
    kind: Kind
    findings: tuple[str, ...]
    root: str
    overlap: Overlap | None = None
    logits_given: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingPredictions:
    """Logits and probabilities of K findings for the N images of one set.

    Parameters
    ----------
    name : str
        Name of the set: ``train``, ``val``, ``test``, or the name of an external set.
    kind : {"train", "val", "test", "external"}
        Kind of the set.
    manifest : Manifest
        The records of the images. The findings in the records are ignored; `targets` counts.
    findings : tuple of str
        The K findings, in the order of the columns.
    targets : ndarray of shape (N, K), dtype int8
        1 if the finding is present, 0 if it is absent, -1 if its label is unknown.
    logits : ndarray of shape (N, K), dtype float64
        The logit of each finding.
    probabilities : ndarray of shape (N, K), dtype float64
        The sigmoid of the logits.
    origin : Origin
        Hashes of the weights, settings, records and images.
    overlap : Overlap or None, default None
        Ties of the images to images that the model has seen; None if they were not compared.
    aggregation : Aggregation or None, default None
        The unit and the rule by which images were joined to rows; None if each row is an image.
    joined_images : int or None, default None
        Number of images before they were joined to rows; None if each row is an image.
    logits_given : bool, default True
        Whether the model gave the logits. False if they are the log odds of the probabilities that
        a third-party model gave.

    Raises
    ------
    TypeError
        If `targets` is not int8.
    ValueError
        If there are no records or no findings, a finding is named twice, shapes do not fit, a
        number is not finite, a target is not 1, 0 or -1, or the probabilities are not the sigmoid
        of the logits.
    """

    name: str
    kind: Kind
    manifest: Manifest
    findings: tuple[str, ...]
    targets: Targets
    logits: Floats
    probabilities: Floats
    origin: Origin
    overlap: Overlap | None = None
    aggregation: Aggregation | None = None
    joined_images: int | None = None
    logits_given: bool = True

    def __post_init__(self) -> None:
        records = self.manifest.records
        check_set(self.name, self.kind, records)
        if not self.findings or len(set(self.findings)) < len(self.findings):
            raise ValueError(
                f"`findings` must be different names, at least one; got {self.findings!r}."
            )
        if self.targets.dtype != np.int8:
            raise TypeError(f"`targets` must have dtype int8; got {self.targets.dtype}.")
        for name in ("targets", "logits", "probabilities"):
            check_numbers(name, getattr(self, name), records, len(self.findings))
        if not np.isin(self.targets, (PRESENT, ABSENT, UNKNOWN)).all():
            raise ValueError(
                "`targets` must be 1 (present), 0 (absent) or -1 (unknown); got "
                f"{', '.join(map(str, np.unique(self.targets)))} in {self.name}."
            )
        if np.abs(sigmoid(self.logits) - self.probabilities).max() > TOLERANCE:
            raise ValueError(
                f"`probabilities` of {self.name} must be the sigmoid of the logits; got other "
                "probabilities."
            )

    @property
    def patients(self) -> Ints:
        """The patient number of each image, 0..P-1; tied images have the same patient."""
        return patients_of(self.manifest.records)

    @property
    def stated_records(self) -> tuple[Record, ...]:
        """The records of the images, with the K findings filled in from `targets`."""
        records = []
        for record, targets in zip(self.manifest.records, self.targets.tolist(), strict=True):
            cells = zip(self.findings, (_CELLS[target] for target in targets), strict=True)
            findings = dict(record.findings) | dict(cells)
            records.append(dataclasses.replace(record, findings=tuple(findings.items())))
        return tuple(records)

    def in_order(self, findings: Sequence[str]) -> FindingPredictions:
        """Return the predictions with the findings in another order.

        Parameters
        ----------
        findings : sequence of str
            All findings in the wanted order. If these are not the findings of the predictions, the
            predictions are returned unchanged.
        """
        if tuple(findings) == self.findings or sorted(findings) != sorted(self.findings):
            return self
        order = [self.findings.index(finding) for finding in findings]
        return dataclasses.replace(
            self,
            findings=tuple(findings),
            targets=self.targets[:, order],
            logits=self.logits[:, order],
            probabilities=self.probabilities[:, order],
        )

    def known(self, finding: str) -> Ints:
        """Return the indices of the images whose label for a finding is known."""
        return np.flatnonzero(self.targets[:, self.findings.index(finding)] != UNKNOWN)

    def outcomes(
        self, finding: str, *, temperature: float = 1.0, threshold: float | None = None
    ) -> Outcomes:
        """Return one finding as two classes, over the images whose label is known.

        Parameters
        ----------
        finding : str
            One of `findings`. The classes are ``no NAME`` and ``NAME``. Their logits are 0 and z,
            so that their softmax is the sigmoid of z.
        temperature : float, default 1.0
            Temperature that calibrates the logits of this finding.
        threshold : float or None, default None
            Operating point of the finding, a calibrated probability.

        Returns
        -------
        Outcomes
            The patients of the known images are numbered 0..P-1. All arrays are empty if no label
            is known.
        """
        place, rows = self.findings.index(finding), self.known(finding)
        logits = two_logits(self.logits[rows, place])
        patients = np.unique(self.patients[rows], return_inverse=True)[1]
        return Outcomes(
            class_names=(f"no {finding}", finding),
            targets=self.targets[rows, place].astype(np.int64),
            logits=logits,
            probabilities=softmax(logits),
            patients=patients.astype(np.int64),
            temperature=temperature,
            thresholds=(None, threshold),
        )


AnyPredictions = Predictions | FindingPredictions


def sigmoid(logits: Floats) -> Floats:
    """Return the probabilities of logits, of the same shape, without overflow."""
    small = np.exp(-np.abs(logits))
    shares: Floats = np.where(logits >= 0, 1.0, small) / (1.0 + small)
    return shares


def two_logits(logits: Floats) -> Floats:
    """Return logits (N,) of a finding as logits (N, 2) of two classes, absent and present."""
    return np.stack([np.zeros_like(logits), logits], axis=1)


def write_finding_predictions(
    path: str | os.PathLike[str], predictions: FindingPredictions
) -> None:
    """Write a table of predictions of findings, atomically.

    Parameters
    ----------
    path : str or PathLike
        CSV file to write; an existing file is replaced. Its columns are file, label, patient,
        group, source, view and part, then further columns of the records (see
        `write_predictions`), then for each finding ``finding:NAME`` (1, 0, or empty if unknown),
        then ``probability:NAME`` for each finding, then ``logit:NAME`` for each finding.
    predictions : FindingPredictions
        The predictions.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    names = predictions.findings
    cells = (
        [*(_CELLS[target] for target in targets), *probabilities, *logits]
        for targets, probabilities, logits in zip(
            predictions.targets.tolist(),
            predictions.probabilities.tolist(),
            predictions.logits.tolist(),
            strict=True,
        )
    )
    records = predictions.manifest.records
    text = table_text(predictions.name, records, _columns(names), cells)
    head = converted(
        _Head,
        predictions.origin,
        set=predictions.name,
        kind=predictions.kind,
        findings=names,
        root=os.fspath(predictions.manifest.root),
        sha256=hashlib.sha256(text).hexdigest(),
        overlap=predictions.overlap,
        logits_given=predictions.logits_given,
    )
    write_table(path, FINDINGS_TAG, head, text)


def read_finding_predictions(path: str | os.PathLike[str]) -> FindingPredictions:
    """Read a table of predictions of findings and check that it is unchanged.

    Parameters
    ----------
    path : str or PathLike
        A file that `write_finding_predictions` wrote.

    Returns
    -------
    FindingPredictions
        The predictions that were written. Their records have no findings; `targets` has them.

    Raises
    ------
    ValueError
        If the file is not a table of predictions of findings, was changed, or contains values that
        `FindingPredictions` rejects.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    head, rows = read_table(path, FINDINGS_TAG, _Head)
    count = len(head.findings)
    columns = _columns(head.findings)
    numbers = read_numbers(rows, columns[count:], path)
    targets = [[_target(row, column, path) for column in columns[:count]] for row in rows]
    return FindingPredictions(
        name=head.set,
        kind=head.kind,
        manifest=Manifest(records=read_records(rows, head.kind), root=Path(head.root)),
        findings=head.findings,
        targets=np.array(targets, np.int8).reshape(len(rows), count),
        probabilities=numbers[:, :count],
        logits=numbers[:, count:],
        origin=converted(Origin, head),
        overlap=head.overlap,
        logits_given=head.logits_given,
    )


def read_any_predictions(path: str | os.PathLike[str]) -> AnyPredictions:
    """Read a table of predictions of classes or of findings.

    Parameters
    ----------
    path : str or PathLike
        A file that `write_predictions` or `write_finding_predictions` wrote.

    Raises
    ------
    ValueError
        If the file is not a table of predictions, was changed, or contains invalid values.
    OSError
        If the file cannot be read.
    """
    return read_finding_predictions(path) if holds_findings(path) else read_predictions(path)


def _columns(findings: Sequence[str]) -> list[str]:
    prefixes = (FINDING, "probability:", "logit:")
    return [f"{prefix}{name}" for prefix in prefixes for name in findings]


def _target(row: Mapping[str, str], column: str, path: Path) -> int:
    cell = row.get(column)
    if cell not in _TARGETS:
        raise ValueError(
            f"`{column}` must be 1, 0 or empty; got {cell!r} for {row['file']!r} in {path.name}."
        )
    return _TARGETS[cell]
