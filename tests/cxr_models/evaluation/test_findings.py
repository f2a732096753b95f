import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import norm

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from cxr_models._typed_json import from_json, to_json
from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.calibration import fit_temperature
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_statistics import FindingStatistics, outcomes_of
from cxr_models.evaluation.findings import choose, evaluate_findings
from cxr_models.evaluation.findings_results import FindingsEvaluation
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.operating_points import Rule
from cxr_models.evaluation.prediction_tables import Origin
from tests.helpers.predicted import FINDINGS, make_finding_predictions

METHOD = Method(draws=200)


@pytest.fixture
def sets(rng):
    return [
        make_finding_predictions(rng, images=240, name=name)
        for name in ("train", "val", "test", "elsewhere")
    ]


def with_targets(predictions, targets):
    return dataclasses.replace(predictions, targets=targets.astype(np.int8))


def with_logits(predictions, logits):
    return dataclasses.replace(predictions, logits=logits, probabilities=sigmoid(logits))


@pytest.mark.parametrize("offset", [100.0, -1000.0])
def test_areas_do_not_depend_on_how_far_logits_are_from_0(sets, offset):
    foreign = Origin(weights_sha256="", config_sha256="", records_sha256="r", inputs="i")
    test = dataclasses.replace(sets[2], origin=foreign)
    far = with_logits(test, test.logits + offset)
    near_values, values = (
        evaluate_findings("run", [one], METHOD).sets["test"] for one in (test, far)
    )
    for name in FINDINGS:
        expected, got = near_values.findings[name], values.findings[name]
        assert got.roc_auc.value == pytest.approx(expected.roc_auc.value)
        assert got.roc_auc.interval == pytest.approx(expected.roc_auc.interval)
        assert got.pr_auc.value == pytest.approx(expected.pr_auc.value)
        roc = values.curves[name].roc
        assert roc.sensitivity == near_values.curves[name].roc.sensitivity
        assert set(roc.threshold[1:]) == {float(offset > 0)}


def test_values_of_a_finding_are_those_of_scikit_learn_over_its_known_labels(sets):
    evaluation = evaluate_findings("run", sets, METHOD)
    test = sets[2]
    for k, name in enumerate(FINDINGS):
        values = evaluation.sets["test"].findings[name]
        known = test.targets[:, k] != -1
        true, logits = test.targets[known, k], test.logits[known, k]
        raw, calibrated = sigmoid(logits), sigmoid(logits / evaluation.temperatures[name])
        called = calibrated >= evaluation.operating_points.thresholds[name]
        point = values.operating_point
        assert (values.images, values.present) == (known.sum(), true.sum())
        for measured, expected in (
            (values.roc_auc, roc_auc_score(true, logits)),
            (values.pr_auc, average_precision_score(true, logits)),
            (values.brier, brier_score_loss(true, raw)),
            (values.brier_calibrated, brier_score_loss(true, calibrated)),
            (values.log_loss, log_loss(true, raw)),
            (values.log_loss_calibrated, log_loss(true, calibrated)),
            (point.sensitivity, recall_score(true, called)),
            (point.specificity, recall_score(true, called, pos_label=0)),
            (point.precision, precision_score(true, called)),
        ):
            assert measured.value == pytest.approx(expected, abs=1e-12)
            assert measured.interval[0] < measured.value < measured.interval[1]
    means = evaluation.sets["test"].means
    assert means.over == FINDINGS
    areas = [evaluation.sets["test"].findings[name].roc_auc.value for name in FINDINGS]
    assert means.roc_auc.value == pytest.approx(np.mean(areas), abs=1e-12)


def test_values_worked_out_by_hand(rng):
    # Four known images of one finding, two with it: of four pairs three are in the right order.
    logits = np.log([[0.9 / 0.1], [0.4 / 0.6], [0.6 / 0.4], [0.2 / 0.8], [0.99 / 0.01]])
    predictions = make_finding_predictions(
        rng,
        images=5,
        shares=(0.5,),
        logits=logits,
        probabilities=sigmoid(logits),
        targets=np.array([[1], [1], [0], [0], [-1]], np.int8),
    )
    outcomes = outcomes_of(predictions, (1.0,), (0.5,))
    values = {name: v[0] for name, v in FindingStatistics(outcomes)(np.ones((1, 3))).items()}
    assert values["roc_auc/Mass"] == 0.75
    assert values["pr_auc/Mass"] == pytest.approx((1 + 2 / 3) / 2)
    assert values["brier/Mass"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.04) / 4)
    assert values["log_loss/Mass"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.8]).mean())
    assert values["ece/Mass"] == pytest.approx((0.1 + 0.6 + 0.6 + 0.2) / 4)  # a bin each
    assert values["sensitivity/Mass"] == values["specificity/Mass"] == 0.5
    assert values["precision/Mass"] == 0.5


def test_with_all_labels_known_a_finding_is_the_two_classes_in_every_draw(rng):
    predictions = make_finding_predictions(rng, hidden=0.0)
    drawn = measure(FindingStatistics(outcomes_of(predictions)), draws=100).draws
    for name in FINDINGS:
        of_classes = measure(ImageStatistics(predictions.outcomes(name)), draws=100).draws
        for metric in ("roc_auc", "pr_auc"):
            expected = of_classes[f"{metric}/{name}"]
            np.testing.assert_allclose(drawn[f"{metric}/{name}"], expected, rtol=1e-12)
        if name == FINDINGS[0]:
            np.testing.assert_allclose(drawn[f"log_loss/{name}"], of_classes["log_loss"])


def test_the_calibration_error_is_the_gap_of_every_bin_by_its_images(rng):
    predictions = make_finding_predictions(rng, images=400)
    statistics = FindingStatistics(outcomes_of(predictions, (2.0, 1.0, 1.0)))
    values = statistics(np.ones((1, statistics.num_patients)))
    known = predictions.known("Mass")
    for metric, temperature in (("ece", 1.0), ("ece_calibrated", 2.0)):
        shares = sigmoid(predictions.logits[known, 0] / temperature)
        present = predictions.targets[known, 0]
        bins = np.ceil(shares * 15)
        gaps = [abs((shares - present)[bins == place].sum()) for place in np.unique(bins)]
        assert values[f"{metric}/Mass"][0] == pytest.approx(sum(gaps) / len(known))


def test_logits_of_unknown_labels_change_nothing_of_their_finding(rng, sets):
    evaluation = evaluate_findings("run", sets, METHOD)
    changed = []
    for predictions in sets:
        other = rng.normal(0.0, 50.0, predictions.logits.shape)
        changed.append(
            with_logits(predictions, np.where(predictions.targets == -1, other, predictions.logits))
        )
    assert evaluate_findings("run", changed, METHOD) == evaluation


def test_temperature_and_threshold_of_a_finding_come_from_its_known_validation_images(sets):
    _, val, test, _ = sets
    choices = choose(val, Rule(sensitivity=0.9))
    for k, name in enumerate(FINDINGS):
        known = val.targets[:, k] != -1
        logits, true = val.logits[known, k], val.targets[known, k]
        two = np.stack([np.zeros_like(logits), logits], axis=1)
        temperature = fit_temperature(two, true.astype(np.int64))
        assert choices[name].temperature == temperature
        calibrated = sigmoid(logits / temperature.value)
        found = calibrated[true == 1] >= choices[name].threshold
        assert found.mean() >= 0.9
        above = calibrated[true == 1] > choices[name].threshold
        assert above.mean() < 0.9
    with pytest.raises(ValueError, match="`validation` must be the part val; got 'test'"):
        choose(test, Rule())
    with pytest.raises(ValueError, match="`sets` must hold val"):
        evaluate_findings("run", [test], METHOD)


@pytest.mark.parametrize("label", [0, 1])
def test_a_finding_of_one_known_label_in_validation_has_no_temperature(sets, label):
    targets = sets[1].targets.copy()
    targets[:, 0] = np.where(targets[:, 0] == -1, -1, label)
    evaluation = evaluate_findings("run", [with_targets(sets[1], targets), sets[2]], METHOD)
    calibration = evaluation.calibration["Mass"]
    assert calibration.temperature == 1.0
    assert "known images both with it and without it" in calibration.reason
    assert evaluation.calibration["Hernia"].reason == ""


def test_an_evaluation_is_json_and_the_same_for_the_same_seed(sets):
    evaluation = evaluate_findings("run", sets, METHOD)
    text = json.dumps(to_json(evaluation), allow_nan=False)
    assert from_json(FindingsEvaluation, json.loads(text)) == evaluation
    assert evaluate_findings("run", sets, METHOD) == evaluation
    assert evaluate_findings("run", sets, Method(draws=200, seed=1)) != evaluation


def test_a_finding_of_few_patients_is_left_out_of_the_means_and_says_why(rng, sets):
    test = sets[2]
    targets = test.targets.copy()
    targets[:, 1] = np.where(np.arange(240) < 18, 1, 0)  # nine patients of two images each
    targets[:, 2] = -1
    evaluation = evaluate_findings("run", [sets[1], with_targets(test, targets)], METHOD)
    values = evaluation.sets["test"]
    assert values.means.over == ("Mass",)
    assert values.means.left_out == {
        "Effusion": "9 patients with it, fewer than 10",
        "Hernia": "0 patients with it, fewer than 10",
    }
    assert values.means.roc_auc.value == values.findings["Mass"].roc_auc.value
    assert values.findings["Effusion"].roc_auc.value is not None
    assert values.findings["Effusion"].roc_auc.interval is None
    hernia = values.findings["Hernia"]
    assert hernia.images == hernia.patients == 0
    for measured in (hernia.roc_auc, hernia.brier, hernia.ece, hernia.operating_point.sensitivity):
        assert measured.value is None
        assert measured.reason == "no image whose label is known"
    assert "Hernia" not in values.curves
    assert "Hernia" not in values.reliability


def test_no_finding_of_enough_patients_gives_no_mean(rng):
    val, test = (make_finding_predictions(rng, images=12, name=name) for name in ("val", "test"))
    values = evaluate_findings("run", [val, test], METHOD).sets["test"]
    assert values.means.over == ()
    assert values.means.roc_auc.value is None
    assert values.means.roc_auc.reason == "no finding has enough patients with it and without it"


def test_a_finding_that_validation_does_not_know_has_no_threshold_and_no_temperature(rng, sets):
    targets = sets[1].targets.copy()
    targets[:, 0] = -1
    targets[:, 1] = np.where(targets[:, 1] == 1, -1, targets[:, 1])
    evaluation = evaluate_findings("run", [with_targets(sets[1], targets), sets[2]], METHOD)
    assert evaluation.calibration["Mass"].temperature == 1.0
    assert "does not hold an image whose label is known" in evaluation.calibration["Mass"].reason
    for name in ("Mass", "Effusion"):
        point = evaluation.sets["test"].findings[name].operating_point
        assert point.threshold is None
        assert "known images both with it and without it" in point.reason
        assert evaluation.sets["test"].findings[name].roc_auc.value is not None


def test_sources_and_views_have_values_of_their_own(sets):
    values = evaluate_findings("run", sets, METHOD).sets["test"]
    assert sorted(values.by_source) == ["here", "there"]
    assert sorted(values.by_view) == ["PA", "not stated"]
    test = sets[2]
    here = [i for i, record in enumerate(test.manifest.records) if record.source == "here"]
    known = [i for i in here if test.targets[i, 0] != -1]
    expected = roc_auc_score(test.targets[known, 0], test.logits[known, 0])
    assert values.by_source["here"].findings["Mass"].roc_auc.value == pytest.approx(expected)


@pytest.mark.slow
def test_intervals_of_findings_and_of_their_mean_hold_the_truth_in_92_to_98_of_100_sets():
    """Patients have one to four images, whose scores share half of their variance."""
    rng = np.random.default_rng(5)
    shares, gaps, hidden, sets, patients = (0.4, 0.3, 0.2), (1.0, 1.5, 0.6), 0.25, 400, 200
    truth = [norm.cdf(gap / np.sqrt(2.0)) for gap in gaps]
    held = dict.fromkeys([*(f"roc_auc/{name}" for name in FINDINGS), "mean_roc_auc"], 0)
    truths = dict(zip(held, [*truth, np.mean(truth)], strict=True))
    for _ in range(sets):
        images = rng.integers(1, 5, patients)
        of_patient = np.repeat(np.arange(patients), images)
        ill = rng.random((patients, 3)) < shares
        shared = rng.normal(0.0, np.sqrt(0.5), (patients, 3)) + ill * gaps
        logits = shared[of_patient] + rng.normal(0.0, np.sqrt(0.5), (len(of_patient), 3))
        unknown = rng.random(logits.shape) < hidden
        predictions = make_finding_predictions(
            rng,
            images=len(logits),
            logits=logits,
            probabilities=sigmoid(logits),
            targets=np.where(unknown, -1, ill[of_patient]).astype(np.int8),
        )
        outcomes = dataclasses.replace(outcomes_of(predictions), patients=of_patient)
        measurement = measure(FindingStatistics(outcomes), draws=200)
        for name, value in truths.items():
            (low, high), _ = measurement.interval(name)
            held[name] += low <= value <= high
    for name, count in held.items():
        assert 0.92 <= count / sets <= 0.98, name
