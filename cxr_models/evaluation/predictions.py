"""Predictions of a run as a table, which can be evaluated without the images and the weights.

Knows no framework. The table is a CSV with one comment line before its header. The comment line
states the origin of the predictions and a hash of the lines below it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

import numpy as np

from cxr_enhance.io.atomic import write_whole
from cxr_models._cells import harmless, original_cell
from cxr_models._json import parse_json
from cxr_models._typed_json import converted, from_json, to_json
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.metrics import Outcomes
from cxr_models.evaluation.results import Aggregation, Kind
from cxr_models.records.manifest import Manifest, Record
from cxr_models.records.overlap import Overlap
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

PREDICTIONS_COLUMNS = ("file", "label", "patient", "group", "source", "view", "part")
_TAG = "# cxr-models predictions "
_TOLERANCE = 1e-6  # between a probability and the softmax of the logits


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Hashes of the inputs of predictions; predictions of an equal origin are used again.

    Parameters
    ----------
    weights_sha256, config_sha256, records_sha256 : str
        Hashes of the weights, of the run's settings, and of the records.
    inputs : str
        `cxr_models.inputs.loader.cache_key` of the images: the key changes with the files.
    """

    weights_sha256: str
    config_sha256: str
    records_sha256: str
    inputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head(Origin):
    """The first line of a table; earlier versions did not write `overlap`."""

    FIRST: ClassVar[tuple[str, ...]] = ("set", "kind", "class_names", "labels", "root")

    set: str
    kind: Kind
    class_names: tuple[str, ...]
    labels: tuple[str, ...]
    root: str
    sha256: str
    overlap: Overlap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Logits and probabilities for the images of one set.

    Parameters
    ----------
    name : str
        Name of the set: ``train``, ``val``, ``test``, or the name of an external set.
    kind : {"train", "val", "test", "external"}
        Kind of the set.
    manifest : Manifest
        The records of the images.
    class_names : tuple of str
        The K classes, in the order of the columns.
    labels : tuple of str
        The labels the run knows; equal to `class_names` unless the run's task is binary.
    logits, probabilities : ndarray of shape (N, K), dtype float64
        Logits and probabilities of each image.
    origin : Origin
        Hashes of the weights, settings, records and images.
    overlap : Overlap or None, default None
        Ties of the images to images that the model has seen; None if they were not compared.
    aggregation : Aggregation or None, default None
        How images were joined to the rows; None where each row is an image.
    joined_images : int or None, default None
        Number of the images that were joined.

    Raises
    ------
    ValueError
        If there are no records, shapes do not fit, a number is not finite, the probabilities are
        not the softmax of the logits, or a label is not known.
    """

    name: str
    kind: Kind
    manifest: Manifest
    class_names: tuple[str, ...]
    labels: tuple[str, ...]
    logits: Floats
    probabilities: Floats
    origin: Origin
    overlap: Overlap | None = None
    aggregation: Aggregation | None = None
    joined_images: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"`kind` must be one of {', '.join(get_args(Kind))}; got {self.kind!r}."
            )
        records = self.manifest.records
        if not records:
            raise ValueError(f"`{self.name}` must hold at least one image; got none.")
        unknown = unknown_labels(records, self.labels)
        if unknown:
            raise ValueError(
                f"`label` must be one that the run knows ({', '.join(self.labels)}); got "
                f"{', '.join(unknown)} in {self.name}."
            )
        shape = (len(records), len(self.class_names))
        for name in ("logits", "probabilities"):
            values = getattr(self, name)
            if values.shape != shape:
                raise ValueError(f"`{name}` must have shape {shape}; got {values.shape}.")
            broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
            if len(broken):
                raise ValueError(
                    f"`{name}` must be finite; got {values[broken[0]].tolist()} for "
                    f"{records[broken[0]].file!r} and {len(broken) - 1} other images. The "
                    "weights come from a training that diverged: lower its learning rate."
                )
        if np.abs(softmax(self.logits) - self.probabilities).max() > _TOLERANCE:
            raise ValueError(
                f"`probabilities` of {self.name} must be the softmax of the logits; got other "
                "probabilities."
            )

    def outcomes(
        self, *, temperature: float = 1.0, thresholds: tuple[float | None, ...] = ()
    ) -> Outcomes:
        """Return the input of the metrics; images tied by patient or group are one patient.

        Parameters
        ----------
        temperature : float, default 1.0
            Temperature that calibrates the logits.
        thresholds : tuple of float or None, default ()
            Operating point of each class.
        """
        roots = components(self.manifest.records)
        return Outcomes(
            class_names=self.class_names,
            targets=targets_of_labels(
                [r.label for r in self.manifest.records], self.class_names, self.labels
            ),
            logits=self.logits,
            probabilities=self.probabilities,
            patients=np.unique(roots, return_inverse=True)[1].astype(np.int64),
            temperature=temperature,
            thresholds=thresholds,
        )


def unknown_labels(records: Sequence[Record], labels: Sequence[str]) -> list[str]:
    """Return the labels of `records` that are not in `labels`, sorted."""
    return sorted({record.label for record in records} - set(labels))


def targets_of_labels(
    labels: Sequence[str], class_names: Sequence[str], known: Sequence[str]
) -> npt.NDArray[np.int64]:
    """Return the index of each label's class; in a binary task, 1 for the positive class."""
    if tuple(class_names) == tuple(known):
        places = {name: place for place, name in enumerate(class_names)}
        return np.array([places[label] for label in labels], np.int64)
    return np.array([label == class_names[1] for label in labels], np.int64)


def write_predictions(path: str | os.PathLike[str], predictions: Predictions) -> None:
    """Write a table of predictions, atomically.

    Parameters
    ----------
    path : str or PathLike
        CSV to write, replaced if it exists: the columns file, label, patient, group, source, view
        and part, then ``probability:CLASS`` and ``logit:CLASS`` for each class.
    predictions : Predictions
        The predictions.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    body = io.StringIO()
    writer = csv.writer(body, lineterminator="\n")
    names = predictions.class_names
    writer.writerow(
        [*PREDICTIONS_COLUMNS, *(f"probability:{n}" for n in names), *(f"logit:{n}" for n in names)]
    )
    for record, probabilities, logits in zip(
        predictions.manifest.records,
        predictions.probabilities.tolist(),
        predictions.logits.tolist(),
        strict=True,
    ):
        cells = [getattr(record, column) for column in PREDICTIONS_COLUMNS[:-1]]
        texts = map(harmless, [*cells, predictions.name])
        writer.writerow([*texts, *probabilities, *logits])
    text = body.getvalue().encode()
    head = converted(
        _Head,
        predictions.origin,
        set=predictions.name,
        kind=predictions.kind,
        class_names=names,
        labels=predictions.labels,
        root=os.fspath(predictions.manifest.root),
        sha256=hashlib.sha256(text).hexdigest(),
        overlap=predictions.overlap,
    )
    write_whole(Path(path), f"{_TAG}{json.dumps(to_json(head))}\n".encode() + text)


def read_origin(path: str | os.PathLike[str]) -> Origin | None:
    """Return the origin of the predictions in a file; None if the file does not exist.

    Raises
    ------
    ValueError
        If the file is not a table of predictions.
    """
    path = Path(path)
    if not path.exists():
        return None
    with path.open("rb") as file:
        return converted(Origin, _read_head(file.readline(), path))


def read_predictions(path: str | os.PathLike[str]) -> Predictions:
    """Read a table of predictions and check that it is unchanged since it was written.

    Parameters
    ----------
    path : str or PathLike
        A file that `write_predictions` wrote.

    Returns
    -------
    Predictions
        The predictions that were written.

    Raises
    ------
    ValueError
        If the file is not a table of predictions, was changed, or holds values that `Predictions`
        refuses.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    first, _, text = path.read_bytes().partition(b"\n")
    head = _read_head(first, path)
    if hashlib.sha256(text).hexdigest() != head.sha256:
        raise ValueError(
            f"`{path.name}` must be as cxr-models wrote it; got {str(path)!r}, which was changed "
            "since. Delete the file, and evaluate the run again."
        )
    names = head.class_names
    split = head.kind if head.kind != "external" else ""
    records, values = [], []
    for row in csv.DictReader(io.StringIO(text.decode(), newline="")):
        cells = {column: original_cell(row[column]) for column in PREDICTIONS_COLUMNS[:-1]}
        records.append(Record(**cells, split=split, findings=(), kept=()))
        columns = [f"{value}:{name}" for value in ("probability", "logit") for name in names]
        values.append([_number(row, column, path) for column in columns])
    numbers = np.array(values, np.float64).reshape(len(values), 2 * len(names))
    return Predictions(
        name=head.set,
        kind=head.kind,
        manifest=Manifest(records=tuple(records), root=Path(head.root)),
        class_names=names,
        labels=head.labels,
        probabilities=numbers[:, : len(names)],
        logits=numbers[:, len(names) :],
        origin=converted(Origin, head),
        overlap=head.overlap,
    )


def _read_head(line: bytes, path: Path) -> _Head:
    tag, text = line[: len(_TAG)], line[len(_TAG) :]
    try:
        if tag != _TAG.encode():
            raise ValueError(f"it does not begin with {_TAG.strip()!r}")
        return from_json(_Head, parse_json(text))
    except ValueError as error:
        raise ValueError(
            f"`{path.name}` must be a table of predictions, whose first line states its origin; "
            f"got {str(path)!r}, where that line is not valid: {error}. Delete the file, and "
            "evaluate the run again."
        ) from error


def _number(row: dict[str, str], column: str, path: Path) -> float:
    try:
        number = float(row[column])
    except (KeyError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"`{column}` must be a finite number; got {row.get(column)!r} for {row['file']!r} in "
            f"{path.name}."
        )
    return number
