"""Joining of the images of each patient or study to one row, before values are computed.

A joined row has logits, like an image. All later steps treat rows like images, with classes and
with findings. This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cxr_models.evaluation.aggregate_findings import aggregated_findings
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import FindingPredictions
from cxr_models.evaluation.predictions import Predictions
from cxr_models.evaluation.results import UNITS
from cxr_models.evaluation.units import joined_records, rows_of_units, unit_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.results import Aggregation

    Floats = npt.NDArray[np.float64]

P = TypeVar("P", Predictions, FindingPredictions)


def aggregated(predictions: Predictions, aggregation: Aggregation | None) -> Predictions:
    """Return predictions with one row for each patient or study.

    Parameters
    ----------
    predictions : Predictions
        Predictions with a row for each image. Predictions whose images are already joined are
        returned unchanged.
    aggregation : Aggregation or None
        The unit (patient or study) and the rule that joins its images. None joins no images.

    Returns
    -------
    Predictions
        One row for each unit, in the order of the first image of each unit. The record of a unit
        is the record of the image whose file name comes first, with the views of all images. Its
        empty further columns are filled in from the other images.

    Raises
    ------
    ValueError
        If the images of one unit have different classes and are joined by the mean, or if more
        than two classes are joined by the maximum.

    Notes
    -----
    The mean of the logits gives the geometric mean of the probabilities, scaled to a sum of 1. The
    order of joining and temperature scaling does not matter, because a temperature divides all
    logits. The maximum takes the logits of the image with the highest probability of the second
    class. A unit belongs to the second class if one of its images does. If the logits of a unit
    come from one image, the unit has exactly the probabilities of this image. An image without a
    patient id (or without a study id, for studies) is a unit of its own.

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
    probabilities = softmax(logits)
    for unit, rows in enumerate(units):
        if len(rows) == 1 or aggregation.by == "max":  # copy the image's probabilities unchanged
            chosen = rows[0] if len(rows) == 1 else rows[_highest_row(predictions.logits[rows])]
            probabilities[unit] = predictions.probabilities[chosen]
    joined = joined_records(records, units, targets)
    return dataclasses.replace(
        predictions,
        manifest=dataclasses.replace(predictions.manifest, records=joined),
        logits=logits,
        probabilities=probabilities,
        aggregation=aggregation,
        joined_images=len(records),
    )


def aggregated_sets(sets: Iterable[P], aggregation: Aggregation | None) -> list[P]:
    """Return every set with one row for each patient or study.

    Parameters
    ----------
    sets : iterable of Predictions or FindingPredictions
        The sets, all with classes or all with findings.
    aggregation : Aggregation or None
        The unit and the rule that joins its images. None joins no images.

    Raises
    ------
    ValueError
        If no image of any set has a patient id (or a study id, for studies), or if `aggregated`
        raises ValueError for a set.
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


def outweighed_units(
    predictions: Predictions | FindingPredictions, aggregation: Aggregation
) -> int:
    """Count the units in which a probability of 0 or 1 of one image outweighs all other images.

    In the table of a third-party model, a probability of 0 or 1 is often a rounded number. Its
    logit, if the table has no logits, is that of a number near it, which outweighs the logits of
    all other images in a mean. A unit is counted if some of its images, but not all, have such a
    probability.

    Parameters
    ----------
    predictions : Predictions or FindingPredictions
        Predictions with a row for each image.
    aggregation : Aggregation
        The unit and the rule that joins its images.

    Returns
    -------
    int
        Number of units; 0 if images are joined by the maximum, or the logits were given.
    """
    if aggregation.by != "mean" or predictions.logits_given:
        return 0
    is_edge = np.isin(predictions.probabilities, (0.0, 1.0))
    if isinstance(predictions, Predictions):
        is_edge = (predictions.probabilities == 0.0).any(axis=1, keepdims=True)
    units = rows_of_units(unit_keys(predictions.manifest.records, aggregation))
    return sum(
        bool((is_edge[rows].any(axis=0) & ~is_edge[rows].all(axis=0)).any()) for rows in units
    )


def check_classes(aggregation: Aggregation, class_names: Sequence[str]) -> None:
    """Raise ValueError if more than two classes are joined by the maximum."""
    if aggregation.by == "max" and len(class_names) != 2:
        raise ValueError(
            "`aggregate_by` must be mean for more than two classes, none of which is that of all "
            f"others; got max for {', '.join(class_names)}."
        )


def join_logits(logits: Floats, aggregation: Aggregation) -> Floats:
    """Return the logits (K,) of a unit from the logits (N, K) of its N images."""
    if aggregation.by == "max":
        highest: Floats = logits[_highest_row(logits)]
        return highest
    mean: Floats = logits.mean(axis=0)
    return mean


def _highest_row(logits: Floats) -> int:
    """Return the row of logits (N, 2) with the highest probability of the second class."""
    return int(np.argmax(logits[:, 1] - logits[:, 0]))


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
