import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("scipy", reason="scipy is not installed")

from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.recalibration import fit_recalibration, logits_of_class


def too_sure(rng, count=500, *, times=1.0, shift=0.0):
    """Give scores that are `times` too large, then shifted, and the labels."""
    score = rng.normal(-0.5, 1.5, count)
    return times * score + shift, rng.uniform(size=count) < expit(score)


def test_slope_and_intercept_are_those_of_logistic_regressions(rng):
    for times, shift in ((1.0, 0.0), (2.5, 1.0), (0.4, -0.7)):
        scores, positive = too_sure(rng, times=times, shift=shift)
        recalibration, reason = fit_recalibration(scores, positive)
        fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        fitted.fit(scores[:, None], positive)
        assert recalibration.slope == pytest.approx(fitted.coef_[0, 0], rel=1e-5)
        # With a slope of 1 the sum of probabilities is the number of positives.
        intercept = brentq(lambda a, s=scores, p=positive: (expit(a + s) - p).sum(), -20, 20)
        assert recalibration.intercept == pytest.approx(intercept, abs=1e-7)
        assert reason == ""


def test_a_model_twice_too_sure_has_half_the_slope(rng):
    scores, positive = too_sure(rng, 200_000, times=2.0)
    assert fit_recalibration(scores, positive)[0].slope == pytest.approx(0.5, abs=0.01)
    scores, positive = too_sure(rng, 200_000, shift=0.8)
    recalibration = fit_recalibration(scores, positive)[0]
    assert recalibration.intercept == pytest.approx(-0.8, abs=0.02)
    assert recalibration.slope == pytest.approx(1.0, abs=0.02)


def test_scores_far_from_zero_have_the_slope_of_near_ones_and_an_intercept_that_brings_them_back(
    rng,
):
    scores, positive = too_sure(rng)
    near, _ = fit_recalibration(scores, positive)
    for shift in (289.0, -367.0, 1e5):
        recalibration, reason = fit_recalibration(scores + shift, positive)
        assert reason == ""
        assert recalibration.slope == pytest.approx(near.slope, rel=1e-6)
        assert recalibration.intercept + shift == pytest.approx(near.intercept, abs=1e-9)
        assert np.isfinite(
            recalibration.intercepts(recalibration.intercept_terms.sum(axis=0)[None])
        ).all()


def test_images_counted_once_give_the_values_and_others_those_of_a_step(rng):
    scores, positive = too_sure(rng)
    recalibration, _ = fit_recalibration(scores, positive)
    weights = np.stack([np.ones(500), rng.multinomial(500, np.ones(500) / 500)])
    slopes = recalibration.slopes(weights @ recalibration.slope_terms)
    intercepts = recalibration.intercepts(weights @ recalibration.intercept_terms)
    assert slopes[0] == pytest.approx(recalibration.slope)
    assert intercepts[0] == pytest.approx(recalibration.intercept)
    again = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    again.fit(scores[:, None], positive, sample_weight=weights[1])
    assert slopes[1] == pytest.approx(again.coef_[0, 0], abs=0.03)


def test_log_odds_are_of_the_class_against_all_others(rng):
    logits = rng.normal(size=(40, 3)) * 5
    for k in range(3):
        shares = softmax(logits, 1.7)[:, k]
        expected = np.log(shares) - np.log1p(-shares)
        np.testing.assert_allclose(logits_of_class(logits, k, 1.7), expected, rtol=1e-6)
    assert logits_of_class(np.array([[900.0, -900.0]]), 0).tolist() == [1800.0]


@pytest.mark.parametrize(
    ("scores", "positive", "reason"),
    [
        ([1.0, 2.0, 3.0], [0, 0, 0], "images of one class only"),
        ([1.0, 1.0, 1.0], [0, 1, 0], "all images have the same probability"),
        ([1.0, 2.0, 3.0], [0, 0, 1], "a threshold separates the class from all others"),
        ([1.0, 2.0, 2.0], [0, 1, 0], "a threshold separates the class from all others"),
        ([3.0, 2.0, 1.0], [0, 0, 1], "a threshold separates the class from all others"),
    ],
)
def test_what_has_no_finite_slope_has_a_reason(scores, positive, reason):
    recalibration, why = fit_recalibration(np.array(scores), np.array(positive, bool))
    assert recalibration is None
    assert why.startswith(reason)


def test_scores_far_from_zero_are_regressed_too(rng):
    scores = np.concatenate([rng.normal(-400, 200, 50), rng.normal(400, 200, 50), [-900.0, 900.0]])
    positive = np.concatenate([np.zeros(50, bool), np.ones(50, bool), [True, False]])
    recalibration, reason = fit_recalibration(scores, positive)
    assert reason == ""
    assert np.isfinite([recalibration.slope, recalibration.intercept]).all()
    assert 0.0 < recalibration.slope < 0.1
