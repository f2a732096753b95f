"""Compare what a run with several findings predicts of changed images with what it predicts before.

Knows no framework.
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
    """The areas on images as they are and changed, and which findings the means hold."""

    unperturbed: FindingAreas
    perturbed: tuple[PerturbedFindings, ...]
    over: tuple[str, ...]
    left_out: dict[str, str]  # the other findings, and why


def compare_perturbed_findings(
    outcomes: FindingOutcomes, changed: Sequence[Changed], method: Method
) -> ComparedFindings:
    """Return the areas of each finding, and their means, on images as they are and changed.

    Parameters
    ----------
    outcomes : FindingOutcomes
        The images as they are.
    changed : sequence of Changed
        The same images in the same order, changed; at least one.
    method : Method
        Draws and seed of the bootstrap. Every change is measured on the same draws of patients, so
        that the intervals of differences are of pairs.
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
    """Return why a finding has no area, if it has none."""
    present = outcomes.of(k).present
    if not len(present):
        return "no image whose label is known"
    return NO_ABSENT if present.any() else NO_PRESENT
