import dataclasses

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from cxr_models._typed_json import converted
from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.compare_findings import compare_finding_pairs, compare_or_pool_findings
from cxr_models.evaluation.comparisons import AreaTest
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_statistics import FindingStatistics, outcomes_of
from cxr_models.evaluation.findings import choose
from cxr_models.evaluation.paired_tests import delong, holm
from cxr_models.records.manifest import Manifest
from tests.helpers.predicted import FINDINGS, make_finding_predictions

METHOD = Method(draws=200)


def with_logits(predictions, logits):
    return dataclasses.replace(predictions, logits=logits, probabilities=sigmoid(logits))


def reordered(predictions, order):
    records = tuple(predictions.manifest.records[place] for place in order)
    return dataclasses.replace(
        predictions,
        manifest=Manifest(records=records, root=predictions.manifest.root),
        targets=predictions.targets[order],
        logits=predictions.logits[order],
        probabilities=predictions.probabilities[order],
    )


@pytest.fixture
def runs(rng):
    val = make_finding_predictions(rng, images=200, name="val")
    test = make_finding_predictions(rng, images=200)
    worse = with_logits(test, test.logits + rng.normal(0.0, 1.5, test.logits.shape))
    return {"a": [val, test], "b": [val, reordered(worse, rng.permutation(200))]}, worse


def test_every_finding_is_compared_over_its_known_labels_whatever_the_order(runs):
    sets, worse = runs
    (comparison,) = compare_or_pool_findings(sets, METHOD).comparisons
    val, test = sets["a"]
    assert (comparison.first, comparison.second, comparison.set) == ("a", "b", "test")
    p_values = []
    for k, name in enumerate(FINDINGS):
        known = test.known(name)
        temperature = choose(val, METHOD.rule)[name].temperature.value
        scores = [sigmoid(p.logits[known, k] / temperature) for p in (test, worse)]
        expected = delong(test.targets[known, k] == 1, *scores, test.outcomes(name).patients)
        got = comparison.findings[name]
        assert converted(AreaTest, got) == expected
        assert got.images == len(known)
        assert got.interval[0] < got.difference < got.interval[1]
        brier = [np.mean((s - (test.targets[known, k] == 1)) ** 2) for s in scores]
        assert got.brier.value == pytest.approx(brier[0] - brier[1])
        p_values.append(expected.p_value)
    assert [comparison.findings[name].p_holm for name in FINDINGS] == holm(p_values)


def test_areas_of_logits_far_from_0_are_compared_as_those_near_it(runs):
    sets, _ = runs
    unscaled = {run: (1.0,) * len(FINDINGS) for run in sets}
    near = {run: of_run[1] for run, of_run in sets.items()}
    far = {run: with_logits(test, test.logits + 100.0) for run, test in near.items()}
    pairs = [("a", "b")]
    ((one,), (other,)) = (compare_finding_pairs(t, pairs, unscaled, METHOD) for t in (near, far))
    for name in FINDINGS:
        assert one.findings[name].p_value is not None
        assert other.findings[name].p_value == pytest.approx(one.findings[name].p_value)
        assert other.findings[name].areas == pytest.approx(one.findings[name].areas)


def test_the_mean_difference_has_the_interval_of_joint_draws(runs):
    sets, worse = runs
    (comparison,) = compare_or_pool_findings(sets, METHOD).comparisons
    val, test = sets["a"]
    temperatures = tuple(c.temperature.value for c in choose(val, METHOD.rule).values())
    first, second = (
        measure(FindingStatistics(outcomes_of(p, temperatures)), draws=200) for p in (test, worse)
    )
    assert comparison.over == FINDINGS
    difference = first.values["mean_roc_auc"] - second.values["mean_roc_auc"]
    assert comparison.mean_roc_auc.value == pytest.approx(difference)
    spread = (first.draws["mean_roc_auc"] - second.draws["mean_roc_auc"]).std(ddof=1)
    low, high = comparison.mean_roc_auc.interval
    assert 1.9 * spread < (high - low) / 2 < 2.2 * spread


def test_logits_of_unknown_labels_change_no_comparison(rng, runs):
    sets, _ = runs
    before = compare_or_pool_findings(sets, METHOD)
    other = {
        name: [
            with_logits(p, np.where(p.targets == -1, rng.normal(0, 9, p.logits.shape), p.logits))
            for p in of_run
        ]
        for name, of_run in sets.items()
    }
    assert compare_or_pool_findings(other, METHOD) == before


def test_runs_of_other_findings_images_or_labels_are_refused(runs):
    sets, worse = runs
    val, test = sets["a"]
    renamed = [dataclasses.replace(p, findings=("A", "B", "C")) for p in sets["b"]]
    with pytest.raises(ValueError, match="`RUN` must name runs with the same findings; got A, B"):
        compare_or_pool_findings({"a": sets["a"], "b": renamed}, METHOD)
    half = reordered(test, np.arange(100))
    with pytest.raises(ValueError, match="got test sets that share 100 of"):
        compare_or_pool_findings({"a": sets["a"], "b": [val, half]}, METHOD)
    relabelled = dataclasses.replace(worse, targets=(1 - worse.targets.clip(0)).astype(np.int8))
    with pytest.raises(
        ValueError,
        match=r"must hold the same images and labels in a and b.* different labels of 200 i",
    ):
        compare_or_pool_findings({"a": sets["a"], "b": [val, relabelled]}, METHOD)
    with pytest.raises(ValueError, match="`RUN` must have predictions of val; got none"):
        compare_or_pool_findings({"a": sets["a"], "b": [test]}, METHOD)


def test_runs_whose_findings_are_in_another_order_are_compared_in_that_of_the_first(runs):
    sets, _ = runs
    names = sorted(FINDINGS)
    assert tuple(names) != FINDINGS
    other = {"a": sets["a"], "b": [one.in_order(names) for one in sets["b"]]}
    assert other["b"][1].findings == tuple(names)
    assert compare_or_pool_findings(other, METHOD) == compare_or_pool_findings(sets, METHOD)
    turned = {"b": other["b"], "a": sets["a"]}
    (comparison,) = compare_or_pool_findings(turned, METHOD).comparisons
    assert list(comparison.findings) == names


def test_sets_of_other_images_do_not_hinder_other_comparisons_which_are_sorted_by_pair(runs, rng):
    sets, _ = runs
    clinic = make_finding_predictions(rng, images=120, name="clinic")
    less = reordered(clinic, np.arange(100))
    three = {"a": [*sets["a"], clinic], "b": [*sets["b"], less], "c": [*sets["a"], clinic]}
    result = compare_or_pool_findings(three, METHOD)
    assert [(pair.first, pair.second, pair.set) for pair in result.comparisons] == [
        ("a", "b", "test"), ("a", "c", "test"), ("a", "c", "clinic"), ("b", "c", "test"),
    ]  # fmt: skip
    assert result.left_out == (
        "clinic: a and c not compared with b: 20 images that are in one of the two alone, such as "
        "'clinic/100.png'",
    )


def test_runs_tested_on_different_images_are_pooled_each_at_its_temperatures(rng):
    runs = {
        fold: [
            make_finding_predictions(rng, images=120, name=name, root=f"/{fold}")
            for name in ("val", "test")
        ]
        for fold in "ab"
    }
    result = compare_or_pool_findings(runs, METHOD)
    assert result.comparisons is None
    pooled = result.pooled
    assert (pooled.images, pooled.patients) == (240, 60)  # patients of one name are one
    for k, name in enumerate(FINDINGS):
        shares, present = [], []
        for val, test in runs.values():
            temperature = choose(val, METHOD.rule)[name].temperature.value
            known = test.known(name)
            shares.append(sigmoid(test.logits[known, k] / temperature))
            present.append(test.targets[known, k])
        shares, present = np.concatenate(shares), np.concatenate(present)
        values = pooled.findings[name]
        assert values.images == len(present)
        assert values.brier.value == pytest.approx(np.mean((shares - present) ** 2))
        assert values.brier_calibrated == values.brier
        assert values.operating_point.reason == "operating points differ from run to run"
    assert pooled.runs["a"].images == 120


def test_p_values_by_holm_worked_out_by_hand():
    expected = [0.03, 0.06, 0.06, None]  # 3 x 0.01, 2 x 0.03, and no smaller than the one before
    assert holm([0.01, 0.04, 0.03, None]) == pytest.approx(expected)
