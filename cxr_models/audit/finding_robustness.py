"""Comparison of the predictions of a run with findings on unchanged and on changed images.

This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.audit.findings_results import FindingAreas, PerturbedFindings
from cxr_models.evaluation.bootstrap import difference, measure
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_statistics import NO_ABSENT, NO_PRESENT, FindingStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.audit.robustness import Changed
    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_statistics import FindingOutcomes

_MEAN = "mean_roc_auc"


class ComparedFindings(NamedTuple):
    """The areas under ROC curves on unchanged and on changed images."""

    unperturbed: FindingAreas
    perturbed: tuple[PerturbedFindings, ...]  # one for each change
    over: tuple[str, ...]  # the findings over which means are taken
    left_out: dict[str, str]  # each other finding and the reason why it is left out


def compare_perturbed_findings(
    outcomes: FindingOutcomes, changed: Sequence[Changed], method: Method
) -> ComparedFindings:
    """Return the area of each finding, and the mean area, on unchanged and on changed images.

    Parameters
    ----------
    outcomes : FindingOutcomes
        The outcomes of the unchanged images.
    changed : sequence of Changed
        The predictions of the same images in the same order, for each change; at least one change.
    method : Method
        Number of draws and seed of the bootstrap. All changes are measured on the same draws of
        patients, so that the intervals of differences are paired.
    """
    statistics = FindingStatistics(outcomes)
    base = measure(statistics, draws=method.draws, seed=method.seed)
    rows = []
    for change in changed:
        perturbed = dataclasses.replace(
            outcomes, logits=change.logits, probabilities=sigmoid(change.logits)
        )
        measured = measure(FindingStatistics(perturbed), draws=method.draws, seed=method.seed)
        areas = _areas(outcomes, measured)
        rows.append(
            PerturbedFindings(
                name=change.name,
                title=change.title,
                mean_roc_auc=areas.mean_roc_auc,
                roc_auc=areas.roc_auc,
                differences=FindingAreas(
                    mean_roc_auc=difference(measured, base, _MEAN),
                    roc_auc={
                        finding: difference(measured, base, f"roc_auc/{finding}")
                        for finding in outcomes.findings
                    },
                ),
            )
        )
    return ComparedFindings(
        unperturbed=_areas(outcomes, base),
        perturbed=tuple(rows),
        over=statistics.in_means,
        left_out=statistics.left_out,
    )


def _areas(outcomes: FindingOutcomes, measurement: Measurement) -> FindingAreas:
    no_mean = "no finding has enough patients with it and without it"
    return FindingAreas(
        mean_roc_auc=measurement.measured(_MEAN, no_mean),
        roc_auc={
            finding: measurement.measured(f"roc_auc/{finding}", _why(outcomes, k))
            for k, finding in enumerate(outcomes.findings)
        },
    )


def _why(outcomes: FindingOutcomes, k: int) -> str:
    """Return the reason that is recorded if a finding has no area under the ROC curve."""
    present = outcomes.of(k).present
    if not len(present):
        return "no image whose label is known"
    return NO_ABSENT if present.any() else NO_PRESENT
