"""Evaluate the sets of one run, whatever its task: of classes, or of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.evaluation.evaluate import evaluate_sets
from cxr_models.evaluation.finding_predictions import FindingPredictions
from cxr_models.evaluation.findings import evaluate_findings
from cxr_models.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.results import Evaluation


def evaluate_any(
    name: str, sets: Iterable[AnyPredictions], method: Method
) -> Evaluation | FindingsEvaluation:
    """Evaluate the sets of a run, which are all of classes or all of findings."""
    of_findings, of_classes = by_kind(sets)
    if of_findings:
        return evaluate_findings(name, of_findings, method)
    return evaluate_sets(name, of_classes, method)


def by_kind(
    sets: Iterable[AnyPredictions],
) -> tuple[list[FindingPredictions], list[Predictions]]:
    """Return the sets with findings, and those with classes."""
    sets = list(sets)
    return (
        [predictions for predictions in sets if isinstance(predictions, FindingPredictions)],
        [predictions for predictions in sets if isinstance(predictions, Predictions)],
    )
