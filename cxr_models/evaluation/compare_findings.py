"""Compare runs with several findings on the same images, finding by finding.

Knows no framework. Both runs are evaluated over the known labels of a finding, with the same draws
of patients.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import numpy as np

from cxr_models._typed_json import converted
from cxr_models.evaluation.bootstrap import difference, measure
from cxr_models.evaluation.compare_runs import paths_of
from cxr_models.evaluation.finding_statistics import FindingStatistics, outcomes_of
from cxr_models.evaluation.findings import choose
from cxr_models.evaluation.findings_results import FindingDifference, FindingsComparison
from cxr_models.evaluation.paired_tests import delong, holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.comparisons import AreaTest
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.finding_statistics import FindingOutcomes

    Sets = Sequence[FindingPredictions]


def compare_finding_runs(runs: Mapping[str, Sets], method: Method) -> list[FindingsComparison]:
    """Compare runs with several findings pair by pair, on every set that both were tested on.

    Parameters
    ----------
    runs : mapping of str to sequence of FindingPredictions
        The sets of at least two runs; the sets of each run include ``val`` and ``test``.
    method : Method
        How intervals are computed.

    Raises
    ------
    ValueError
        If the runs have different findings, or were tested on different images or labels.
    """
    findings = {predictions.findings for sets in runs.values() for predictions in sets}
    if len(findings) > 1:
        raise ValueError(
            "`RUN` must name runs with the same findings; got "
            f"{' and '.join(', '.join(names) for names in sorted(findings))}."
        )
    temperatures = {
        run: temperatures_of(_set_of_kind(sets, "val"), method) for run, sets in runs.items()
    }
    tests = [_set_of_kind(sets, "test").name for sets in runs.values()]
    externals = [s.name for sets in runs.values() for s in sets if s.kind == "external"]
    compared = []
    for first, second in itertools.combinations(runs, 2):
        for name in dict.fromkeys([*tests, *externals]):
            pair = {run: s for run in (first, second) for s in runs[run] if s.name == name}
            if len(pair) == 2:
                comparison = compare_pair(pair, temperatures, method)
                compared.append(dataclasses.replace(comparison, set=name))
    return compared


def temperatures_of(validation: FindingPredictions, method: Method) -> tuple[float, ...]:
    """Return the temperature of each finding, fitted on the validation part."""
    choices = choose(validation, method.rule)
    return tuple(choices[finding].temperature.value for finding in validation.findings)


def compare_pair(
    pair: Mapping[str, FindingPredictions],
    temperatures: Mapping[str, tuple[float, ...]],
    method: Method,
) -> FindingsComparison:
    """Compare two runs on the same images, in any order.

    Parameters
    ----------
    pair : mapping of str to FindingPredictions
        A set of each run.
    temperatures : mapping of str to tuple of float
        The temperature of each finding, of each run.
    method : Method
        How intervals are computed.

    Returns
    -------
    FindingsComparison
        Without the name of the set. Brier scores are those of calibrated probabilities.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    names = tuple(pair)
    base, other = pair.values()
    outcomes = (
        outcomes_of(base, temperatures[names[0]]),
        _in_order_of(base, other, temperatures[names[1]]),
    )
    statistics = [FindingStatistics(of_run) for of_run in outcomes]
    first, second = (measure(s, draws=method.draws, seed=method.seed) for s in statistics)
    tests = {finding: _area_test(k, *outcomes) for k, finding in enumerate(base.findings)}
    adjusted = holm([test.p_value for test in tests.values()])
    return FindingsComparison(
        first=names[0],
        second=names[1],
        images=len(base.targets),
        over=statistics[0].in_means,
        mean_roc_auc=difference(first, second, "mean_roc_auc"),
        mean_pr_auc=difference(first, second, "mean_pr_auc"),
        mean_brier=difference(first, second, "mean_brier_calibrated"),
        findings={
            finding: _difference(finding, test, p_holm, outcomes[0], (first, second))
            for (finding, test), p_holm in zip(tests.items(), adjusted, strict=True)
        },
    )


def _area_test(k: int, first: FindingOutcomes, second: FindingOutcomes) -> AreaTest:
    known, other = first.of(k), second.of(k)
    patients = np.unique(known.patients, return_inverse=True)[1].astype(np.int64)
    return delong(known.present, known.calibrated, other.calibrated, patients)


def _difference(
    finding: str,
    test: AreaTest,
    p_holm: float | None,
    outcomes: FindingOutcomes,
    measurements: tuple[Measurement, Measurement],
) -> FindingDifference:
    known = outcomes.of(outcomes.findings.index(finding))
    area = difference(*measurements, f"roc_auc/{finding}")
    return converted(
        FindingDifference,
        test,
        interval=area.interval,
        remark=area.remark,
        images=len(known.present),
        present=int(known.present.sum()),
        p_holm=p_holm,
        pr_auc=difference(*measurements, f"pr_auc/{finding}"),
        brier=difference(*measurements, f"brier_calibrated/{finding}"),
    )


def _in_order_of(
    base: FindingPredictions, predictions: FindingPredictions, temperatures: tuple[float, ...]
) -> FindingOutcomes:
    """Return the outcomes of `predictions`, with the patients of `base` and in its order."""
    rows = {path: row for row, path in enumerate(paths_of(predictions.manifest))}
    order = [rows.get(path, -1) for path in paths_of(base.manifest)]
    same_images = len(rows) == len(order) and -1 not in order
    if not same_images or not np.array_equal(predictions.targets[order], base.targets):
        raise ValueError(
            f"`{base.name}` must hold the same images and labels in both runs; got "
            f"different {'labels' if same_images else 'images'}."
        )
    outcomes = outcomes_of(base, temperatures)
    return dataclasses.replace(outcomes, logits=predictions.logits[order])


def _set_of_kind(sets: Sets, kind: str) -> FindingPredictions:
    predictions = next((predictions for predictions in sets if predictions.kind == kind), None)
    if predictions is None:
        raise ValueError(f"`RUN` must have predictions of {kind}; got none.")
    return predictions
