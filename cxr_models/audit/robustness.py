"""Comparison of the predictions of a run on unchanged and on changed images.

This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.audit.results import PerturbedScores, Scores
from cxr_models.evaluation.bootstrap import difference, measure
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.records.splits import split_records
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.metrics import Outcomes
    from cxr_models.evaluation.results import Measured
    from cxr_models.records.manifest import Record

    Floats = npt.NDArray[np.float64]

_SCORES = tuple(field.name for field in dataclasses.fields(Scores))


class Changed(NamedTuple):
    """The predictions of a run for images that were changed in one way."""

    name: str  # name of the change in files
    title: str  # name of the change in tables
    logits: Floats  # (N, K)


def some_images(
    records: Sequence[Record], images: int, seed: int, findings: Sequence[str] = ()
) -> list[int]:
    """Return the indices of a random sample of about `images` records.

    The sample has all images of each chosen patient, of at least one patient, and keeps the shares
    of the labels. Images tied by patient or group have the same patient.

    Parameters
    ----------
    records : sequence of Record
        Records of one part.
    images : int
        Approximate number of images. If there are no more records, all are chosen.
    seed : int
        Seed of the choice. Equal seeds and records give equal indices.
    findings : sequence of str, default ()
        Findings whose shares are kept instead of those of the labels.
    """
    if images >= len(records):
        return list(range(len(records)))
    share = images / len(records)
    parts = split_records(
        records, fractions=(share, 0.0, 1.0 - share), seed=seed, findings=tuple(findings)
    )
    chosen = [place for place, record in enumerate(parts) if record.split == "train"]
    if chosen:
        return chosen
    # every patient has many more images than the sample; take the patient with the fewest
    roots = components(records)
    counts = Counter(roots)
    fewest = min(counts, key=lambda root: (counts[root], root))
    return [place for place, root in enumerate(roots) if root == fewest]


def compare_perturbed(
    outcomes: Outcomes,
    changed: Sequence[Changed],
    method: Method,
) -> tuple[Scores, tuple[PerturbedScores, ...]]:
    """Return the values on the unchanged images and, for each change, on the changed images.

    Parameters
    ----------
    outcomes : Outcomes
        The outcomes of the unchanged images.
    changed : sequence of Changed
        The predictions of the same images in the same order, for each change; at least one change.
    method : Method
        Number of draws and seed of the bootstrap. All changes are measured on the same draws of
        patients, so that the intervals of differences are paired.
    """
    base = measure(ImageStatistics(outcomes), draws=method.draws, seed=method.seed)
    rows = []
    for change in changed:
        perturbed = dataclasses.replace(
            outcomes, logits=change.logits, probabilities=softmax(change.logits)
        )
        measured = measure(ImageStatistics(perturbed), draws=method.draws, seed=method.seed)
        differences = {name: difference(measured, base, name) for name in _SCORES}
        rows.append(
            PerturbedScores(
                name=change.name,
                title=change.title,
                **_scores(measured),
                changed=_changed(outcomes, perturbed, method),
                differences=Scores(**differences),
            )
        )
    return Scores(**_scores(base)), tuple(rows)


def _scores(measurement: Measurement) -> dict[str, Measured]:
    return {name: measurement.measured(name, "images of one class only") for name in _SCORES}


def _changed(outcomes: Outcomes, perturbed: Outcomes, method: Method) -> Measured:
    """Return the share of images whose predicted class is another one after the change."""
    kept = dataclasses.replace(perturbed, targets=outcomes.predicted)
    statistics = ImageStatistics(kept, ranks=False)
    same = measure(statistics, draws=method.draws, seed=method.seed).measured("accuracy")
    interval = None if same.interval is None else (1.0 - same.interval[1], 1.0 - same.interval[0])
    value = None if same.value is None else 1.0 - same.value
    return dataclasses.replace(same, value=value, interval=interval)
