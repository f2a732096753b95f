import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from scipy import stats
from sklearn.metrics import roc_auc_score

from cxr_models._typed_json import converted, from_json, to_json
from cxr_models.cli._findings_text import several_findings_lines
from cxr_models.config import RunConfig
from cxr_models.evaluation.bootstrap import Measurement, measure
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.compare_runs import compare_or_pool
from cxr_models.evaluation.comparisons import SeveralRuns
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.findings import evaluate_findings
from cxr_models.evaluation.findings_results import SeveralFindingRuns
from cxr_models.evaluation.metrics import ImageStatistics, Outcomes
from cxr_models.evaluation.seeds import (
    groups_by_seed,
    over_seeds,
    spread_over_seeds,
)
from cxr_models.evaluation.several_runs import several_runs
from tests.helpers.predicted import (
    FINDINGS,
    make_finding_predictions,
    make_predictions,
    with_logits,
)

METHOD = Method(draws=200)


def measured(value, draws, patients=50):
    return Measurement(
        values={"accuracy": value},
        draws={"accuracy": np.asarray(draws, float)},
        patients_behind={"accuracy": patients},
        num_patients=patients,
        parts={"accuracy": ()},
    )


def test_the_interval_is_that_of_obuchowski_and_rockette_computed_by_hand(rng):
    shared = rng.normal(0, 0.02, 500)
    values = [0.80, 0.84, 0.85]
    draws = [value + shared + rng.normal(0, 0.01, 500) for value in values]
    told = over_seeds([measured(v, d) for v, d in zip(values, draws, strict=True)], "accuracy")
    mean = 2.49 / 3
    between = ((0.80 - mean) ** 2 + (0.84 - mean) ** 2 + (0.85 - mean) ** 2) / 2
    pairs = [(0, 1), (0, 2), (1, 2)]
    covariance = np.mean([np.cov(draws[i], draws[j])[0, 1] for i, j in pairs])
    freedom = min(2 * ((between + 3 * covariance) / between) ** 2, 49)
    error = math.sqrt(between / 3 + covariance)
    reach = stats.t.ppf(0.975, freedom) * error / (mean * (1 - mean))
    odds = math.log(mean / (1 - mean))
    expected = [1 / (1 + math.exp(-(odds + side * reach))) for side in (-1, 1)]
    assert told.mean == pytest.approx(mean)
    assert told.sd == pytest.approx(math.sqrt(between))
    assert (told.lowest, told.highest) == (0.80, 0.85)
    assert told.interval == pytest.approx(expected)
    assert told.reason == ""


def test_equal_runs_have_the_uncertainty_of_the_patients_alone(rng):
    draws = 0.8 + rng.normal(0, 0.02, 500)
    told = over_seeds([measured(0.8, draws)] * 3, "accuracy")
    assert told.sd == pytest.approx(0.0)
    reach = stats.t.ppf(0.975, 49) * draws.std(ddof=1) / (0.8 * 0.2)
    ends = [1 / (1 + math.exp(-(math.log(4) + side * reach))) for side in (-1, 1)]
    assert told.interval == pytest.approx(ends)


def test_what_has_no_interval_has_a_reason():
    told = over_seeds([measured(0.8, [0.8, 0.8]), measured(0.8, [0.8, 0.8])], "accuracy")
    assert told.mean == 0.8
    assert told.reason == "all runs and draws give the same value, which shows no uncertainty"
    few = over_seeds([measured(v, [], patients=9) for v in (0.8, 0.9)], "accuracy")
    assert few.reason == "9 patients of the class concerned, fewer than 10"
    undefined = over_seeds([measured(math.nan, []), measured(0.8, [])], "accuracy")
    assert (undefined.mean, undefined.reason) == (None, "undefined on this set")


def test_runs_are_grouped_that_differ_in_the_seed_and_in_where_a_cache_lies():
    config = RunConfig()
    settings = {
        "a": config,
        "b": config.with_setting("training.seed", 1),
        "raw": config.with_setting("data.enhance", None),
        "c": config.with_setting("training.seed", 2).with_setting("data.cache_dir", "there"),
        "raw-1": config.with_setting("data.enhance", None).with_setting("training.seed", 1),
        "other": config.with_setting("training.patience", 9),
    }
    assert groups_by_seed(settings) == [["a", "b", "c"], ["raw", "raw-1"]]
    assert groups_by_seed({"a": config, "again": config}) == []
    assert groups_by_seed({}) == []


def test_values_over_seeds_are_those_of_each_run_on_every_set_that_all_have(rng):
    sets = [make_predictions(rng, name=name) for name in ("val", "test", "clinic")]
    runs = {
        name: [with_logits(one, one.logits + rng.normal(size=one.logits.shape)) for one in sets]
        for name in "abc"
    }
    runs["c"] = runs["c"][:2]  # without the other source
    evaluations = {name: evaluate_sets(name, own, METHOD) for name, own in runs.items()}
    seeds = {"a": 0, "b": 1, "c": 7}
    (spread,) = spread_over_seeds(runs, evaluations, seeds, METHOD)
    assert (spread.set, spread.images, spread.patients, spread.seeds) == ("test", 60, 30, seeds)
    for name, told in (
        ("accuracy", [one.sets["test"].overall.accuracy for one in evaluations.values()]),
        ("macro_roc_auc", [one.sets["test"].overall.macro_roc_auc for one in evaluations.values()]),
        ("roc_auc/virus", [e.sets["test"].classes["virus"].roc_auc for e in evaluations.values()]),
    ):
        values = [one.value for one in told]
        of_seeds = spread.values[name]
        assert of_seeds.mean == pytest.approx(np.mean(values))
        assert of_seeds.sd == pytest.approx(np.std(values, ddof=1))
        assert (of_seeds.lowest, of_seeds.highest) == pytest.approx((min(values), max(values)))
        assert of_seeds.interval[0] < of_seeds.mean < of_seeds.interval[1]
    assert [title for title, _ in spread.titled()][-1] == "ROC-AUC of virus"
    several = converted(
        SeveralRuns,
        compare_or_pool(runs, METHOD),
        runs=evaluations,
        differ={},
        seeds=(spread,),
    )
    assert from_json(SeveralRuns, to_json(several)) == several
    without = dataclasses.replace(several, seeds=())
    assert "seeds" not in to_json(without)  # as files of earlier versions


def test_values_of_findings_over_seeds_are_those_of_each_run_over_known_labels(rng):
    sets = [
        make_finding_predictions(rng, images=300, name=name) for name in ("val", "test", "clinic")
    ]
    targets = sets[1].targets.copy()
    targets[:, 2] = -1  # a finding of which no label is known
    sets[1] = dataclasses.replace(sets[1], targets=targets)
    runs = {name: [moved(rng, one) for one in sets] for name in "abc"}
    # The second run has its images in another order.
    order = rng.permutation(300)
    runs["b"][1] = reordered(runs["b"][1], order)
    evaluations = {name: evaluate_findings(name, own, METHOD) for name, own in runs.items()}
    seeds = {"a": 0, "b": 1, "c": 7}
    test, clinic = spread_over_seeds(runs, evaluations, seeds, METHOD)
    assert (test.set, test.images, test.patients, test.seeds) == ("test", 300, 150, seeds)
    assert (test.over, clinic.over) == (FINDINGS[:2], FINDINGS)
    assert test.values["roc_auc/Hernia"].reason == "undefined on this set"
    for k, finding in enumerate(FINDINGS[:2]):
        areas = []
        for own in runs.values():
            known = own[1].targets[:, k] != -1
            areas.append(roc_auc_score(own[1].targets[known, k], own[1].logits[known, k]))
        told = test.values[f"roc_auc/{finding}"]
        assert told.mean == pytest.approx(np.mean(areas))
        assert told.sd == pytest.approx(np.std(areas, ddof=1))
        assert (told.lowest, told.highest) == pytest.approx((min(areas), max(areas)))
        assert told.interval[0] < told.mean < told.interval[1]
    means = [one.sets["test"].means.roc_auc.value for one in evaluations.values()]
    assert test.values["mean_roc_auc"].mean == pytest.approx(np.mean(means))
    assert [title for title, _ in test.titled()] == [
        "mean ROC-AUC", "mean PR-AUC", *(f"ROC-AUC of {finding}" for finding in FINDINGS)
    ]  # fmt: skip


def test_several_runs_with_findings_have_the_spread_of_seeds_in_their_file(rng):
    sets = [make_finding_predictions(rng, images=120, name=name) for name in ("val", "test")]
    runs = {name: [moved(rng, one) for one in sets] for name in ("a", "b", "other")}
    evaluations = {name: evaluate_findings(name, own, METHOD) for name, own in runs.items()}
    config = RunConfig()
    settings = {
        "a": config,
        "b": config.with_setting("training.seed", 1),
        "other": config.with_setting("training.patience", 9),
    }
    several = several_runs(evaluations, runs, METHOD, settings)
    (spread,) = several.seeds
    assert spread.seeds == {"a": 0, "b": 1}
    stored = to_json(several)
    assert from_json(SeveralFindingRuns, stored) == several
    lines = list(several_findings_lines(several))
    assert "a (seed 0), b (seed 1) on test: runs that differ in the seed alone; intervals are" in (
        "\n".join(lines)
    )
    del stored["seeds"]  # as files of earlier versions
    assert from_json(SeveralFindingRuns, stored).seeds == ()
    assert several_runs(evaluations, runs, METHOD, {}).seeds == ()


def moved(rng, predictions):
    """Give predictions with other logits."""
    logits = predictions.logits + rng.normal(size=predictions.logits.shape)
    return dataclasses.replace(predictions, logits=logits, probabilities=sigmoid(logits))


def reordered(predictions, order):
    """Give the same predictions with their rows in another order."""
    records = tuple(predictions.manifest.records[place] for place in order)
    return dataclasses.replace(
        predictions,
        manifest=dataclasses.replace(predictions.manifest, records=records),
        targets=predictions.targets[order],
        logits=predictions.logits[order],
        probabilities=predictions.probabilities[order],
    )


def trained(rng, ill, noise, seed_skill):
    """Give what one training makes of patients whose shared difficulty is `noise`."""
    score = np.where(ill, seed_skill, -seed_skill) + noise + rng.normal(0, 0.5, len(ill))
    logits = np.stack([np.zeros(len(ill)), 2 * score], axis=1)
    return Outcomes(
        class_names=("well", "ill"),
        targets=ill.astype(np.int64),
        logits=logits,
        probabilities=softmax(logits),
        patients=np.arange(len(ill)),
    )


@pytest.mark.slow
@pytest.mark.parametrize("runs", [3, 5])
def test_intervals_over_seeds_hold_the_mean_of_all_seeds_and_those_over_patients_do_not(runs):
    rng = np.random.default_rng(12)
    # Of a patient: score > 0 for the ill. Skills of seeds spread normally around 0.8.
    scale = math.sqrt(0.85**2 + 0.5**2 + 0.25**2)
    truth = stats.norm.cdf(0.8 / scale)  # the mean accuracy over seeds and patients
    held = {"seeds": 0, "patients": 0}
    for number in range(400):
        ill = np.arange(150) < 75
        noise = rng.normal(0, 0.85, 150)
        found = [
            measure(
                ImageStatistics(trained(rng, ill, noise, rng.normal(0.8, 0.25)), ranks=False),
                draws=200, seed=number,
            )
            for _ in range(runs)
        ]  # fmt: skip
        low, high = over_seeds(found, "accuracy").interval
        held["seeds"] += low <= truth <= high
        low, high = found[0].interval("accuracy")[0]
        held["patients"] += low <= truth <= high
    assert 0.92 <= held["seeds"] / 400 <= 0.985, held
    assert held["patients"] / 400 < 0.88, held
