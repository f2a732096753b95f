"""Records of the values for clinical use, class by class or finding by finding.

A class is compared with all other classes. An image is called positive if its calibrated
probability of the class is at least the threshold that was chosen on the validation part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cxr_models.evaluation.measured import Interval, Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveValues:
    """Positive and negative predictive value of a class at one prevalence."""

    prevalence: float  # share of all images that belong to the class
    of: Literal["set", "stated"]  # the prevalence of the set, or one that the user gave
    positive: Measured  # share of the images called positive that belong to the class
    negative: Measured  # share of the images called negative that belong to other classes


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSpecificity:
    """Values at the lowest threshold that reaches a requested specificity on validation."""

    stated: float  # the requested specificity
    threshold: float | None  # None if no threshold reaches it; the values then state the reason
    sensitivity: Measured
    specificity: Measured  # on this set; it may differ from the specificity on the validation part


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCurve:
    """The net benefit at each threshold probability; treating no one has a net benefit of 0."""

    thresholds: tuple[float, ...]
    net_benefit: tuple[float, ...]
    intervals: tuple[Interval | None, ...]  # None where the net benefit has no interval
    treat_all: tuple[float, ...]  # net benefit of treating everyone

    def useful(self) -> tuple[Interval, ...]:
        """Return the ranges of thresholds at which the model has the highest net benefit.

        The model is compared with treating everyone and with treating no one.
        """
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
    """The values of one class against all other classes, or of one finding."""

    threshold: float | None  # operating point, chosen on the validation part
    predictive_values: tuple[PredictiveValues, ...]
    positive_likelihood_ratio: Measured
    negative_likelihood_ratio: Measured
    mcc: Measured  # Matthews correlation coefficient
    brier: Measured
    calibration_slope: Measured
    calibration_intercept: Measured
    at_specificity: tuple[AtSpecificity, ...]
    decision_curve: DecisionCurve | None  # None without both positive and negative images

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
