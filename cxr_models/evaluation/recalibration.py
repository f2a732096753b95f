"""Calibration slope and intercept of a class, by logistic regression of the label on the log odds.

A model is weakly calibrated if the slope is 1 and the intercept is 0. A slope below 1 means that
the probabilities are too extreme. An intercept below 0 means that the probabilities are too high on
average. This module needs only NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.evaluation.calibration import sum_of_row

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

SEPARATED = "a threshold separates the class from all others without error"
_MAX_STEPS = 100  # maximum number of steps of Newton's method
_TOLERANCE = 1e-10  # largest gradient of the mean log likelihood at which Newton's method stops


class Recalibration(NamedTuple):
    """Calibration slope and intercept, with the terms of each image for bootstrap draws.

    Weighted sums of the terms give the slope and the intercept of a draw.
    """

    slope: float  # slope of the regression that also fits a constant
    # intercept of the regression with slope 1 (calibration in the large); NaN if it does not exist
    intercept: float
    slope_terms: Floats  # (N, 5); gradient (2 terms) and information (3) at the fitted slope
    intercept_terms: Floats  # (N, 2); gradient and information at the fitted intercept

    def slopes(self, sums: Floats) -> Floats:
        """Return the slope for each row of sums of `slope_terms`, of shape (draws, 5)."""
        # of_constant and of_slope are the two parts of the gradient
        of_constant, of_slope, info, cross, square = sums.T
        determinant = info * square - cross**2
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (info * of_slope - cross * of_constant) / determinant
        slopes: Floats = np.where(determinant > 0.0, self.slope + step, np.nan)
        return slopes

    def intercepts(self, sums: Floats) -> Floats:
        """Return the intercept for each row of sums of `intercept_terms`, of shape (draws, 2)."""
        gradient, info = sums.T
        with np.errstate(divide="ignore", invalid="ignore"):
            intercepts: Floats = np.where(info > 0.0, self.intercept + gradient / info, np.nan)
        return intercepts


def logits_of_class(logits: Floats, k: int, temperature: float = 1.0) -> Floats:
    """Return the log odds of class `k` against all other classes, of shape (N,)."""
    others = np.delete(logits, k, axis=1)
    highest = others.max(axis=1, keepdims=True)
    # as in `log_softmax`, the logits are divided after the subtraction
    scaled, others = (logits[:, k] - highest[:, 0]) / temperature, (others - highest) / temperature
    odds: Floats = scaled - np.log(sum_of_row(np.exp(others)))
    return odds


def fit_recalibration(scores: Floats, positive: Bools) -> tuple[Recalibration | None, str]:
    """Fit the logistic regression of the label on the log odds that a model gives.

    Parameters
    ----------
    scores : ndarray of shape (N,), dtype float64
        Log odds of the class.
    positive : ndarray of shape (N,), dtype bool
        Whether each image belongs to the class.

    Returns
    -------
    fit : Recalibration or None
        None if the slope or the intercept has no finite value.
    reason : str
        Why there is no fit; empty if there is one.

    Notes
    -----
    The intercept is that of a regression whose slope is fixed at 1. The values of a bootstrap draw
    are computed by one Newton step from the values of all images [2]_. The step needs only weighted
    sums over the images.

    References
    ----------
    .. [1] B. Van Calster, D. Nieboer, Y. Vergouwe, B. De Cock, M. J. Pencina, E. W. Steyerberg, "A
           calibration hierarchy for risk models was defined: from utopia to empirical data",
           Journal of Clinical Epidemiology 74, 2016.
    .. [2] L. H. Moulton, S. L. Zeger, "Bootstrapping generalized linear models", Computational
           Statistics & Data Analysis 11, 1991.
    """
    if not 0 < positive.sum() < len(positive):
        return None, "images of one class only"
    if np.ptp(scores) == 0.0:
        return None, "all images have the same probability"
    inside, outside = scores[positive], scores[~positive]
    if inside.min() >= outside.max() or inside.max() <= outside.min():
        return None, SEPARATED
    labels = positive.astype(np.float64)
    # Centred scores have the same slope, and keep it exact if scores are large.
    centred = scores - scores.mean()
    constant, slope = _newton(np.stack([np.ones_like(scores), centred], axis=1), labels)
    intercept = _intercept(scores, float(labels.mean()))
    expected = _sigmoid(constant + slope * centred)
    spread = expected * (1.0 - expected)
    gap = labels - expected
    slope_terms = [gap, gap * centred, spread, spread * centred, spread * centred**2]
    expected = _sigmoid(intercept + scores)
    spread = expected * (1.0 - expected)
    if spread.sum() < _TOLERANCE:  # all probabilities are 0 or 1, so the intercept is not unique
        intercept, spread = np.nan, np.zeros_like(scores)
    intercept_terms = [labels - expected, spread]
    return Recalibration(
        slope=float(slope),
        intercept=float(intercept),
        slope_terms=np.stack(slope_terms, axis=1),
        intercept_terms=np.stack(intercept_terms, axis=1),
    ), ""


def _newton(columns: Floats, labels: Floats) -> Floats:
    """Return the coefficients of the logistic regression of the labels on the columns."""
    coefficients = np.zeros(columns.shape[1])
    loss = _log_loss(np.zeros(len(labels)), labels)
    for _ in range(_MAX_STEPS):
        expected = _sigmoid(columns @ coefficients)
        gradient = columns.T @ (labels - expected)
        if np.abs(gradient).max() <= _TOLERANCE * len(labels):
            break
        spread = expected * (1.0 - expected) + 1e-300
        step = np.linalg.lstsq((columns.T * spread) @ columns, gradient, rcond=None)[0]
        shorter = 1.0
        while shorter > 1e-9:  # halve the step until the loss falls
            trial = coefficients + shorter * step
            trial_loss = _log_loss(columns @ trial, labels)
            if trial_loss <= loss:
                break
            shorter /= 2.0
        else:
            break
        coefficients, loss = trial, trial_loss
    return coefficients


def _intercept(scores: Floats, share: float) -> float:
    """Return the number that, added to all scores, makes the mean probability equal to `share`.

    The method is bisection. Newton's method fails if all scores are far from 0, because the
    derivatives of their probabilities, which are all 0 or 1, vanish.
    """
    odds = np.log(share / (1.0 - share))
    # At `low` the mean probability is at most `share`; at `high` it is at least `share`.
    low, high = odds - scores.max(), odds - scores.min()
    while low < (middle := (low + high) / 2.0) < high:
        if _sigmoid(middle + scores).mean() < share:
            low = middle
        else:
            high = middle
    return float(high)


def _log_loss(scores: Floats, labels: Floats) -> float:
    return float((np.logaddexp(0.0, scores) - labels * scores).sum())


def _sigmoid(scores: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -scores))
