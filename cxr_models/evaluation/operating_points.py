"""Choice of operating points (thresholds) on the validation part.

The thresholds are applied unchanged to every other part. They apply to calibrated probabilities,
because `predict` returns calibrated probabilities.
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

NO_VALIDATION = "there is no validation part"  # why a third-party model has no temperature


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The rule that chooses a threshold.

    Parameters
    ----------
    sensitivity : float or None, default None
        Minimum sensitivity, above 0 and at most 1. The rule chooses the highest threshold with at
        least this sensitivity. None chooses the threshold with the largest sum of sensitivity and
        specificity (Youden's index). Of equally good thresholds, the highest is chosen.
    threshold : float, default 0.5
        The threshold of every class of a third-party model without a validation part. It is given,
        because nothing may be chosen on the set that the model is tested on.

    Raises
    ------
    TypeError
        If `sensitivity` or `threshold` is not a number.
    ValueError
        If `sensitivity` is not above 0 and at most 1, or `threshold` is not between 0 and 1.
    """

    sensitivity: float | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("sensitivity", self.sensitivity)):
            if value is not None and not isinstance(value, numbers.Real):
                raise TypeError(f"`{name}` must be a number; got {value!r}.")
            if value is not None:  # the JSON encoder does not accept NumPy numbers
                object.__setattr__(self, name, float(value))
        if not 0 < self.threshold < 1:
            raise ValueError(f"`threshold` must be between 0 and 1; got {self.threshold!r}.")
        if self.sensitivity is not None and not 0 < self.sensitivity <= 1:
            raise ValueError(
                f"`sensitivity` must be above 0 and at most 1; got {self.sensitivity!r}."
            )

    @property
    def given(self) -> str:
        """The given threshold in words, for a model without a validation part."""
        return f"{self.threshold:g} for every class"

    @property
    def name(self) -> str:
        """The rule in words."""
        if self.sensitivity is None:
            return "largest sensitivity plus specificity (Youden)"
        return f"highest threshold with a sensitivity of at least {self.sensitivity:g}"


def choose_thresholds(validation: Outcomes, rule: Rule) -> tuple[float | None, ...]:
    """Return the threshold of each class.

    An image is called positive if its probability is at least the threshold.

    Parameters
    ----------
    validation : Outcomes
        Images of the validation part, with the temperature that was fitted on them.
    rule : Rule
        The rule that chooses a threshold.

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
    """Return the threshold of one class or finding.

    Parameters
    ----------
    scores : ndarray of shape (N,), dtype float64
        Calibrated probabilities; the threshold is one of them.
    positive : ndarray of shape (N,), dtype bool
        Whether each image is positive.
    rule : Rule
        The rule that chooses the threshold.

    Returns
    -------
    float or None
        None if all images are positive, or no image is positive.
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
    """Return the lowest threshold of each class with at least the given specificity.

    Parameters
    ----------
    validation : Outcomes
        Images of the validation part, with the temperature that was fitted on them.
    specificity : float
        Share of the images of other classes that must stay below the threshold.

    Returns
    -------
    tuple of float or None
        None for a class if no probability of an image, taken as threshold, has this specificity.
        Also None if the part contains no image of the class, or no image of another class.
    """
    calibrated = validation.calibrated
    return tuple(
        lowest_at_specificity(calibrated[:, k], validation.targets == k, specificity)
        for k in range(len(validation.class_names))
    )


def lowest_at_specificity(
    scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], specificity: float
) -> float | None:
    """Return the lowest threshold with at least the given specificity.

    Parameters
    ----------
    scores : ndarray of shape (N,), dtype float64
        Calibrated probabilities; the threshold is one of them.
    positive : ndarray of shape (N,), dtype bool
        Whether each image is positive.
    specificity : float
        Share of the negative images that must stay below the threshold.

    Returns
    -------
    float or None
        None if no score has this specificity as threshold, all images are positive, or no image is
        positive.
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
    """Return the classes that are assigned to an image, in the order of `class_names`.

    Parameters
    ----------
    probabilities : sequence of float
        The calibrated probability of each class.
    class_names : sequence of str
        The classes.
    thresholds : sequence of float or None
        The threshold of each class. A class whose threshold is None is never assigned.

    Returns
    -------
    tuple of str
        With two classes: the second class if its probability reaches its threshold, otherwise the
        first class; empty if the second class has no threshold. With more classes: every class
        whose probability reaches its threshold. These may be no class, one class or several
        classes, because each threshold separates one class from all others.
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
