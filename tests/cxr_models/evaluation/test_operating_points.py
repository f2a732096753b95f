import dataclasses

import numpy as np
import pytest

from cxr_models.evaluation.metrics import Outcomes
from cxr_models.evaluation.operating_points import Rule, choose_thresholds
from tests.helpers.predicted import make_outcomes


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


def test_a_class_that_validation_lacks_has_no_threshold(rng):
    outcomes = make_outcomes(rng)
    outcomes = dataclasses.replace(outcomes, targets=np.minimum(outcomes.targets, 1))
    assert choose_thresholds(outcomes, Rule())[2] is None
    one = dataclasses.replace(outcomes, targets=np.zeros_like(outcomes.targets))
    assert isinstance(one, Outcomes)
    assert choose_thresholds(one, Rule()) == (None, None, None)


@pytest.mark.parametrize("wrong", [0.0, 1.1, -1.0, float("nan")])
def test_refuses_a_sensitivity_out_of_range(wrong):
    with pytest.raises(ValueError, match="`sensitivity` must be above 0 and at most 1"):
        Rule(sensitivity=wrong)
