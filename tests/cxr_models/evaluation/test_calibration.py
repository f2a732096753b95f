import itertools
import re

import numpy as np
import pytest

from cxr_models.evaluation.calibration import (
    NUM_BINS,
    Temperature,
    bin_of,
    fit_temperature,
    mean_log_loss,
    ranking_scores,
    reliability_bins,
    softmax,
)
from cxr_models.evaluation.recalibration import logits_of_class


def drawn_from(rng, logits):
    """Draw each image's class with the probabilities of its logits."""
    shares = softmax(logits).cumsum(axis=1)
    return (rng.uniform(size=(len(logits), 1)) > shares).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_finds_the_temperature_that_logits_were_multiplied_by(rng, temperature):
    logits = rng.normal(0, 2, (20_000, 3))
    targets = drawn_from(rng, logits)
    found = fit_temperature(logits * temperature, targets)
    assert found.value == pytest.approx(temperature, rel=0.03)
    assert found.reason is None


@pytest.mark.parametrize("scale", [1e-4, 200.0, 5e4])  # of raw scores in place of logits
def test_logits_of_another_scale_have_a_temperature_of_that_scale(rng, scale):
    logits = rng.normal(0, 2, (5_000, 3))
    targets = drawn_from(rng, logits)
    found = fit_temperature(logits * scale, targets)
    assert found.value == pytest.approx(scale, rel=0.06)
    assert found.reason is None


@pytest.mark.parametrize(("scale", "side"), [(1e-9, r"below 0\.000001"), (1e9, "above 1,000,000")])
def test_a_temperature_outside_the_search_is_1_with_the_reason(rng, scale, side):
    logits = rng.normal(0, 2, (500, 3))
    found = fit_temperature(logits * scale, drawn_from(rng, logits))
    assert found.value == 1.0
    assert re.search(f"the validation loss is lowest {side}", found.reason)


def test_no_temperature_nearby_has_a_smaller_loss(rng):
    logits = rng.normal(0, 2, (300, 4))
    targets = rng.integers(0, 4, 300)
    targets[:200] = logits[:200].argmax(axis=1)
    found = fit_temperature(logits, targets).value
    least = mean_log_loss(logits, targets, found)
    for other in (found * 0.99, found * 1.01):
        assert mean_log_loss(logits, targets, other) > least


def test_images_of_one_class_fit_no_temperature(rng):
    found = fit_temperature(rng.normal(size=(30, 3)), np.ones(30, np.int64))
    assert found == (1.0, "the validation part holds images of one class only")


def test_a_validation_without_mistakes_fits_no_temperature(rng):
    logits = rng.normal(size=(30, 3))
    found = fit_temperature(logits, logits.argmax(axis=1))
    assert found.value == 1.0
    assert "falls without end as it gets smaller" in found.reason


def test_logits_worse_than_none_fit_no_temperature(rng):
    logits = rng.normal(size=(30, 3))
    found = fit_temperature(logits, logits.argmin(axis=1))
    assert found.value == 1.0
    assert "falls without end as it gets larger" in found.reason


def test_temperature_and_offset_change_no_most_probable_class(rng):
    logits = rng.normal(0, 300, (50, 3))
    probabilities = softmax(logits, 2.0)
    assert np.isfinite(probabilities).all()
    np.testing.assert_array_equal(probabilities.argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_allclose(softmax(logits + 1000.0, 2.0), probabilities, atol=1e-9)


def test_bins_have_equal_widths_and_are_closed_above():
    confidences = np.array([0.0, 1 / NUM_BINS, 1 / NUM_BINS + 1e-9, 1.0])
    assert bin_of(confidences).tolist() == [0, 0, 1, NUM_BINS - 1]


def test_reliability_bins_are_those_counted_by_hand():
    probabilities = np.array([[0.99, 0.01], [0.05, 0.95], [0.52, 0.48]])
    bins = reliability_bins(probabilities, np.array([0, 0, 0]))
    assert [(b.images, round(b.confidence, 6), b.accuracy) for b in bins] == [
        (1, 0.52, 1.0),
        (2, 0.97, 0.5),
    ]


def test_scores_are_probabilities_or_where_these_round_to_0_or_1_their_log_odds():
    log_odds = np.array([-800.0, -700.0, -40.0, 0.0, 15.0, 36.0, 38.0, 39.0])
    probabilities = np.stack([np.zeros(8), log_odds], axis=1)
    scores = ranking_scores(softmax(probabilities)[:, 1], log_odds)
    assert (np.diff(scores) > 0.0).all()
    np.testing.assert_array_equal(scores[2:5], softmax(probabilities)[2:5, 1])
    np.testing.assert_array_equal(scores[[0, 1, 5, 6, 7]], log_odds[[0, 1, 5, 6, 7]])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
def test_a_class_has_the_same_probability_in_whatever_order_those_of_the_others_are(temperature):
    shares = np.array(list(itertools.permutations((0.1, 0.17, 0.23))))
    logits = np.log(np.concatenate([shares, np.full((6, 1), 0.5)], axis=1))
    assert len(set(softmax(logits, temperature)[:, 3])) == 1
    assert len(set(logits_of_class(logits, 3, temperature))) == 1


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("logits", [[1.0, 0.0], [3.0, -1.0, 2.0]])
def test_integers_added_to_all_logits_of_an_image_change_no_bit(logits, temperature):
    shifted = np.array(logits) + np.arange(-9, 10)[:, None]
    for k in range(len(logits)):
        assert len(set(softmax(shifted, temperature)[:, k])) == 1
        assert len(set(logits_of_class(shifted, k, temperature))) == 1


def test_logits_that_are_equal_for_all_classes_give_no_temperature_and_the_reason():
    found = fit_temperature(np.zeros((20, 3)), np.arange(20) % 3)
    assert found == Temperature(1.0, "the model gives all classes of an image the same logit")
