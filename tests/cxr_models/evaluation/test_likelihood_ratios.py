import math

import numpy as np
import pytest

from cxr_models.evaluation.bootstrap import Measurement
from cxr_models.evaluation.likelihood_ratios import interval_of_ratio, likelihood_ratios


def measurement(sensitivity, specificity, rng, patients=60):
    """Give values as measured, with draws around them."""
    values = {"sensitivity@0": sensitivity, "specificity@0": specificity}
    return Measurement(
        values=values,
        draws={
            name: np.clip(value + 0.05 * rng.normal(size=400), 0.0, 1.0)
            if 0 < value < 1
            else np.full(400, value)
            for name, value in values.items()
        },
        patients_behind=dict.fromkeys(values, patients),
        num_patients=2 * patients,
        parts=dict.fromkeys(values, ()),
    )


def test_the_interval_of_a_ratio_is_that_computed_by_hand():
    # On the logarithmic scale: distances to the ends, added as squares.
    low, high = interval_of_ratio(0.8, (0.7, 0.88), 0.1, (0.06, 0.16))
    below = math.hypot(math.log(0.8 / 0.7), math.log(0.16 / 0.1))
    above = math.hypot(math.log(0.88 / 0.8), math.log(0.1 / 0.06))
    assert low == pytest.approx(8.0 * math.exp(-below))
    assert high == pytest.approx(8.0 * math.exp(above))
    narrow = interval_of_ratio(0.8, (0.7, 0.88), 0.1, (0.06, 0.16), correlation=0.5)
    assert narrow[1] - narrow[0] < high - low


def test_a_ratio_of_zero_joins_the_worst_ends(rng):
    ratios = likelihood_ratios(measurement(1.0, 0.9, rng))
    assert ratios.negative.value == 0.0
    exact = 0.025 ** (1 / 60)  # of 60 patients who were all found
    low, high = ratios.negative.interval
    assert low == 0.0
    assert high > (1 - exact) / 0.9
    assert ratios.positive.value == pytest.approx(10.0)
    predictive = ratios.predictive_values(0.01)
    assert predictive.negative.value == 1.0
    assert predictive.negative.interval[1] == 1.0
    odds = high * 0.01 / 0.99
    assert predictive.negative.interval[0] == pytest.approx(1 / (1 + odds))


def test_a_ratio_without_end_says_where_its_interval_begins(rng):
    ratios = likelihood_ratios(measurement(0.7, 1.0, rng))
    assert math.isinf(ratios.positive.value)
    told = ratios.positive.measured
    assert told.value is None
    assert "the ratio is infinite: its denominator is 0; its interval begins at" in told.reason
    # A specificity of 60 in 60 is far from proving a predictive value of 1 where few are ill.
    predictive = ratios.predictive_values(0.01)
    assert predictive.positive.value == 1.0
    assert predictive.positive.interval[0] < 0.15
    assert predictive.positive.interval[1] == 1.0


def test_a_ratio_of_nothing_to_nothing_is_undefined(rng):
    told = likelihood_ratios(measurement(0.0, 1.0, rng))
    assert told.positive.measured.reason == "no image reaches the threshold"
    assert told.negative.value == 1.0
    told = likelihood_ratios(measurement(1.0, 0.0, rng))
    assert told.negative.measured.reason == "every image reaches the threshold"
    assert told.negative.share(1.0).reason == "every image reaches the threshold"


def test_too_few_patients_have_a_ratio_without_an_interval(rng):
    told = likelihood_ratios(measurement(0.8, 0.9, rng, patients=9)).positive.measured
    assert told.value == pytest.approx(8.0)
    assert told.interval is None
    assert told.reason == "9 patients of the class concerned, fewer than 10"
    few = likelihood_ratios(measurement(0.8, 0.9, rng, patients=12))
    assert few.positive.measured.remark == "12 patients of the class concerned"
    assert few.predictive_values(0.1).positive.remark == "12 patients of the class concerned"


def test_a_reason_given_is_that_of_both_ratios(rng):
    told = likelihood_ratios(measurement(0.8, 0.9, rng), "no threshold")
    assert {told.positive.measured.reason, told.negative.measured.reason} == {"no threshold"}
