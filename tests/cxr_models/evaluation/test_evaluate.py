import json

import numpy as np
import pytest

from cxr_models._typed_json import from_json, to_json
from cxr_models.evaluation.calibration import fit_temperature, softmax
from cxr_models.evaluation.evaluate import Method, choose_temperature_and_thresholds, evaluate_sets
from cxr_models.evaluation.operating_points import Rule, choose_thresholds
from cxr_models.evaluation.results import Evaluation, Measured, TemperatureScaling
from tests.helpers.predicted import CLASSES, make_predictions, with_logits

METHOD = Method(draws=200)


@pytest.fixture
def sets(rng):
    return [make_predictions(rng, name=n) for n in ("train", "val", "test", "elsewhere")]


def test_temperature_and_thresholds_come_from_validation_alone(rng, sets):
    told = evaluate_sets("run", sets, METHOD)
    _, val, test, _ = sets
    expected = val.outcomes()
    temperature = fit_temperature(expected.logits, expected.targets).value
    assert told.calibration == TemperatureScaling(temperature=temperature, fitted_on="val")
    thresholds = choose_thresholds(val.outcomes(temperature=temperature), Rule())
    assert told.operating_points.thresholds == dict(zip(CLASSES, thresholds, strict=True))
    other = evaluate_sets(
        "run", [*sets[:2], with_logits(test, rng.normal(size=test.logits.shape))], METHOD
    )
    assert other.calibration == told.calibration
    assert other.operating_points == told.operating_points
    for k, name in enumerate(CLASSES):
        point = told.sets["test"].classes[name].operating_point
        flagged = softmax(test.logits, temperature)[:, k] >= thresholds[k]
        assert point.sensitivity.value == flagged[test.outcomes().targets == k].mean()


def test_an_evaluation_is_json_and_the_same_for_the_same_seed(sets):
    told = evaluate_sets("run", sets, METHOD)
    text = json.dumps(to_json(told), allow_nan=False)
    assert from_json(Evaluation, json.loads(text)) == told
    assert evaluate_sets("run", sets, METHOD) == told
    assert evaluate_sets("run", sets, Method(draws=200, seed=1)) != told


def test_a_class_missing_elsewhere_is_null_with_a_reason(rng, sets):
    labels = ["covid", "normal"] * 15
    elsewhere = make_predictions(rng, name="elsewhere", labels=labels)
    told = evaluate_sets("run", [sets[1], elsewhere], METHOD)
    virus = told.sets["elsewhere"].classes["virus"]
    assert virus.images == 0
    for metric in ("precision", "recall", "f1", "roc_auc", "pr_auc"):
        expected = Measured(value=None, interval=None, reason="no image of this class")
        assert getattr(virus, metric) == expected, metric
    assert virus.operating_point.sensitivity.value is None
    assert virus.specificity.value == np.mean(elsewhere.outcomes().predicted != 2)
    assert told.sets["elsewhere"].confusion.normalised[2] is None
    assert "virus" not in told.sets["elsewhere"].curves


@pytest.mark.parametrize("labels", [["covid"] * 30, ["covid"], list(CLASSES)],
                         ids=["one-class", "one-image", "one-image-a-class"])  # fmt: skip
def test_the_smallest_sets_are_judged_too(rng, labels):
    sets = [make_predictions(rng, name=name, labels=labels) for name in ("train", "val", "test")]
    told = evaluate_sets("run", sets, METHOD)
    json.dumps(to_json(told), allow_nan=False)
    overall = told.sets["test"].overall
    test = sets[2].outcomes()
    assert overall.accuracy.value == np.mean(test.predicted == test.targets)
    if len(set(labels)) == 1:
        point = told.sets["test"].classes["covid"].operating_point
        assert point.threshold is None
        assert "does not hold both" in point.reason


def test_sources_and_views_are_judged_by_themselves(sets):
    test = sets[2]
    told = evaluate_sets("run", sets[1:3], METHOD).sets["test"]
    right = test.outcomes().predicted == test.outcomes().targets
    sources = np.array([record.source for record in test.manifest.records])
    assert list(told.by_source) == ["here", "there"]
    for source, one in told.by_source.items():
        assert one.overall.accuracy.value == right[sources == source].mean()
    assert list(told.by_view) == ["PA", "not stated"]
    assert sum(one.images for one in told.by_view.values()) == 60


def test_calibration_is_told_before_and_after(sets):
    told = evaluate_sets("run", sets, METHOD)
    test = told.sets["test"]
    outcomes = sets[2].outcomes()
    calibrated = softmax(outcomes.logits, told.calibration.temperature)
    loss = -np.log(calibrated[np.arange(60), outcomes.targets]).mean()
    assert test.overall.log_loss_calibrated.value == pytest.approx(loss)
    for bins, name in ((test.reliability.raw, "ece"),
                       (test.reliability.calibrated, "ece_calibrated")):  # fmt: skip
        gaps = sum(b.images * abs(b.confidence - b.accuracy) for b in bins) / 60
        assert getattr(test.overall, name).value == pytest.approx(gaps)


def test_validation_is_needed_and_must_be_validation(sets):
    with pytest.raises(ValueError, match="`sets` must hold val"):
        evaluate_sets("run", sets[2:], METHOD)
    with pytest.raises(ValueError, match="`validation` must be the part val; got 'test'"):
        choose_temperature_and_thresholds(sets[2], Rule())


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({"draws": 99}, ValueError, "`draws` must be at least 100; got 99"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0"),
        ({"draws": 1e3}, TypeError, "`draws` must be an int"),
    ],
)
def test_a_method_checks_itself(settings, error, sentence):
    with pytest.raises(error, match=sentence):
        Method(**settings)
