"""Join the images of a patient or a study to one row before values are computed.

Knows no framework. A row has logits as an image has, and all that follows is done as for images,
with classes and with findings.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import (
    ABSENT,
    PRESENT,
    FindingPredictions,
    sigmoid,
)
from cxr_models.evaluation.predictions import Predictions
from cxr_models.evaluation.results import UNITS
from cxr_models.records.patients import patient_key, same_id
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.results import Aggregation
    from cxr_models.records.manifest import Record

    Floats = npt.NDArray[np.float64]

P = TypeVar("P", Predictions, FindingPredictions)


def aggregated(predictions: Predictions, aggregation: Aggregation | None) -> Predictions:
    """Return predictions with one row for each patient or study.

    Parameters
    ----------
    predictions : Predictions
        A row for each image; returned as it is if its images were joined before.
    aggregation : Aggregation or None
        What to join and how; None joins nothing.

    Returns
    -------
    Predictions
        In the order of the first image of each unit. The record of a unit is that of the image
        whose file name comes first, with the views of all its images.

    Raises
    ------
    ValueError
        If the images of one unit have different classes and are joined by the mean, or if more
        than two classes are joined by the maximum.

    Notes
    -----
    The mean of logits gives the geometric mean of the probabilities, scaled to a sum of 1. It is
    the same before and after temperature scaling, because a temperature divides all logits. The
    maximum takes the image with the highest probability of the second class; a unit is of the
    second class if one of its images is. An image without a patient, or without a study, is a unit
    of its own.

    References
    ----------
    .. [1] C. Genest, J. V. Zidek, "Combining probability distributions: a critique and an annotated
           bibliography", Statistical Science 1, 1986.
    """
    if aggregation is None or predictions.aggregation is not None:
        return predictions
    check_classes(aggregation, predictions.class_names)
    records = predictions.manifest.records
    units = rows_of_units(unit_keys(records, aggregation))
    targets = predictions.outcomes().targets
    class_names = predictions.class_names
    for rows in units:
        differing = [row for row in rows if targets[row] != targets[rows[0]]]
        if differing and aggregation.by == "mean":
            one, other = rows[0], differing[0]
            raise ValueError(
                f"`aggregate` must join images of one class; got {class_names[targets[one]]} for "
                f"{records[one].file!r} and {class_names[targets[other]]} for "
                f"{records[other].file!r} of {predictions.name}, images of one {aggregation.of}. "
                f"{_cure(aggregation, class_names)}"
            )
    logits = np.stack([join_logits(predictions.logits[rows], aggregation) for rows in units])
    joined = _joined_records(records, units, targets)
    return dataclasses.replace(
        predictions,
        manifest=dataclasses.replace(predictions.manifest, records=joined),
        logits=logits,
        probabilities=softmax(logits),
        aggregation=aggregation,
        joined_images=len(records),
    )


def aggregated_findings(
    predictions: FindingPredictions, aggregation: Aggregation | None
) -> FindingPredictions:
    """Return predictions of findings with one row for each patient or study.

    Parameters
    ----------
    predictions, aggregation
        As of `aggregated`.

    Returns
    -------
    FindingPredictions
        In the order of the first image of each unit; records as `aggregated` gives them.

    Notes
    -----
    Each finding is joined by itself, as two classes are: its logit is the mean of those of the
    images, or the highest, which may come from another image for each finding. Both are the same
    before and after temperature scaling.

    A unit shows a finding if one of its images is known to show it. It lacks the finding if none is
    known to show it and one is known to lack it. Otherwise it is unknown. An unknown label states
    nothing, so that it leaves what other images state: if it made a unit unknown, one image would
    be enough to know a patient with the finding, and all of them would be needed to know one
    without it, so that findings would seem more frequent than they are.

    Images of one unit may differ in a finding, with the mean too: with many findings few patients
    agree in all of them. `differing_units` counts such units.
    """
    if aggregation is None or predictions.aggregation is not None:
        return predictions
    records = predictions.manifest.records
    units = rows_of_units(unit_keys(records, aggregation))
    logits = np.stack(
        [join_finding_logits(predictions.logits[rows], aggregation) for rows in units]
    )
    one_label = np.zeros(len(records), np.int64)
    joined = _joined_records(records, units, one_label)
    return dataclasses.replace(
        predictions,
        manifest=dataclasses.replace(predictions.manifest, records=joined),
        # present is above absent, and absent above unknown
        targets=np.stack([predictions.targets[rows].max(axis=0) for rows in units]),
        logits=logits,
        probabilities=sigmoid(logits),
        aggregation=aggregation,
        joined_images=len(records),
    )


def differing_units(predictions: FindingPredictions, aggregation: Aggregation) -> dict[str, int]:
    """Count, for each finding, the units of images with it and images without it.

    Parameters
    ----------
    predictions : FindingPredictions
        A row for each image.
    aggregation : Aggregation
        What is joined.

    Returns
    -------
    dict of str to int
        Findings with such a unit alone.
    """
    units = rows_of_units(unit_keys(predictions.manifest.records, aggregation))
    targets = [predictions.targets[rows] for rows in units]
    differ = [
        (of_unit == PRESENT).any(axis=0) & (of_unit == ABSENT).any(axis=0) for of_unit in targets
    ]
    counts = np.sum(differ, axis=0).tolist()
    return {name: n for name, n in zip(predictions.findings, counts, strict=True) if n}


def aggregated_sets(sets: Iterable[P], aggregation: Aggregation | None) -> list[P]:
    """Return every set with one row for each patient or study, of classes or of findings.

    Raises
    ------
    ValueError
        As `aggregated`, and if no image of any set states its patient or study.
    """
    sets = list(sets)
    if aggregation is not None and not any(
        predictions.aggregation is not None
        or any(key is not None for key in unit_keys(predictions.manifest.records, aggregation))
        for predictions in sets
    ):
        raise ValueError(
            f"`aggregate` must be what records state; got {aggregation.of!r}, which no image "
            "states."
        )
    return [
        aggregated_findings(predictions, aggregation)
        if isinstance(predictions, FindingPredictions)
        else aggregated(predictions, aggregation)
        for predictions in sets
    ]


def check_classes(aggregation: Aggregation, class_names: Sequence[str]) -> None:
    """Raise ValueError if more than two classes are joined by the maximum."""
    if aggregation.by == "max" and len(class_names) != 2:
        raise ValueError(
            "`aggregate_by` must be mean for more than two classes, none of which is that of all "
            f"others; got max for {', '.join(class_names)}."
        )


def join_logits(logits: Floats, aggregation: Aggregation) -> Floats:
    """Return the logits of a unit, of shape (K,), from those of its images, of shape (N, K)."""
    if aggregation.by == "max":
        highest: Floats = logits[int(np.argmax(logits[:, 1] - logits[:, 0]))]
        return highest
    mean: Floats = logits.mean(axis=0)
    return mean


def join_finding_logits(logits: Floats, aggregation: Aggregation) -> Floats:
    """Return the logits of findings of a unit, of shape (K,), from those of its images, (N, K)."""
    joined: Floats = logits.max(axis=0) if aggregation.by == "max" else logits.mean(axis=0)
    return joined


def unit_keys(records: Sequence[Record], aggregation: Aggregation) -> list[Hashable | None]:
    """Return what the images of one unit share; None for an image that is a unit of its own.

    Ids are those of their source and, of studies, those of their patient: some sets number the
    studies of each patient from 1 on.
    """
    patients = [patient_key(record) for record in records]
    if aggregation.of == "patient":
        return list(patients)
    studies = [same_id(record.study) for record in records]
    return [
        (record.source, patient, study) if study else None
        for record, patient, study in zip(records, patients, studies, strict=True)
    ]


def rows_of_units(keys: Sequence[Hashable | None]) -> list[list[int]]:
    """Return the rows of each unit, in the order of its first image."""
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows[("alone", row) if key is None else ("joined", key)].append(row)
    return list(rows.values())


def _joined_records(
    records: Sequence[Record], units: Sequence[Sequence[int]], targets: npt.NDArray[np.int64]
) -> tuple[Record, ...]:
    """Return a record for each unit; units stay tied by duplicates of any of their images."""
    roots = components(records)
    first_file: dict[int, str] = {}  # of all images that are tied
    for record, root in zip(records, roots, strict=True):
        first_file[root] = min(first_file.get(root, record.file), record.file)
    joined = []
    for rows in units:
        of_class = [row for row in rows if targets[row] == max(targets[rows])]
        record = min((records[row] for row in rows), key=lambda one: one.file)
        views = sorted({records[row].view for row in rows if records[row].view})
        joined.append(
            dataclasses.replace(
                record,
                label=min((records[row] for row in of_class), key=lambda one: one.file).label,
                view=" and ".join(views),
                group=first_file[roots[rows[0]]],
            )
        )
    return tuple(joined)


def _cure(aggregation: Aggregation, class_names: Sequence[str]) -> str:
    cures = []
    if len(class_names) == 2:
        cures.append(
            f"Join them by max, so that a {aggregation.of} is {class_names[1]} if one image is"
        )
    if aggregation.of == "patient":
        cures.append("join the images of each study, if labels change from study to study")
    if not cures:
        return f"Correct the labels, or evaluate {UNITS['image']} one by one."
    text = ", or ".join(cures)
    return f"{text[0].upper()}{text[1:]}."
