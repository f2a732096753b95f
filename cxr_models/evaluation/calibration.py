"""Confidence against correctness: temperature scaling and reliability bins, in NumPy alone.

Temperature divides the logits; it changes no image's most probable class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.evaluation.results import Bin

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

NUM_BINS = 15  # as in Guo et al. 2017
TEMPERATURES = (0.05, 20.0)  # the bounds of a search
_STEPS = 200


class Temperature(NamedTuple):
    """What the logits are divided by, and why it is 1 where it could not be fitted."""

    value: float
    reason: str | None = None


def log_softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return log-probabilities, of shape (N, K) like `logits`."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    normal: Floats = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return normal


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return probabilities, of shape (N, K) like `logits`."""
    return np.exp(log_softmax(logits, temperature))


def mean_log_loss(logits: Floats, targets: Ints, temperature: float = 1.0) -> float:
    """Return the mean negative log-probability of the true classes."""
    return float(-log_softmax(logits, temperature)[np.arange(len(targets)), targets].mean())


def fit_temperature(logits: Floats, targets: Ints) -> Temperature:
    """Find the temperature of the least log loss.

    Parameters
    ----------
    logits : ndarray of shape (N, K), dtype float64
        Of the validation part, and never of the part that is judged.
    targets : ndarray of shape (N,), dtype int64
        True classes.

    Returns
    -------
    Temperature
        1 with a reason where there is no least: where all images are right, or the logits tell
        nothing.

    Notes
    -----
    The log loss is convex in the inverse temperature, so a section of the interval 0.05..20 by the
    golden ratio finds its least.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks",
           ICML 2017.
    """
    lowest, highest = low, high = [float(np.log(bound)) for bound in TEMPERATURES]
    ratio = (np.sqrt(5.0) - 1.0) / 2.0

    def loss(log_temperature: float) -> float:
        return mean_log_loss(logits, targets, float(np.exp(log_temperature)))

    inner, outer = high - ratio * (high - low), low + ratio * (high - low)
    inner_loss, outer_loss = loss(inner), loss(outer)
    for _ in range(_STEPS):
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
    best = (low + high) / 2.0
    if min(best - lowest, highest - best) < 1e-3:
        way = "smaller" if best < 0 else "larger"
        return Temperature(1.0, f"the validation loss falls without end as it gets {way}")
    return Temperature(float(np.exp(best)))


def bin_of(confidences: Floats) -> Ints:
    """Return the bin of each confidence: equal widths, each bin closed above."""
    places = np.ceil(confidences * NUM_BINS).astype(np.int64) - 1
    return np.clip(places, 0, NUM_BINS - 1)


def reliability_bins(probabilities: Floats, targets: Ints) -> tuple[Bin, ...]:
    """Return the bins that hold images, each with its bounds, images, confidence and accuracy.

    Parameters
    ----------
    probabilities : ndarray of shape (N, K), dtype float64
        Of each class.
    targets : ndarray of shape (N,), dtype int64
        True classes.
    """
    confidences = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    places = bin_of(confidences)
    bins = []
    for place in np.unique(places):
        inside = places == place
        bins.append(
            Bin(
                low=int(place) / NUM_BINS,
                high=(int(place) + 1) / NUM_BINS,
                images=int(inside.sum()),
                confidence=float(confidences[inside].mean()),
                accuracy=float(right[inside].mean()),
            )
        )
    return tuple(bins)
