"""Thresholds chosen on the validation part, to be applied to every other part as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.metrics import rank

if TYPE_CHECKING:
    from cxr_models.evaluation.metrics import Outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a threshold is chosen.

    Parameters
    ----------
    sensitivity : float or None, default None
        The highest threshold that finds at least this share of the class's images; None takes the
        one with the largest sum of sensitivity and specificity (Youden's index), the highest of
        equals.

    Raises
    ------
    ValueError
        If `sensitivity` is not above 0 and at most 1.
    """

    sensitivity: float | None = None

    def __post_init__(self) -> None:
        if self.sensitivity is not None and not 0 < self.sensitivity <= 1:
            raise ValueError(
                f"`sensitivity` must be above 0 and at most 1; got {self.sensitivity!r}."
            )

    @property
    def name(self) -> str:
        """The rule in words."""
        if self.sensitivity is None:
            return "largest sensitivity plus specificity (Youden)"
        return f"highest threshold with a sensitivity of at least {self.sensitivity:g}"


def choose_thresholds(validation: Outcomes, rule: Rule) -> tuple[float | None, ...]:
    """Return the threshold of each class; an image is called when its probability reaches it.

    Parameters
    ----------
    validation : Outcomes
        Images of the validation part.
    rule : Rule
        How to choose.

    Returns
    -------
    tuple of float or None
        None for a class of which the part holds no image, or nothing else.
    """
    thresholds: list[float | None] = []
    for k in range(len(validation.class_names)):
        positive = validation.targets == k
        if not 0 < positive.sum() < len(positive):
            thresholds.append(None)
            continue
        ranked = rank(validation.probabilities[:, k], positive, np.arange(len(positive)))
        found, false = (part[0] for part in ranked.counted(np.ones((1, len(positive)))))
        if rule.sensitivity is None:
            place = int(np.argmax(found / found[-1] - false / false[-1]))
        else:
            place = int(np.argmax(found >= rule.sensitivity * found[-1] - 1e-9))
        thresholds.append(float(ranked.scores[place]))
    return tuple(thresholds)
