"""Predictions of a run as a table, which can be evaluated without the images and the weights.

`prediction_tables` defines the file format. This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

import numpy as np

from cxr_models._typed_json import converted
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.metrics import Outcomes
from cxr_models.evaluation.prediction_tables import (
    CLASSES_TAG,
    Origin,
    TableHead,
    read_numbers,
    read_records,
    read_table,
    table_text,
    write_table,
)
from cxr_models.evaluation.results import Aggregation, Kind
from cxr_models.records.manifest import Manifest
from cxr_models.records.overlap import Overlap
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cxr_models.records.manifest import Record

    Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-6  # largest difference between a probability and the softmax of the logits
# Largest distance of the sum of an image's given probabilities from 1: four classes with two
# decimals.
SUM_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head(TableHead):
    """The content of the first line of a table; earlier versions did not write all its keys."""

    FIRST: ClassVar[tuple[str, ...]] = ("set", "kind", "class_names", "labels", "root")

    set: str
    kind: Kind
    class_names: tuple[str, ...]
    labels: tuple[str, ...]
    root: str
    overlap: Overlap | None = None
    logits_given: bool = True


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
        The labels that images may have; equal to `class_names` unless the run's task is binary.
    logits, probabilities : ndarray of shape (N, K), dtype float64
        Logits and probabilities of each image. The probabilities are the softmax of the logits;
        given probabilities may differ from it by rounding.
    origin : Origin
        Hashes of the weights, settings, records and images.
    overlap : Overlap or None, default None
        Ties of the images to images that the model has seen; None if they were not compared.
    aggregation : Aggregation or None, default None
        The unit and the rule by which images were joined to rows; None if each row is an image.
    joined_images : int or None, default None
        Number of images before they were joined to rows; None if each row is an image.
    logits_given : bool, default True
        Whether the model gave the logits. False if they are logarithms of the probabilities that a
        third-party model gave.

    Raises
    ------
    ValueError
        If the kind is not known, there are no records, shapes do not fit, a number is not finite,
        the probabilities are not the softmax of the logits, or a label is not in `labels`.
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
    logits_given: bool = True

    def __post_init__(self) -> None:
        records = self.manifest.records
        check_set(self.name, self.kind, records)
        unknown = unknown_labels(records, self.labels)
        if unknown:
            raise ValueError(
                f"`label` must be one that the run knows ({', '.join(self.labels)}); got "
                f"{', '.join(unknown)} in {self.name}."
            )
        for name in ("logits", "probabilities"):
            check_numbers(name, getattr(self, name), records, len(self.class_names))
        tolerance = TOLERANCE if self.logits_given else SUM_TOLERANCE + TOLERANCE
        if np.abs(softmax(self.logits) - self.probabilities).max() > tolerance:
            raise ValueError(
                f"`probabilities` of {self.name} must be the softmax of the logits; got other "
                "probabilities."
            )

    def in_order(self, class_names: Sequence[str]) -> Predictions:
        """Return the predictions with the classes in another order.

        Parameters
        ----------
        class_names : sequence of str
            All classes in the wanted order. If these are not the classes of the predictions, or
            the task is binary, the predictions are returned unchanged.
        """
        names = self.class_names
        if tuple(class_names) == names or sorted(class_names) != sorted(names):
            return self
        if self.labels != names:  # every label except that of the second class has the first one
            return self
        order = [names.index(name) for name in class_names]
        return dataclasses.replace(
            self,
            class_names=tuple(class_names),
            labels=tuple(class_names),
            logits=self.logits[:, order],
            probabilities=self.probabilities[:, order],
        )

    def outcomes(
        self, *, temperature: float = 1.0, thresholds: tuple[float | None, ...] = ()
    ) -> Outcomes:
        """Return the input of the metrics.

        Images that are tied by patient or group have the same patient.

        Parameters
        ----------
        temperature : float, default 1.0
            Temperature that calibrates the logits.
        thresholds : tuple of float or None, default ()
            Operating point of each class; empty if there are no operating points.
        """
        return Outcomes(
            class_names=self.class_names,
            targets=targets_of_labels(
                [r.label for r in self.manifest.records], self.class_names, self.labels
            ),
            logits=self.logits,
            probabilities=self.probabilities,
            patients=patients_of(self.manifest.records),
            temperature=temperature,
            thresholds=thresholds,
            logits_given=self.logits_given,
        )


def check_set(name: str, kind: str, records: Sequence[Record]) -> None:
    """Raise ValueError if the kind of a set is not known, or the set has no images."""
    if kind not in get_args(Kind):
        raise ValueError(f"`kind` must be one of {', '.join(get_args(Kind))}; got {kind!r}.")
    if not records:
        raise ValueError(f"`{name}` must hold at least one image; got none.")


def check_numbers(name: str, values: Floats, records: Sequence[Record], columns: int) -> None:
    """Raise ValueError if numbers do not have the shape (images, columns) or are not finite."""
    shape = (len(records), columns)
    if values.shape != shape:
        raise ValueError(f"`{name}` must have shape {shape}; got {values.shape}.")
    broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(broken):
        raise ValueError(
            f"`{name}` must be finite; got {values[broken[0]].tolist()} for "
            f"{records[broken[0]].file!r} and {len(broken) - 1} other images. The "
            "weights come from a training that diverged: lower its learning rate."
        )


def patients_of(records: Sequence[Record]) -> npt.NDArray[np.int64]:
    """Return the patient number of each image, 0..P-1; tied images have the same patient."""
    return np.unique(components(records), return_inverse=True)[1].astype(np.int64)


def unknown_labels(records: Sequence[Record], labels: Sequence[str]) -> list[str]:
    """Return the labels of `records` that are not in `labels`, sorted."""
    return sorted({record.label for record in records} - set(labels))


def targets_of_labels(
    labels: Sequence[str], class_names: Sequence[str], known: Sequence[str]
) -> npt.NDArray[np.int64]:
    """Return the index of the class of each label.

    Parameters
    ----------
    labels : sequence of str
        The labels of N images.
    class_names : sequence of str
        The classes.
    known : sequence of str
        The labels that images may have. If they differ from `class_names`, the task is binary: the
        label ``class_names[1]`` has the index 1, and every other label has the index 0.

    Returns
    -------
    ndarray of shape (N,), dtype int64
        Indices of classes.
    """
    if tuple(class_names) == tuple(known):
        places = {name: place for place, name in enumerate(class_names)}
        return np.array([places[label] for label in labels], np.int64)
    return np.array([label == class_names[1] for label in labels], np.int64)


def write_predictions(path: str | os.PathLike[str], predictions: Predictions) -> None:
    """Write a table of predictions, atomically.

    Parameters
    ----------
    path : str or PathLike
        CSV file to write; an existing file is replaced. Its columns are file, label, patient,
        group, source, view and part, then sex, age and others if a record has a value,
        ``kept:COLUMN`` for other columns of the manifest, then ``probability:CLASS`` for each
        class, then ``logit:CLASS`` for each class.
    predictions : Predictions
        The predictions.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    names = predictions.class_names
    columns = (*(f"probability:{n}" for n in names), *(f"logit:{n}" for n in names))
    numbers = np.concatenate([predictions.probabilities, predictions.logits], axis=1).tolist()
    text = table_text(predictions.name, predictions.manifest.records, columns, numbers)
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
        logits_given=predictions.logits_given,
    )
    write_table(path, CLASSES_TAG, head, text)


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
        If the file is not a table of predictions, was changed, or contains values that
        `Predictions` rejects.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    head, rows = read_table(path, CLASSES_TAG, _Head)
    names = head.class_names
    columns = [f"{value}:{name}" for value in ("probability", "logit") for name in names]
    numbers = read_numbers(rows, columns, path)
    return Predictions(
        name=head.set,
        kind=head.kind,
        manifest=Manifest(records=read_records(rows, head.kind), root=Path(head.root)),
        class_names=names,
        labels=head.labels,
        probabilities=numbers[:, : len(names)],
        logits=numbers[:, len(names) :],
        origin=converted(Origin, head),
        overlap=head.overlap,
        logits_given=head.logits_given,
    )
