import dataclasses
import math
from statistics import NormalDist

import numpy as np
import pytest

from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.evaluate import Method, select
from cxr_models.evaluation.metrics import ImageStatistics, Outcomes
from cxr_models.evaluation.subgroup_gaps import (
    gaps_between,
    smallest_detectable_gap,
    standard_error,
)
from cxr_models.evaluation.subgroups import class_measurements


def outcomes_of(right, targets=None, patients=None):
    """Make outcomes of two classes whose images are predicted right or wrong."""
    right = np.asarray(right, bool)
    targets = np.arange(len(right)) % 2 if targets is None else np.asarray(targets)
    logits = np.zeros((len(right), 2))
    logits[np.arange(len(right)), np.where(right, targets, 1 - targets)] = 2.0
    return Outcomes(
        class_names=("a", "b"),
        targets=targets,
        logits=logits,
        probabilities=softmax(logits),
        patients=np.arange(len(right)) if patients is None else np.asarray(patients),
        thresholds=(0.5, 0.5),
    )


def gaps_of(outcomes, places, method=None):
    method = method or Method(draws=400)
    places = np.asarray(places)
    measurements = {
        int(place): measure(
            ImageStatistics(select(outcomes, np.flatnonzero(places == place))),
            draws=method.draws,
            seed=method.seed,
        )
        for place in np.unique(places)
    }
    names = tuple("ABCDEFGHIJKLMNOP"[: len(measurements)])
    groups = class_measurements(outcomes, places, names, measurements)
    return {(gap.value, gap.label): gap for gap in gaps_between(groups, method)}


def test_a_gap_is_the_best_group_minus_the_worst():
    right = [True] * 30 + [True] * 20 + [False] * 10 + [True] * 25 + [False] * 5
    gap = gaps_of(outcomes_of(right), np.repeat([0, 1, 2], 30))["accuracy", ""]
    assert (gap.best, gap.worst) == ("A", "B")
    assert gap.difference.value == pytest.approx(1 - 20 / 30)
    assert gap.difference.interval[0] < gap.difference.value < gap.difference.interval[1]
    assert gap.difference.interval[1] <= 1.0
    assert "largest of the gaps between 3 groups, which is biased upward" in gap.difference.remark


def test_equal_groups_have_a_gap_of_zero_between_two_of_them():
    right = np.tile([True, True, False, True], 20)
    gap = gaps_of(outcomes_of(right), np.repeat([0, 1], 40))["accuracy", ""]
    assert (gap.difference.value, {gap.best, gap.worst}) == (0.0, {"A", "B"})
    assert gap.chance.p_value == 1.0


def test_the_interval_of_two_shares_is_that_of_zou_and_donner():
    right = [True] * 35 + [False] * 5 + [True] * 24 + [False] * 16
    outcomes, places = outcomes_of(right), np.repeat([0, 1], 40)
    gap = gaps_of(outcomes, places)["accuracy", ""]
    ends = []
    for place in (0, 1):
        part = select(outcomes, np.flatnonzero(places == place))
        ends.append(measure(ImageStatistics(part), draws=400).interval("accuracy")[0])
    (low, high), (other_low, other_high) = ends
    below = math.hypot(35 / 40 - low, other_high - 24 / 40)
    above = math.hypot(high - 35 / 40, 24 / 40 - other_low)
    expected = (11 / 40 - below, 11 / 40 + above)
    assert gap.difference.interval == pytest.approx(expected)


def test_intervals_of_gaps_hold_the_truth_as_often_as_they_say(rng):
    held, sets = 0, 100
    truth, places = 0.9 - 0.7, np.repeat([0, 1], [40, 80])
    for _ in range(sets):
        right = rng.random(120) < np.where(places == 0, 0.9, 0.7)
        gap = gaps_of(outcomes_of(right), places, Method(draws=100))["accuracy", ""]
        low, high = gap.difference.interval
        sign = 1 if gap.best == "A" else -1
        held += low <= sign * truth <= high
    assert held / sets >= 0.88


def test_values_of_patients_in_both_groups_are_compared_within_them(rng):
    right = rng.random(60) < 0.7
    places, patients = np.repeat([0, 1], 60), np.tile(np.arange(60), 2)
    targets = np.tile(np.arange(60) % 2, 2)
    twice = outcomes_of(np.tile(right, 2), targets, patients)
    gap = gaps_of(twice, places)["accuracy", ""]
    low, high = gap.difference.interval
    assert high - low < 0.05
    assert gap.smallest_seen is None or gap.smallest_seen < 1e-6
    apart = dataclasses.replace(twice, patients=np.arange(120))
    gap = gaps_of(apart, places)["accuracy", ""]
    low, high = gap.difference.interval
    assert high - low > 0.2
    assert gap.smallest_seen > 0.1


def test_the_smallest_difference_is_seen_in_four_sets_of_five(rng):
    errors = 0.03, 0.04
    smallest = smallest_detectable_gap(*errors)
    normal = NormalDist()
    assert smallest == pytest.approx((normal.inv_cdf(0.975) + normal.inv_cdf(0.8)) * 0.05)
    differences = rng.normal(smallest, 0.05, 20_000)
    seen = np.abs(differences) > normal.inv_cdf(0.975) * 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.01)
    assert smallest_detectable_gap(*errors, 0.5) == pytest.approx(
        smallest * math.sqrt(0.0013 / 0.0025)
    )
    assert smallest_detectable_gap(0.0, 0.0) is None


def test_the_standard_error_of_a_share_is_that_of_the_formula():
    right = [True] * 80 + [False] * 20
    measured = measure(ImageStatistics(outcomes_of(right)), draws=4000)
    assert standard_error(measured, "accuracy") == pytest.approx(
        math.sqrt(0.8 * 0.2 / 100), rel=0.05
    )
    always = measure(ImageStatistics(outcomes_of([True] * 20)), draws=200)
    width = 1 - 0.025 ** (1 / 20)  # the exact interval of 20 of 20
    assert standard_error(always, "accuracy") == pytest.approx(width / 2.093, rel=1e-3)


def test_chance_alone_shows_the_gaps_that_theory_expects(rng):
    right = rng.permutation([True] * 160 + [False] * 80)
    outcomes = outcomes_of(right, targets=np.zeros(240, int))
    gap = gaps_of(outcomes, np.repeat([0, 1], 120), Method(draws=500))["accuracy", ""]
    share = 160 / 240
    spread = math.sqrt(share * (1 - share) * 240 / 239 * (2 / 120))  # of 120 drawn of 240
    assert gap.chance.permutations == 500
    assert gap.chance.mean == pytest.approx(spread * math.sqrt(2 / math.pi), rel=0.1)
    assert gap.chance.high == pytest.approx(1.96 * spread, abs=2 / 120)  # one image more or less


def test_gaps_without_differences_are_seldom_above_what_chance_shows(rng):
    values = []
    for _ in range(60):
        right = rng.random(90) < 0.8
        gap = gaps_of(outcomes_of(right), np.repeat([0, 1, 2], 30), Method(draws=100))
        values.append(gap["accuracy", ""].chance.p_value)
    assert np.mean(np.array(values) <= 0.1) <= 0.2
    assert np.mean(np.array(values) <= 0.5) >= 0.25


def test_a_gap_that_the_classes_explain_is_what_chance_shows():
    targets = np.repeat([0, 1, 0, 1], [50, 10, 10, 50])  # most of A are of class 0, of B of class 1
    outcomes = outcomes_of(targets == 0, targets)  # every image of class 1 is wrong
    gaps = gaps_of(outcomes, np.repeat([0, 1], 60))
    gap = gaps["accuracy", ""]
    assert gap.difference.value == pytest.approx(40 / 60)
    assert (gap.chance.mean, gap.chance.p_value) == (pytest.approx(40 / 60), 1.0)
    assert gaps["sensitivity", "a"].difference.value == 0.0


def test_groups_of_other_classes_have_no_gap_in_the_mean_of_areas(rng):
    targets = np.repeat([0, 1, 0], [30, 30, 60])
    outcomes = outcomes_of(rng.random(120) < 0.8, targets)
    gaps = gaps_of(outcomes, np.repeat([0, 1], 60))
    assert gaps["macro_roc_auc", ""].difference.value is None
    assert gaps["accuracy", ""].difference.value is not None


def test_a_class_without_operating_point_has_no_gap_at_it(rng):
    outcomes = dataclasses.replace(outcomes_of(rng.random(80) < 0.8), thresholds=(None, 0.5))
    gaps = gaps_of(outcomes, np.repeat([0, 1], 40))
    assert ("sensitivity", "a") not in gaps
    assert ("roc_auc", "a") in gaps
    assert ("sensitivity", "b") in gaps
