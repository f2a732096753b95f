"""Comparison or pooling of several evaluated runs, with classes or with findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._typed_json import converted
from cxr_models.evaluation.any_task import by_kind
from cxr_models.evaluation.compare_findings import compare_or_pool_findings
from cxr_models.evaluation.compare_runs import compare_or_pool, differing, have_equal_tests
from cxr_models.evaluation.comparisons import SeveralRuns
from cxr_models.evaluation.findings_results import FindingsEvaluation, SeveralFindingRuns
from cxr_models.evaluation.results import Evaluation
from cxr_models.evaluation.seeds import groups_by_seed, spread_over_seeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.seeds_results import SeedSpread


def several_runs(
    evaluations: Mapping[str, Evaluation | FindingsEvaluation],
    sets: Mapping[str, Sequence[AnyPredictions]],
    method: Method,
    settings: Mapping[str, RunConfig],
) -> SeveralRuns | SeveralFindingRuns:
    """Compare runs that have the same test images; pool runs that have different test images.

    Parameters
    ----------
    evaluations : mapping of str to Evaluation or FindingsEvaluation
        The evaluation of each run; all with classes or all with findings.
    sets : mapping of str to sequence of Predictions or FindingPredictions
        The sets of each run, with their images joined as in `method`.
    method : Method
        The settings of the evaluation.
    settings : mapping of str to RunConfig
        The settings of each run; empty if they are unknown. They give the differing settings and
        the groups of runs that differ only in the seed.

    Raises
    ------
    ValueError
        If some runs have classes and others have findings, or the runs can neither be compared nor
        pooled.
    """
    differ = differing(settings) if settings else {}
    findings = {n: e for n, e in evaluations.items() if isinstance(e, FindingsEvaluation)}
    classes = {n: e for n, e in evaluations.items() if isinstance(e, Evaluation)}
    if findings and classes:
        raise ValueError(
            "`RUN` must name runs with classes, or runs with findings; got "
            f"{next(iter(classes))} with classes and {next(iter(findings))} with findings."
        )
    seeds = tuple(_spreads(evaluations, sets, method, settings))
    if findings:
        of_findings = {n: by_kind(s)[0] for n, s in sets.items()}
        compared = compare_or_pool_findings(of_findings, method)
        return converted(SeveralFindingRuns, compared, runs=findings, differ=differ, seeds=seeds)
    of_classes = {n: by_kind(s)[1] for n, s in sets.items()}
    compared_or_pooled = compare_or_pool(of_classes, method)
    return converted(SeveralRuns, compared_or_pooled, runs=classes, differ=differ, seeds=seeds)


def _spreads(
    evaluations: Mapping[str, Evaluation | FindingsEvaluation],
    sets: Mapping[str, Sequence[AnyPredictions]],
    method: Method,
    settings: Mapping[str, RunConfig],
) -> Iterator[SeedSpread]:
    """Yield the spreads of each group of runs that differ only in the seed and have equal tests."""
    for group in groups_by_seed(settings):
        runs = {name: sets[name] for name in group}
        if have_equal_tests(runs):
            seeds = {name: settings[name].training.seed for name in group}
            yield from spread_over_seeds(runs, evaluations, seeds, method)
