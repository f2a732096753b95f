"""Values for clinical use: predictive values, net benefit, calibration slope and others.

Each value compares one class with all other classes, or the presence of a finding with its
absence. The values are computed from calibrated probabilities, at thresholds that were chosen on
the validation part. This module imports no deep-learning framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.clinic_results import (
    AtSpecificity,
    ClinicValues,
    DecisionCurve,
    PredictiveValues,
)
from cxr_models.evaluation.likelihood_ratios import likelihood_ratios
from cxr_models.evaluation.measured import Measured
from cxr_models.evaluation.recalibration import SEPARATED, fit_recalibration, logits_of_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.bootstrap import Measurement, Scale
    from cxr_models.evaluation.metrics import Outcomes

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

# Threshold probabilities of a decision curve: above a threshold, a patient would be treated.
THRESHOLDS = tuple(round(0.02 * number, 2) for number in range(1, 50))
_TREATED = np.array([threshold / (1.0 - threshold) for threshold in THRESHOLDS])  # their odds
SPECIFICITY_NOT_REACHED = "no threshold reaches that specificity on validation"
_SCALES: dict[str, Scale] = {
    "mcc": "correlation",
    "slope": "unbounded",
    "intercept": "unbounded",
}


class Reasons(NamedTuple):
    """The texts, one set for each task, that state why a value is undefined."""

    no_positive: str  # there is no positive image
    no_negative: str  # there is no negative image
    no_point: str  # no operating point could be chosen
    separated: str  # calibration slope and intercept have no finite value
    # slope and intercept are undefined because only one kind of images exists; if empty,
    # `no_positive` or `no_negative` is used
    one_kind: str = ""


OF_CLASSES = Reasons(
    no_positive="no image of this class",
    no_negative="no image of another class",
    no_point="the validation part does not hold both this class and another class",
    separated=SEPARATED,
    one_kind="images of one class only",
)


class OneAgainstRest(NamedTuple):
    """N images (at least one) that are positive or negative, with their scores.

    Positive images belong to a class or show a finding. All other images are negative.
    """

    positive: Bools  # (N,); whether each image is positive
    scores: Floats  # (N,); calibrated probabilities of being positive
    log_odds: Floats  # (N,); log odds of the scores
    patients: Ints  # (N,); number of each image's patient, 0..P-1, without gaps


class ClinicStatistics:
    """The values of one class or finding, for `cxr_models.evaluation.bootstrap.measure`.

    Parameters
    ----------
    images : OneAgainstRest
        The images.
    thresholds : sequence of float or None
        The operating point, followed by the thresholds of further pairs of sensitivity and
        specificity. The index of a threshold is part of the names of its values, as in
        ``sensitivity@0``. A threshold of None has no values.
    """

    def __init__(self, images: OneAgainstRest, thresholds: Sequence[float | None]) -> None:
        self._patients = images.patients
        self.num_patients = int(images.patients.max()) + 1
        self._positive = images.positive
        self._scores = images.scores
        self._thresholds = thresholds
        self.recalibration, self.no_recalibration = fit_recalibration(
            images.log_odds, self._positive
        )
        self._sums: dict[str, Floats] = {}  # sums over each patient's images; (P,) or (P, terms)
        positive = self._positive.astype(np.float64)
        self._sum("images", np.ones_like(positive))
        self._sum("inside", positive)
        self._sum("brier", (self._scores - positive) ** 2)
        for number, threshold in enumerate(thresholds):
            if threshold is not None:
                called = self._scores >= threshold
                self._sum(f"called@{number}", called)
                self._sum(f"found@{number}", called & self._positive)
        treated = self._scores[:, None] >= np.array(THRESHOLDS)
        # A treated positive image adds 1. A treated negative image subtracts the odds of the
        # threshold.
        worth = np.where(self._positive[:, None], 1.0, -_TREATED)
        self._sum("net_benefit", treated * worth)
        if self.recalibration is not None:
            self._sum("slope", self.recalibration.slope_terms)
            self._sum("intercept", self.recalibration.intercept_terms)
        self._inside = self._count_patients(self._positive)
        self._outside = self._count_patients(~self._positive)

    def reason(self, reasons: Reasons) -> str:
        """Return why values that need positive and negative images are undefined.

        The text is empty if there are images of both kinds.
        """
        if not self._inside:
            return reasons.no_positive
        return "" if self._outside else reasons.no_negative

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return every value, of shape (draws,), for counts of shape (draws, patients)."""
        sums = {name: counts @ terms for name, terms in self._sums.items()}
        images, inside = sums["images"], sums["inside"]
        values = {"brier": sums["brier"] / images}
        for number, threshold in enumerate(self._thresholds):
            if threshold is not None:
                called, found = sums[f"called@{number}"], sums[f"found@{number}"]
                values |= _of_counts(images, inside, called, found, f"@{number}")
        curve = sums["net_benefit"] / images[:, None]
        values |= {f"net_benefit@{t}": curve[:, i] for i, t in enumerate(THRESHOLDS)}
        if self.recalibration is not None:
            values["slope"] = self.recalibration.slopes(sums["slope"])
            values["intercept"] = self.recalibration.intercepts(sums["intercept"])
        return values

    def patients_behind(self, name: str) -> int:
        """Return the number of patients of the rarest class that a value uses."""
        metric, _, number = name.partition("@")
        if metric == "brier":
            return self.num_patients
        if metric in ("sensitivity", "specificity"):
            return self._inside if metric == "sensitivity" else self._outside
        if metric in ("ppv", "npv"):  # shares of the images called positive, or called negative
            threshold = self._thresholds[int(number)]
            called = self._scores >= (0.0 if threshold is None else threshold)
            if metric == "ppv":
                return min(self._inside, self._count_patients(called))
            return min(self._outside, self._count_patients(~called))
        return min(self._inside, self._outside)

    def parts_of(self, name: str) -> tuple[str, ...]:
        """Return an empty tuple, because no value is a mean of other values."""
        return ()

    def _sum(self, name: str, terms: npt.NDArray[np.generic]) -> None:
        sums = np.zeros((self.num_patients, *terms.shape[1:]))
        np.add.at(sums, self._patients, terms)
        self._sums[name] = sums

    def _count_patients(self, images: Bools) -> int:
        return len(np.unique(self._patients[images]))


def _of_counts(
    images: Floats, inside: Floats, called: Floats, found: Floats, suffix: str
) -> dict[str, Floats]:
    """Return the values at one threshold from numbers of images; NaN where undefined.

    All arrays have the shape (draws,): all images, positive images, images called positive, and
    positive images called positive. `suffix` is appended to the name of each value.
    """
    outside, cleared = images - inside, images - called
    missed, alarms = inside - found, called - found
    spared = outside - alarms
    with np.errstate(divide="ignore", invalid="ignore"):
        margins = np.sqrt(inside * outside * called * cleared)
        values = {
            "sensitivity": found / inside,
            "specificity": spared / outside,
            "ppv": found / called,
            "npv": spared / cleared,
            "mcc": np.where(margins > 0, (found * spared - alarms * missed) / margins, np.nan),
        }
    return {f"{name}{suffix}": value for name, value in values.items()}


def clinic_values(
    outcomes: Outcomes,
    *,
    prevalences: Sequence[float] = (),
    at_specificity: Sequence[tuple[float, Sequence[float | None]]] = (),
    no_threshold_reason: str = SPECIFICITY_NOT_REACHED,
    draws: int,
    seed: int = 0,
) -> dict[str, ClinicValues]:
    """Return the clinical values of each class, with intervals from the bootstrap over patients.

    Parameters
    ----------
    outcomes : Outcomes
        Images on which no threshold was chosen, with their temperature and thresholds.
    prevalences : sequence of float, default ()
        Prevalences of the class at which predictive values are computed. If empty, the share of
        the class in the set is the prevalence.
    at_specificity : sequence of (float, sequence of float or None), default ()
        Pairs of a specificity and the threshold of each class that reaches it on the validation
        part.
    no_threshold_reason : str, optional
        The reason that is recorded for a class whose threshold in `at_specificity` is None.
    draws : int
        Number of bootstrap draws of patients.
    seed : int, default 0
        Seed of the bootstrap draws.

    Notes
    -----
    The predictive values at a given prevalence follow from the likelihood ratios by Bayes' rule.
    The net benefit at a threshold t is the number of true positives minus t / (1 - t) times the
    number of false positives, divided by the number of images [1]_.

    References
    ----------
    .. [1] A. J. Vickers, E. B. Elkin, "Decision curve analysis: a novel method for evaluating
           prediction models", Medical Decision Making 26, 2006.
    """
    values = {}
    for k, name in enumerate(outcomes.class_names):
        values[name] = values_of_one(
            of_class(outcomes, k),
            threshold=outcomes.thresholds[k] if outcomes.thresholds else None,
            prevalences=prevalences,
            at_specificity=[(stated, of_classes[k]) for stated, of_classes in at_specificity],
            no_threshold_reason=no_threshold_reason,
            draws=draws,
            seed=seed,
        )
    return values


def of_class(outcomes: Outcomes, k: int) -> OneAgainstRest:
    """Return all images, with the images of class `k` as positive and all others as negative."""
    return OneAgainstRest(
        positive=outcomes.targets == k,
        scores=outcomes.calibrated[:, k],
        log_odds=logits_of_class(outcomes.logits, k, outcomes.temperature),
        patients=outcomes.patients,
    )


def values_of_one(
    images: OneAgainstRest,
    *,
    threshold: float | None,
    prevalences: Sequence[float] = (),
    at_specificity: Sequence[tuple[float, float | None]] = (),
    reasons: Reasons = OF_CLASSES,
    no_threshold_reason: str = SPECIFICITY_NOT_REACHED,
    draws: int,
    seed: int = 0,
) -> ClinicValues:
    """Return the clinical values of one class or finding, with intervals over patients.

    Parameters
    ----------
    images : OneAgainstRest
        Images on which no threshold was chosen.
    threshold : float or None
        The operating point; None if no operating point could be chosen.
    prevalences : sequence of float, default ()
        Prevalences at which predictive values are computed. If empty, the share of positive images
        is the prevalence.
    at_specificity : sequence of (float, float or None), default ()
        Pairs of a specificity and the threshold that reaches it on the validation part.
    reasons : Reasons, optional
        The texts that state why values are undefined; by default those of classes.
    no_threshold_reason : str, optional
        The reason that is recorded where the threshold in `at_specificity` is None.
    draws : int
        Number of bootstrap draws of patients.
    seed : int, default 0
        Seed of the bootstrap draws.
    """
    statistics = ClinicStatistics(images, [threshold, *(chosen for _, chosen in at_specificity)])
    measurement = measure(statistics, draws=draws, seed=seed)
    one_kind = statistics.reason(reasons)
    share = float(images.positive.mean())

    def measured(name: str, reason: str) -> Measured:
        if name not in measurement.values:
            return _undefined(reason)
        scale = _SCALES.get(name.partition("@")[0], "share")
        return measurement.measured(name, one_kind or reason, scale=scale)

    missing = one_kind or ("" if threshold is not None else reasons.no_point)
    ratios = likelihood_ratios(measurement, missing)
    if prevalences:
        predictive = [ratios.predictive_values(prevalence) for prevalence in prevalences]
    else:
        positive = measured("ppv@0", "no image reaches the threshold")
        negative = measured("npv@0", "every image reaches the threshold")
        own = PredictiveValues(
            prevalence=share,
            of="set",
            positive=_undefined(missing) if missing else positive,
            negative=_undefined(missing) if missing else negative,
        )
        predictive = [own]
    no_recalibration = statistics.no_recalibration
    if one_kind:
        no_recalibration = reasons.one_kind or one_kind
    elif no_recalibration == SEPARATED:
        no_recalibration = reasons.separated
    no_recalibration = no_recalibration or "all probabilities are 0 or 1, to the last digit"
    return ClinicValues(
        threshold=threshold,
        predictive_values=tuple(predictive),
        positive_likelihood_ratio=ratios.positive.measured,
        negative_likelihood_ratio=ratios.negative.measured,
        mcc=measured("mcc@0", missing or "all images are called alike"),
        brier=measured("brier", ""),
        calibration_slope=measured("slope", no_recalibration),
        calibration_intercept=measured("intercept", no_recalibration),
        at_specificity=tuple(
            AtSpecificity(
                stated=stated,
                threshold=chosen,
                sensitivity=measured(f"sensitivity@{number}", one_kind or no_threshold_reason),
                specificity=measured(f"specificity@{number}", one_kind or no_threshold_reason),
            )
            for number, (stated, chosen) in enumerate(at_specificity, 1)
        ),
        decision_curve=None if one_kind else _decision_curve(measurement, share),
    )


def _decision_curve(measurement: Measurement, share: float) -> DecisionCurve:
    names = [f"net_benefit@{threshold}" for threshold in THRESHOLDS]
    return DecisionCurve(
        thresholds=THRESHOLDS,
        net_benefit=tuple(round(measurement.values[name], 6) for name in names),
        intervals=tuple(_rounded(measurement, name) for name in names),
        treat_all=tuple(round(share - (1.0 - share) * float(odds), 6) for odds in _TREATED),
    )


def _rounded(measurement: Measurement, name: str) -> tuple[float, float] | None:
    interval, _ = measurement.interval(name, scale="unbounded")
    return None if interval is None else (round(interval[0], 6), round(interval[1], 6))


def _undefined(reason: str) -> Measured:
    return Measured(value=None, interval=None, reason=reason)
