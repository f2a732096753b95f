"""Calibration of probabilities: temperature scaling and reliability bins.

The temperature divides the logits. It does not change the most probable class of an image. This
module needs only NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.evaluation.results import Bin

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

NUM_BINS = 15  # number of reliability bins, as in Guo et al. 2017
TEMPERATURES = (1e-6, 1e6)  # lowest and highest temperature of the search
_USUAL_TEMPERATURES = (0.05, 20.0)  # range of the first search
_MAX_STEPS = 200  # maximum number of steps of the search
# Probabilities within this distance of 1, or below this number, are too rounded to order images.
_NEAR_ONE, _NEAR_ZERO = 1e-7, 1e-300


class Temperature(NamedTuple):
    """The divisor of the logits.

    If no temperature could be fitted, `value` is 1 and `reason` states why.
    """

    value: float
    reason: str | None = None


def log_softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return log-probabilities, of shape (N, K) like `logits`."""
    # This order gives (1, 0) and (2, 1) the same result: integers are subtracted without rounding.
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    normal: Floats = scaled - np.log(sum_of_row(np.exp(scaled))[:, None])
    return normal


def sum_of_row(numbers: Floats) -> Floats:
    """Return the sum (N,) of each row; rows of the same numbers in another order sum to the same.

    Otherwise rounding would break ties between images.
    """
    sums: Floats = np.sort(numbers, axis=1).sum(axis=1)
    return sums


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return probabilities, of shape (N, K) like `logits`."""
    return np.exp(log_softmax(logits, temperature))


def ranking_scores(probabilities: Floats, log_odds: Floats) -> Floats:
    """Return scores that order images by their probability, without ties made by rounding.

    A probability has no digits left for log odds above 37: it is 1. It is 0 for log odds below
    -745. Probabilities close to 1 and to 0 are therefore replaced by their log odds, which are
    greater than 1 and less than 0. All other probabilities are unchanged, so that equal
    probabilities stay tied.

    Parameters
    ----------
    probabilities, log_odds : ndarray of shape (N,), dtype float64
        Probabilities of one class or finding, and their log odds.
    """
    rounded = (probabilities > 1.0 - _NEAR_ONE) | (probabilities < _NEAR_ZERO)
    scores: Floats = np.where(rounded, log_odds, probabilities)
    return scores


def mean_log_loss(logits: Floats, targets: Ints, temperature: float = 1.0) -> float:
    """Return the mean negative log-probability of the true classes."""
    return float(-log_softmax(logits, temperature)[np.arange(len(targets)), targets].mean())


def fit_temperature(logits: Floats, targets: Ints) -> Temperature:
    """Find the temperature that gives the smallest log loss.

    Parameters
    ----------
    logits : ndarray of shape (N, K), dtype float64
        Logits of the validation part, never of a part that the temperature is tested on.
    targets : ndarray of shape (N,), dtype int64
        True classes.

    Returns
    -------
    Temperature
        The fitted temperature. It is 1, with a reason, if all images are of one class, because such
        images do not show how sure the model should be of another class. It is also 1, with a
        reason, if the log loss has no minimum, because all images are predicted correctly or
        because the logits carry no information, or if the minimum is outside 0.000001 to 1,000,000.

    Notes
    -----
    The log loss is convex in the inverse temperature, so a golden-section search finds its minimum.
    The search over 0.05..20 is enough for the logits of most networks. A second search covers
    logits of another scale, such as raw scores.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks",
           ICML 2017.
    """
    if len(np.unique(targets)) < 2:
        return Temperature(1.0, "the validation part holds images of one class only")
    if not np.ptp(logits, axis=1).any():
        return Temperature(1.0, "the model gives all classes of an image the same logit")
    if size := _endless(logits, targets):
        return Temperature(1.0, f"the validation loss falls without end as it gets {size}")

    def loss(log_temperature: float) -> float:
        return mean_log_loss(logits, targets, float(np.exp(log_temperature)))

    for bounds in (_USUAL_TEMPERATURES, TEMPERATURES):
        lowest, highest = (float(np.log(bound)) for bound in bounds)
        best = _lowest_point(loss, lowest, highest)
        if min(best - lowest, highest - best) >= 1e-3:
            return Temperature(float(np.exp(best)))
    side = f"below {TEMPERATURES[0]:f}" if best < 0 else f"above {TEMPERATURES[1]:,.0f}"
    return Temperature(1.0, f"the validation loss is lowest {side}, where none is looked for")


def _endless(logits: Floats, targets: Ints) -> str:
    """Return the direction, smaller or larger, in which the loss has no minimum; else empty."""
    own = logits[np.arange(len(targets)), targets]
    if (own >= logits.max(axis=1)).all():  # every image is predicted correctly
        return "smaller"
    # slope of the loss at an infinite temperature, over the inverse temperature
    return "larger" if float((logits.mean(axis=1) - own).sum()) >= 0.0 else ""


def _lowest_point(loss: Callable[[float], float], low: float, high: float) -> float:
    """Return the place of the minimum of a function that first falls and then rises."""
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    inner, outer = high - ratio * (high - low), low + ratio * (high - low)
    inner_loss, outer_loss = loss(inner), loss(outer)
    for _ in range(_MAX_STEPS):
        if high - low < 1e-9:
            break
        if inner_loss <= outer_loss:
            high, outer, outer_loss = outer, inner, inner_loss
            inner = high - ratio * (high - low)
            inner_loss = loss(inner)
        else:
            low, inner, inner_loss = inner, outer, outer_loss
            outer = low + ratio * (high - low)
            outer_loss = loss(outer)
    return (low + high) / 2.0


def bin_of(confidences: Floats) -> Ints:
    """Return the index of the bin of each confidence.

    The bins have equal width over 0..1 and include their upper end. The first bin includes 0.
    """
    indices = np.ceil(confidences * NUM_BINS).astype(np.int64) - 1
    return np.clip(indices, 0, NUM_BINS - 1)


def reliability_bins(probabilities: Floats, targets: Ints) -> tuple[Bin, ...]:
    """Return the reliability bins that contain at least one image.

    Parameters
    ----------
    probabilities : ndarray of shape (N, K), dtype float64
        Probabilities of the K classes.
    targets : ndarray of shape (N,), dtype int64
        True classes.
    """
    confidences = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == targets
    indices = bin_of(confidences)
    bins = []
    for index in np.unique(indices):
        inside = indices == index
        bins.append(
            Bin(
                low=int(index) / NUM_BINS,
                high=(int(index) + 1) / NUM_BINS,
                images=int(inside.sum()),
                confidence=float(confidences[inside].mean()),
                accuracy=float(correct[inside].mean()),
            )
        )
    return tuple(bins)
