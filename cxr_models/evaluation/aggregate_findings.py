"""Joining of the images of each patient or study to one row, for predictions of findings.

The module `aggregate` does the same for classes. This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.finding_predictions import (
    ABSENT,
    PRESENT,
    FindingPredictions,
    sigmoid,
)
from cxr_models.evaluation.units import joined_records, rows_of_units, unit_keys

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_models.evaluation.results import Aggregation

    Floats = npt.NDArray[np.float64]


def aggregated_findings(
    predictions: FindingPredictions, aggregation: Aggregation | None
) -> FindingPredictions:
    """Return predictions of findings with one row for each patient or study.

    Parameters
    ----------
    predictions : FindingPredictions
        Predictions with a row for each image. Predictions whose images are already joined are
        returned unchanged.
    aggregation : Aggregation or None
        The unit (patient or study) and the rule that joins its images. None joins no images.

    Returns
    -------
    FindingPredictions
        One row for each unit, in the order of the first image of each unit. The record of a unit
        is the record of the image whose file name comes first, with the views of all images. Its
        empty further columns are filled in from the other images.

    Notes
    -----
    Each finding is joined separately. Its logit is the mean or the maximum of the logits of all
    images. The maxima of two findings may come from different images. The order of joining and
    temperature scaling does not matter.

    A unit shows a finding if the label of at least one image is known to be present. A unit lacks
    the finding if no label is known to be present and at least one label is known to be absent.
    Otherwise the label of the unit is unknown. An unknown label of one image does not make the
    unit unknown. Otherwise one known image would be enough for a unit with the finding, but all
    images would have to be known for a unit without it, and the finding would seem more frequent
    than it is.

    The labels of images of one unit may differ, even with the mean. With many findings, the images
    of few patients agree in all findings. `differing_units` counts the units that differ.
    """
    if aggregation is None or predictions.aggregation is not None:
        return predictions
    records = predictions.manifest.records
    units = rows_of_units(unit_keys(records, aggregation))
    logits = np.stack(
        [join_finding_logits(predictions.logits[rows], aggregation) for rows in units]
    )
    probabilities = sigmoid(logits)
    for unit, rows in enumerate(units):
        if len(rows) == 1 or aggregation.by == "max":  # copy the image's probabilities unchanged
            probabilities[unit] = predictions.probabilities[rows].max(axis=0)
    one_label = np.zeros(len(records), np.int64)
    joined = joined_records(records, units, one_label)
    return dataclasses.replace(
        predictions,
        manifest=dataclasses.replace(predictions.manifest, records=joined),
        # the maximum works because present (1) > absent (0) > unknown (-1)
        targets=np.stack([predictions.targets[rows].max(axis=0) for rows in units]),
        logits=logits,
        probabilities=probabilities,
        aggregation=aggregation,
        joined_images=len(records),
    )


def differing_units(predictions: FindingPredictions, aggregation: Aggregation) -> dict[str, int]:
    """Count, for each finding, the units that have both images with it and images without it.

    Parameters
    ----------
    predictions : FindingPredictions
        Predictions with a row for each image.
    aggregation : Aggregation
        The unit: patient or study.

    Returns
    -------
    dict of str to int
        Number of units by finding; findings without such a unit are left out.
    """
    units = rows_of_units(unit_keys(predictions.manifest.records, aggregation))
    targets = [predictions.targets[rows] for rows in units]
    differ = [
        (of_unit == PRESENT).any(axis=0) & (of_unit == ABSENT).any(axis=0) for of_unit in targets
    ]
    counts = np.sum(differ, axis=0).tolist()
    return {name: n for name, n in zip(predictions.findings, counts, strict=True) if n}


def join_finding_logits(logits: Floats, aggregation: Aggregation) -> Floats:
    """Return the logits (K,) of the findings of a unit from the logits (N, K) of its N images."""
    joined: Floats = logits.max(axis=0) if aggregation.by == "max" else logits.mean(axis=0)
    return joined
