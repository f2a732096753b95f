"""Thresholds are chosen on the validation part and applied unchanged to every other part.

A threshold applies to calibrated probabilities, because `predict` gives calibrated probabilities.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.metrics import rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.metrics import Outcomes

NO_VALIDATION = "there is no validation part"  # why a model of others has no temperature


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a threshold is chosen.

    Parameters
    ----------
    sensitivity : float or None, default None
        Share of the class's images that a threshold must find at least; the highest such threshold
        is chosen. None chooses the threshold with the largest sum of sensitivity and specificity
        (Youden's index), the highest of equally good thresholds.
    threshold : float, default 0.5
        The threshold of every class where a model of others has no validation part; it is not
        chosen on the set that it is tested on.

    Raises
    ------
    TypeError
        If one of them is no number.
    ValueError
        If `sensitivity` is not above 0 and at most 1, or `threshold` is not between 0 and 1.
    """

    sensitivity: float | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("sensitivity", self.sensitivity)):
            if value is not None and not isinstance(value, numbers.Real):
                raise TypeError(f"`{name}` must be a number; got {value!r}.")
            if value is not None:  # JSON takes no numbers of NumPy
                object.__setattr__(self, name, float(value))
        if not 0 < self.threshold < 1:
            raise ValueError(f"`threshold` must be between 0 and 1; got {self.threshold!r}.")
        if self.sensitivity is not None and not 0 < self.sensitivity <= 1:
            raise ValueError(
                f"`sensitivity` must be above 0 and at most 1; got {self.sensitivity!r}."
            )

    @property
    def given(self) -> str:
        """The threshold of every class in words, where there is no validation part."""
        return f"{self.threshold:g} for every class"

    @property
    def name(self) -> str:
        """The rule in words."""
        if self.sensitivity is None:
            return "largest sensitivity plus specificity (Youden)"
        return f"highest threshold with a sensitivity of at least {self.sensitivity:g}"


def choose_thresholds(validation: Outcomes, rule: Rule) -> tuple[float | None, ...]:
    """Return the threshold of each class; images whose probability reaches it are called positive.

    Parameters
    ----------
    validation : Outcomes
        Images of the validation part, with the temperature that was fitted on them.
    rule : Rule
        How a threshold is chosen.

    Returns
    -------
    tuple of float or None
        None for a class if the part holds no image of it, or no image of another class.
    """
    calibrated = validation.calibrated
    return tuple(
        choose_threshold(calibrated[:, k], validation.targets == k, rule)
        for k in range(len(validation.class_names))
    )


def choose_threshold(
    scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], rule: Rule
) -> float | None:
    """Return one threshold, None if all images are positive or none is.

    Parameters
    ----------
    scores : ndarray of shape (N,), dtype float64
        Calibrated probabilities; the threshold is one of them.
    positive : ndarray of shape (N,), dtype bool
        Whether each image is positive.
    rule : Rule
        How the threshold is chosen.
    """
    if not 0 < positive.sum() < len(positive):
        return None
    ranked = rank(scores, positive, np.arange(len(positive)))
    true, false = (part[0] for part in ranked.counted(np.ones((1, len(positive)))))
    if rule.sensitivity is None:
        place = int(np.argmax(true / true[-1] - false / false[-1]))
    else:
        place = int(np.argmax(true >= rule.sensitivity * true[-1] - 1e-9))
    return float(ranked.scores[place])


def choose_at_specificity(validation: Outcomes, specificity: float) -> tuple[float | None, ...]:
    """Return for each class the lowest threshold with at least this specificity.

    Parameters
    ----------
    validation : Outcomes
        Images of the validation part, with the temperature that was fitted on them.
    specificity : float
        Share of the images of other classes that must stay below the threshold.

    Returns
    -------
    tuple of float or None
        None for a class if no threshold that is reached by an image has this specificity, or if
        the part holds no image of the class, or no image of another class.
    """
    calibrated = validation.calibrated
    return tuple(
        lowest_at_specificity(calibrated[:, k], validation.targets == k, specificity)
        for k in range(len(validation.class_names))
    )


def lowest_at_specificity(
    scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], specificity: float
) -> float | None:
    """Return the lowest threshold with at least this specificity, None if there is none.

    Parameters
    ----------
    scores : ndarray of shape (N,), dtype float64
        Calibrated probabilities; the threshold is one of them.
    positive : ndarray of shape (N,), dtype bool
        Whether each image is positive; without images of both kinds there is no threshold.
    specificity : float
        Share of the other images that must stay below the threshold.
    """
    if not 0 < positive.sum() < len(positive):
        return None
    ranked = rank(scores, positive, np.arange(len(positive)))
    false = ranked.counted(np.ones((1, len(positive))))[1][0]
    reached = np.flatnonzero(false <= (1.0 - specificity) * false[-1] + 1e-9)
    return float(ranked.scores[reached[-1]]) if len(reached) else None


def called(
    probabilities: Sequence[float], class_names: Sequence[str], thresholds: Sequence[float | None]
) -> tuple[str, ...]:
    """Return the classes that an image is called, in the order of `class_names`.

    Parameters
    ----------
    probabilities : sequence of float
        The calibrated probability of each class.
    class_names : sequence of str
        The classes.
    thresholds : sequence of float or None
        The threshold of each class; no image is called a class whose threshold is None.

    Returns
    -------
    tuple of str
        Of two classes, the second if its probability reaches its threshold, otherwise the first;
        empty if the second class has no threshold. Of more classes, every class whose probability
        reaches its threshold: none, one or several, because each threshold separates one class
        from the rest.
    """
    if len(class_names) == 2:
        if thresholds[1] is None:
            return ()
        return (class_names[int(probabilities[1] >= thresholds[1])],)
    return tuple(
        name
        for name, probability, threshold in zip(class_names, probabilities, thresholds, strict=True)
        if threshold is not None and probability >= threshold
    )
