"""Records of what a clinic would ask of a classifier, class by class.

A class is compared with all other classes; positive is an image whose calibrated probability of the
class reaches the threshold that was chosen on validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cxr_models.evaluation.measured import Interval, Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveValues:
    """Predictive values where a share `prevalence` of all images is of the class."""

    prevalence: float
    of: Literal["set", "stated"]  # the share in the set itself, or a share that a user stated
    positive: Measured  # the share of positive images that are of the class
    negative: Measured  # the share of negative images that are of other classes


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSpecificity:
    """Values at the lowest threshold that reaches a stated specificity on validation."""

    stated: float
    threshold: float | None  # None if no threshold reaches it; the values have the reason
    sensitivity: Measured
    specificity: Measured  # of this set, which may be another than on validation


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCurve:
    """Net benefit at threshold probabilities; the net benefit of treating no one is 0."""

    thresholds: tuple[float, ...]
    net_benefit: tuple[float, ...]
    intervals: tuple[Interval | None, ...]  # None where no draw changes the value
    treat_all: tuple[float, ...]  # the net benefit of treating everyone

    def useful(self) -> tuple[Interval, ...]:
        """Return the ranges of thresholds where the model is better than both simple policies."""
        ranges: list[list[float]] = []
        better_before = False
        for threshold, model, everyone in zip(
            self.thresholds, self.net_benefit, self.treat_all, strict=True
        ):
            better = model > max(everyone, 0.0)
            if better and better_before:
                ranges[-1][1] = threshold
            elif better:
                ranges.append([threshold, threshold])
            better_before = better
        return tuple((low, high) for low, high in ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicValues:
    """The values of one class against all others."""

    threshold: float | None  # of the class, chosen on validation
    predictive_values: tuple[PredictiveValues, ...]
    positive_likelihood_ratio: Measured
    negative_likelihood_ratio: Measured
    mcc: Measured  # Matthews correlation coefficient
    brier: Measured
    calibration_slope: Measured
    calibration_intercept: Measured
    at_specificity: tuple[AtSpecificity, ...]
    decision_curve: DecisionCurve | None  # None if the set lacks the class or all others

    def titled(self) -> tuple[tuple[str, Measured], ...]:
        """Return the single values and their titles, in the order in which they are shown."""
        return (
            ("positive likelihood ratio", self.positive_likelihood_ratio),
            ("negative likelihood ratio", self.negative_likelihood_ratio),
            ("Matthews correlation", self.mcc),
            ("Brier score", self.brier),
            ("calibration slope", self.calibration_slope),
            ("calibration intercept", self.calibration_intercept),
        )
