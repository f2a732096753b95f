import dataclasses

import numpy as np
import pytest

from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.operating_points import (
    Rule,
    called,
    choose_at_specificity,
    choose_thresholds,
)
from tests.helpers.predicted import make_outcomes, make_predictions, with_logits


def rates(outcomes, k, threshold):
    flagged, positive = outcomes.probabilities[:, k] >= threshold, outcomes.targets == k
    return flagged[positive].mean(), (~flagged[~positive]).mean()


def test_youden_is_the_best_of_all_thresholds(rng):
    outcomes = make_outcomes(rng)
    for k, threshold in enumerate(choose_thresholds(outcomes, Rule())):
        sums = [sum(rates(outcomes, k, score)) for score in outcomes.probabilities[:, k]]
        assert sum(rates(outcomes, k, threshold)) == pytest.approx(max(sums))


@pytest.mark.parametrize("wanted", [0.5, 0.9, 1.0])
def test_a_sensitivity_is_reached_and_no_higher_threshold_reaches_it(rng, wanted):
    outcomes = make_outcomes(rng)
    for k, threshold in enumerate(choose_thresholds(outcomes, Rule(sensitivity=wanted))):
        assert rates(outcomes, k, threshold)[0] >= wanted
        higher = [score for score in outcomes.probabilities[:, k] if score > threshold]
        assert all(rates(outcomes, k, score)[0] < wanted for score in higher)


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.99])
def test_a_specificity_is_reached_and_no_lower_threshold_reaches_it(rng, wanted):
    outcomes = make_outcomes(rng)
    for k, threshold in enumerate(choose_at_specificity(outcomes, wanted)):
        if threshold is None:  # images of other classes have the highest probabilities
            assert rates(outcomes, k, outcomes.probabilities[:, k].max())[1] < wanted
            continue
        assert rates(outcomes, k, threshold)[1] >= wanted
        lower = [score for score in outcomes.probabilities[:, k] if score < threshold]
        assert all(rates(outcomes, k, score)[1] < wanted for score in lower)


def test_a_specificity_that_no_threshold_reaches_has_none():
    outcomes = make_outcomes(np.random.default_rng(0), skill=-9.0)  # ranks the class last
    assert choose_at_specificity(outcomes, 0.999) == (None, None, None)


def test_a_class_that_validation_lacks_has_no_threshold(rng):
    outcomes = make_outcomes(rng)
    outcomes = dataclasses.replace(outcomes, targets=np.minimum(outcomes.targets, 1))
    assert choose_thresholds(outcomes, Rule())[2] is None
    assert choose_at_specificity(outcomes, 0.5)[2] is None
    one = dataclasses.replace(outcomes, targets=np.zeros_like(outcomes.targets))
    assert choose_thresholds(one, Rule()) == (None, None, None)


@pytest.mark.parametrize("wrong", [0.0, 1.1, -1.0, float("nan")])
def test_refuses_a_sensitivity_out_of_range(wrong):
    with pytest.raises(ValueError, match="`sensitivity` must be above 0 and at most 1"):
        Rule(sensitivity=wrong)


def test_thresholds_are_of_the_probabilities_that_a_run_at_work_gives(rng):
    # A network twice too sure of itself: its thresholds are of no use on calibrated probabilities.
    val, test = (make_predictions(rng, images=240, name=name) for name in ("val", "test"))
    val, test = (with_logits(one, 2.5 * one.logits) for one in (val, test))
    judged = evaluate_sets("run", [val, test], Method(draws=100))
    temperature = judged.calibration.temperature
    assert temperature > 1.5
    outcomes = test.outcomes(temperature=temperature)
    at_work = np.exp(test.logits / temperature)
    at_work /= at_work.sum(axis=1, keepdims=True)  # softmax(logits / T), as predict and exports do
    for k, name in enumerate(test.class_names):
        threshold = judged.operating_points.thresholds[name]
        flagged, positive = at_work[:, k] >= threshold, outcomes.targets == k
        point = judged.sets["test"].classes[name].operating_point
        assert point.sensitivity.value == pytest.approx(flagged[positive].mean())
        assert point.specificity.value == pytest.approx((~flagged[~positive]).mean())
        curve = judged.sets["test"].curves[name].roc.threshold
        assert max(curve[1:]) == pytest.approx(at_work[:, k].max(), abs=1e-6)


def test_of_two_classes_the_second_is_called_where_it_reaches_its_threshold():
    names = ("not covid", "covid")
    assert called((0.75, 0.25), names, (0.9, 0.25)) == ("covid",)
    assert called((0.76, 0.24), names, (0.1, 0.25)) == ("not covid",)
    assert called((0.1, 0.9), names, (0.5, None)) == ()


def test_of_more_classes_each_is_called_by_its_own_threshold():
    names, thresholds = ("covid", "normal", "virus"), (0.3, 0.5, None)
    assert called((0.3, 0.5, 0.2), names, thresholds) == ("covid", "normal")
    assert called((0.29, 0.49, 0.22), names, thresholds) == ()
    assert called((0.05, 0.05, 0.9), names, thresholds) == ()
    assert called((0.8, 0.1, 0.1), names, thresholds) == ("covid",)
