"""Comparison of runs with findings on the same test images, or pooling of different test images.

Runs are compared finding by finding, over the images with a known label, with the same bootstrap
draws of patients. This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr_models._typed_json import converted
from cxr_models.evaluation.aggregate import aggregated_sets
from cxr_models.evaluation.bootstrap import difference, measure
from cxr_models.evaluation.comparable_sets import (
    at_root,
    comparable_sets,
    in_order_of_runs,
    rows_in_order_of,
)
from cxr_models.evaluation.compare_runs import set_of_kind, tested_images
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_statistics import FindingStatistics, outcomes_of
from cxr_models.evaluation.findings import choose_on_val, evaluate_images
from cxr_models.evaluation.findings_results import (
    ComparedOrPooledFindings,
    FindingDifference,
    FindingsComparison,
    PooledFindings,
)
from cxr_models.evaluation.paired_tests import delong, holm
from cxr_models.evaluation.shared_patients import (
    partial_overlap_error,
    pooled_records,
)
from cxr_models.records.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.comparisons import AreaTest
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.finding_statistics import FindingOutcomes

    Sets = Sequence[FindingPredictions]


_NO_POINT = "operating points differ from run to run"


def compare_or_pool_findings(runs: Mapping[str, Sets], method: Method) -> ComparedOrPooledFindings:
    """Compare runs that were tested on the same images; pool runs tested on different images.

    Parameters
    ----------
    runs : mapping of str to sequence of FindingPredictions
        The sets of at least two runs, including ``val`` and ``test`` of each run. Only third-party
        models may lack ``val``.
    method : Method
        The settings of the evaluation.

    Returns
    -------
    ComparedOrPooledFindings
        If all runs have the same test images: a comparison for each tested set and each pair of
        runs that have this set with the same images and labels; `left_out` names all others. If
        the test sets share no image, as with folds: the pooled values. Findings are in the order
        of the first run.

    Raises
    ------
    ValueError
        If the runs have different findings, their test sets are neither equal nor disjoint, the
        labels of the same test images differ, or a run lacks ``val`` or ``test``.
    """
    runs = {name: aggregated_sets(sets, method.aggregate) for name, sets in runs.items()}
    order = next(iter(runs.values()))[0].findings
    runs = {name: [one.in_order(order) for one in sets] for name, sets in runs.items()}
    findings = {predictions.findings for sets in runs.values() for predictions in sets}
    if len(findings) > 1:
        raise ValueError(
            "`RUN` must name runs with the same findings; got "
            f"{' and '.join(', '.join(names) for names in sorted(findings))}."
        )
    if any(predictions.origin.is_foreign for sets in runs.values() for predictions in sets):
        # The folders of a third-party model's images are unknown, so that images with equal names
        # count as the same image.
        runs = {name: [at_root(one, Path()) for one in sets] for name, sets in runs.items()}
    tested = tested_images(runs)
    if all(files == tested[0] for files in tested):
        return _compare(runs, method)
    if len(frozenset.union(*tested)) == sum(map(len, tested)):
        return ComparedOrPooledFindings(pooled=pool_findings(runs, method))
    raise partial_overlap_error(tested, method.aggregate)


def pool_findings(runs: Mapping[str, Sets], method: Method) -> PooledFindings:
    """Evaluate the test images of all runs as one set; each run predicts its own test images.

    Parameters
    ----------
    runs : mapping of str to sequence of FindingPredictions
        The sets of each run, including ``val`` and ``test``; no image is in two test sets.
    method : Method
        The settings of the evaluation.
    """
    tests: dict[str, FindingPredictions] = {}
    scaled = []
    of_runs = {}
    for name, sets in runs.items():
        temperatures = temperatures_of(sets, method)
        test = set_of_kind(sets, "test")
        of_runs[name] = evaluate_images(outcomes_of(test, temperatures), method, _NO_POINT)
        tests[name] = test
        scaled.append(test.logits / np.array(temperatures))
    first = next(iter(tests.values()))
    logits = np.concatenate(scaled)
    joined = dataclasses.replace(
        first,
        name="pooled",
        manifest=Manifest(records=pooled_records(runs, tests), root=first.manifest.root),
        targets=np.concatenate([test.targets for test in tests.values()]),
        logits=logits,
        probabilities=sigmoid(logits),
    )
    values = evaluate_images(outcomes_of(joined), method, _NO_POINT)
    return converted(PooledFindings, values, runs=of_runs)


def _compare(runs: Mapping[str, Sets], method: Method) -> ComparedOrPooledFindings:
    temperatures = {run: temperatures_of(sets, method) for run, sets in runs.items()}
    comparable = comparable_sets(runs)
    compared = []
    for name, sets in comparable.groups:
        pairs = list(itertools.combinations(sets, 2))
        comparisons = compare_finding_pairs(sets, pairs, temperatures, method)
        compared += [dataclasses.replace(comparison, set=name) for comparison in comparisons]
    return ComparedOrPooledFindings(
        comparisons=in_order_of_runs(compared, runs), left_out=comparable.left_out
    )


def temperatures_of(sets: Sets, method: Method) -> tuple[float, ...]:
    """Return the temperature of each finding, fitted on the validation part.

    The temperatures of a third-party model without a validation part are 1.

    Parameters
    ----------
    sets : sequence of FindingPredictions
        The sets of one run.
    method : Method
        The settings of the evaluation.

    Raises
    ------
    ValueError
        If a run of this package has no set ``val``.
    """
    if not sets[0].origin.is_foreign:
        set_of_kind(sets, "val")  # raises an error about the run
    choices = choose_on_val(sets, method.rule)
    return tuple(choices[finding].temperature.value for finding in sets[0].findings)


def compare_finding_pairs(
    sets: Mapping[str, FindingPredictions],
    pairs: Sequence[tuple[str, str]],
    temperatures: Mapping[str, tuple[float, ...]],
    method: Method,
) -> list[FindingsComparison]:
    """Compare the predictions of several runs on the same images, pair by pair.

    Parameters
    ----------
    sets : mapping of str to FindingPredictions
        One set of each run, by run. All sets have the same images in any order, with the same
        labels.
    pairs : sequence of (str, str)
        The pairs of runs to compare. The bootstrap is computed once for each run, not once for
        each pair.
    temperatures : mapping of str to tuple of float
        For each run, the temperature of each finding.
    method : Method
        The settings of the evaluation.

    Returns
    -------
    list of FindingsComparison
        One comparison for each pair; its field `set` is empty. Brier scores are computed from
        calibrated probabilities. Holm's method adjusts p-values for all findings of all pairs.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    outcomes: dict[str, FindingOutcomes] = {}
    measurements: dict[str, Measurement] = {}
    over: tuple[str, ...] = ()
    for name in dict.fromkeys(itertools.chain.from_iterable(pairs)):
        base = pairs[0][0]
        outcomes[name] = finding_outcomes_in_order_of(
            sets[base], sets[name], temperatures[name], runs=f"{base} and {name}"
        )
        statistics = FindingStatistics(outcomes[name])
        over = statistics.in_means
        measurements[name] = measure(statistics, draws=method.draws, seed=method.seed)
    findings = next(iter(sets.values())).findings
    tests = [
        _area_test(k, outcomes[first], outcomes[second])
        for first, second in pairs
        for k in range(len(findings))
    ]
    tested = iter(zip(tests, holm([test.p_value for test in tests]), strict=True))
    compared = []
    for pair in pairs:
        first, second = (measurements[name] for name in pair)
        compared.append(
            FindingsComparison(
                first=pair[0],
                second=pair[1],
                images=len(outcomes[pair[0]].targets),
                over=over,
                mean_roc_auc=difference(first, second, "mean_roc_auc"),
                mean_pr_auc=difference(first, second, "mean_pr_auc"),
                mean_brier=difference(first, second, "mean_brier_calibrated"),
                findings={
                    finding: _difference(finding, *next(tested), outcomes[pair[0]], (first, second))
                    for finding in findings
                },
            )
        )
    return compared


def _area_test(k: int, first: FindingOutcomes, second: FindingOutcomes) -> AreaTest:
    known, other = first.of(k), second.of(k)
    patients = np.unique(known.patients, return_inverse=True)[1].astype(np.int64)
    return delong(known.present, known.scores, other.scores, patients)


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


def finding_outcomes_in_order_of(
    base: FindingPredictions,
    predictions: FindingPredictions,
    temperatures: tuple[float, ...],
    *,
    runs: str,
) -> FindingOutcomes:
    """Return the outcomes of `predictions`, with the patients and the image order of `base`.

    Parameters
    ----------
    base, predictions : FindingPredictions
        Two predictions of the same images in any order, with the same labels.
    temperatures : tuple of float
        The temperature of each finding.
    runs : str
        The names of the two runs, for the error message.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    order = rows_in_order_of(base, predictions, runs)
    outcomes = outcomes_of(base, temperatures)
    return dataclasses.replace(
        outcomes,
        logits=predictions.logits[order],
        probabilities=predictions.probabilities[order],
    )
