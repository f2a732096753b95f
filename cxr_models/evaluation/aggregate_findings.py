"""Join the images of a patient or a study to one row, where images have several findings.

Knows no framework. As `aggregate` for classes.
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
    probabilities = sigmoid(logits)
    for unit, rows in enumerate(units):
        if len(rows) == 1 or aggregation.by == "max":  # those of one image, bit by bit
            probabilities[unit] = predictions.probabilities[rows].max(axis=0)
    one_label = np.zeros(len(records), np.int64)
    joined = joined_records(records, units, one_label)
    return dataclasses.replace(
        predictions,
        manifest=dataclasses.replace(predictions.manifest, records=joined),
        # present is above absent, and absent above unknown
        targets=np.stack([predictions.targets[rows].max(axis=0) for rows in units]),
        logits=logits,
        probabilities=probabilities,
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


def join_finding_logits(logits: Floats, aggregation: Aggregation) -> Floats:
    """Return the logits of findings of a unit, of shape (K,), from those of its images, (N, K)."""
    joined: Floats = logits.max(axis=0) if aggregation.by == "max" else logits.mean(axis=0)
    return joined
