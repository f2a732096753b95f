"""Metrics of a set of images: proportions, areas under curves and calibration errors.

Every metric is a function of how often each patient counts. The same code therefore computes a
value and its bootstrap draws. The metrics of a class take the images of all other classes as
negatives. This module needs only NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_models.evaluation.bootstrap import noise_of
from cxr_models.evaluation.calibration import (
    NUM_BINS,
    bin_of,
    log_softmax,
    ranking_scores,
    softmax,
)
from cxr_models.evaluation.recalibration import logits_of_class
from cxr_models.evaluation.results import (
    ClassValues,
    Confusion,
    Curves,
    OverallCalibrated,
    PrCurve,
    RocCurve,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

# Metrics of a class. A value of a class has the name `metric/class`.
CLASS_METRICS = tuple(f.name for f in fields(ClassValues) if f.name != "images")
POINT_METRICS = ("sensitivity", "specificity", "precision")  # metrics of a class at its threshold
OVERALL_METRICS = tuple(f.name for f in fields(OverallCalibrated))
# Each mean over classes, and the metric of a class that is averaged.
MEANS = {
    "balanced_accuracy": "recall",
    "macro_f1": "f1",
    "macro_roc_auc": "roc_auc",
}
_CURVE_POINTS = 200  # maximum number of points; more points do not change the plot of a curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """True classes, logits, probabilities and patients of N images."""

    class_names: tuple[str, ...]  # the K classes, in the order of the columns
    targets: Ints  # (N,); true class of each image, 0..K-1
    logits: Floats  # (N, K), finite; adding a number to all logits of an image changes no value
    probabilities: Floats  # (N, K); softmax of the logits
    patients: Ints  # (N,); number of each image's patient, 0..P-1, without gaps
    temperature: float = 1.0  # divisor of the logits that calibrates the probabilities
    # operating point of each class, a calibrated probability; None for a class without one
    thresholds: tuple[float | None, ...] = ()
    logits_given: bool = True  # False: the logits are logarithms of given probabilities

    @property
    def predicted(self) -> Ints:
        """The most probable class of each image; the first of equally probable classes."""
        classes: Ints = self.probabilities.argmax(axis=1).astype(np.int64)
        return classes

    @property
    def calibrated(self) -> Floats:
        """The probabilities after temperature scaling.

        `predict` returns these probabilities.
        """
        return (
            self.probabilities
            if self.temperature == 1.0
            else softmax(self.logits, self.temperature)
        )

    def scores_of(self, k: int) -> Floats:
        """Return the scores that rank images by the calibrated probability of class `k`.

        See `cxr_models.evaluation.calibration.ranking_scores`. Given probabilities of three or more
        classes are the scores themselves: their log odds depend on the probabilities of all other
        classes, so they differ where the probability of class `k` is the same. Two classes have
        the same log odds up to the sign, so the areas of both are equal if the probabilities of
        every image sum to 1.
        """
        if len(self.class_names) > 2 and self.temperature == 1.0 and not self.logits_given:
            return self.probabilities[:, k]
        log_odds = logits_of_class(self.logits, k, self.temperature)
        return ranking_scores(self.calibrated[:, k], log_odds)

    def confusion(self) -> Confusion:
        """Count images by true class and predicted class."""
        count = len(self.class_names)
        pairs = self.targets * count + self.predicted
        counts = np.bincount(pairs, minlength=count * count).reshape(count, count)
        rows = tuple(map(tuple, counts.tolist()))
        shares = (tuple(n / sum(row) for n in row) if any(row) else None for row in rows)
        return Confusion(counts=rows, normalised=tuple(shares))


@dataclass(frozen=True, slots=True)
class Ranked:
    """N images sorted by descending score of one class; T is the number of different scores."""

    patients: Ints  # (N,); the patient of each image, in the sorted order
    positive: Floats  # (N,); 1 for images of the class, 0 for all others
    ends: Ints  # (T,); index of the last image of each score
    scores: Floats  # (T,); the different scores, descending

    def counted(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return the numbers of true and of false positives at each score.

        Parameters
        ----------
        counts : ndarray of shape (draws, P), dtype float64
            How often each patient counts in each draw.

        Returns
        -------
        true, false : ndarray of shape (draws, T), dtype float64
            Numbers of positive and of negative images whose score is at least as high.
        """
        weights = counts[:, self.patients]
        flagged = np.cumsum(weights, axis=1)
        weights *= self.positive
        true = np.cumsum(weights, axis=1, out=weights)
        if len(self.ends) < len(self.patients):
            true, flagged = true[:, self.ends], flagged[:, self.ends]
        return true, flagged - true

    def areas(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return the areas under the ROC curve and under the precision-recall curve, by draw.

        The area under the ROC curve counts a tied pair as one half, like the trapezoid rule. The
        area under the precision-recall curve is the average precision. Both arrays have the shape
        (draws,). Undefined areas are NaN.
        """
        true, false = self.counted(counts)
        positives, negatives = true[:, -1], false[:, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = true / (true + false)  # 0 / 0 above the first image of a drawn patient
        np.nan_to_num(precision, copy=False)
        gains = np.diff(true, axis=1)  # true positives that each score adds
        pr = np.einsum("dt,dt->d", gains, precision[:, 1:]) + true[:, 0] * precision[:, 0]
        # `wrong` is twice the number of pairs in which a negative image ranks above a positive
        # one. A tied pair counts as half a pair.
        wrong = np.einsum("dt,dt->d", gains, false[:, 1:] + false[:, :-1])
        wrong += true[:, 0] * false[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            roc = 1.0 - 0.5 * wrong / (positives * negatives)
            return roc, np.where(negatives > 0, pr / positives, np.nan)


def rank(scores: Floats, positive: npt.NDArray[np.bool_], patients: Ints) -> Ranked:
    """Sort images by descending score.

    Parameters
    ----------
    scores : ndarray of shape (N,), dtype float64
        Score of each image.
    positive : ndarray of shape (N,), dtype bool
        Whether each image is positive.
    patients : ndarray of shape (N,), dtype int64
        Number of each image's patient.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    return Ranked(patients[order], positive[order].astype(np.float64), ends, ordered[ends])


class ImageStatistics:
    """All metrics of a set of images, as input of `cxr_models.evaluation.bootstrap.measure`.

    Parameters
    ----------
    outcomes : Outcomes
        The outcomes of at least one image.
    ranks : bool, default True
        Whether to compute areas under curves. They take most of the time. False makes them NaN.
    """

    def __init__(self, outcomes: Outcomes, *, ranks: bool = True) -> None:
        self._names = outcomes.class_names
        self._patients = outcomes.patients
        self.num_patients = int(outcomes.patients.max()) + 1
        ratios = _ratios(outcomes)
        self._ratio_names = list(ratios)
        numerators, denominators = (
            np.stack(terms, axis=1) for terms in zip(*ratios.values(), strict=True)
        )
        self._numerators = self._by_patient(numerators)
        self._denominators = self._by_patient(denominators)
        rows = np.arange(len(outcomes.targets))
        calibrated = outcomes.calibrated
        self._bins = {
            "ece": self._binned(outcomes.probabilities, outcomes.targets, rows),
            "ece_calibrated": self._binned(calibrated, outcomes.targets, rows),
        }
        # for each class, the number of patients with an image inside and outside the class
        self._patients_inside, self._patients_outside = (
            {
                name: len(np.unique(outcomes.patients[(outcomes.targets == k) == inside]))
                for k, name in enumerate(self._names)
            }
            for inside in (True, False)
        )
        self._present = [n for k, n in enumerate(self._names) if (outcomes.targets == k).any()]
        self._ranked = {
            name: rank(outcomes.scores_of(k), outcomes.targets == k, outcomes.patients)
            for k, name in enumerate(self._names)
            if ranks and 0 < (outcomes.targets == k).sum() < len(outcomes.targets)
        }

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return every value, of shape (draws,), for counts of shape (draws, patients)."""
        numerators, denominators = counts @ self._numerators, counts @ self._denominators
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(denominators > 0, numerators / denominators, np.nan)
        values = dict(zip(self._ratio_names, ratios.T, strict=True))
        for name, sums in self._bins.items():
            drawn, original = counts @ sums, sums.sum(axis=0)
            values[name], values[noise_of(name)] = calibration_error(
                drawn[:, :NUM_BINS],
                drawn[:, NUM_BINS:].sum(axis=1),
                original[:NUM_BINS] / original[NUM_BINS:].sum(),
            )
        undefined = np.full(len(counts), np.nan)
        for name in self._names:
            ranked = self._ranked.get(name)
            roc, pr = (undefined, undefined) if ranked is None else ranked.areas(counts)
            values[f"roc_auc/{name}"], values[f"pr_auc/{name}"] = roc, pr
        for mean in MEANS:
            columns = [values[part] for part in self.parts_of(mean)]
            values[mean] = np.mean(columns, axis=0) if columns else undefined
        return values

    def patients_behind(self, name: str) -> int:
        """Return the number of patients of the rarest class that a value uses."""
        metric, _, label = name.partition("/")
        if metric in MEANS:
            return min(map(self.patients_behind, self.parts_of(name)), default=0)
        if not label:
            return self.num_patients
        inside, outside = self._patients_inside[label], self._patients_outside[label]
        if metric in ("specificity", "point_specificity"):
            return outside
        if metric in ("roc_auc", "pr_auc"):
            return min(inside, outside)
        if metric in ("precision", "point_precision"):  # a share of images predicted as the class
            predicted = self._denominators[:, self._ratio_names.index(name)] > 0
            return min(inside, int(predicted.sum()))
        return inside

    def parts_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the values that a mean averages; empty if `name` is no mean."""
        if name not in MEANS:
            return ()
        names = self._ranked if name == "macro_roc_auc" else self._present
        return tuple(f"{MEANS[name]}/{label}" for label in names)

    def _by_patient(self, values: Floats) -> Floats:
        sums = np.zeros((self.num_patients, values.shape[1]))
        np.add.at(sums, self._patients, values)
        return sums

    def _binned(self, probabilities: Floats, targets: Ints, rows: Ints) -> Floats:
        """Return two sums for each patient and bin: confidence minus correctness, and images.

        The array has the shape (P, 2 * `NUM_BINS`): first all sums of confidence minus
        correctness, then all numbers of images.
        """
        confidences = probabilities.max(axis=1)
        places = bin_of(confidences)
        values = np.zeros((len(rows), 2 * NUM_BINS))
        values[rows, places] = confidences - (probabilities.argmax(axis=1) == targets)
        values[rows, NUM_BINS + places] = 1.0
        return self._by_patient(values)


def _ratios(outcomes: Outcomes) -> dict[str, tuple[Floats, Floats]]:
    """Return, for each ratio, the terms of every image in the numerator and the denominator."""
    targets, predicted = outcomes.targets, outcomes.predicted
    rows, ones = np.arange(len(targets)), np.ones(len(targets))
    ratios: dict[str, tuple[Any, Any]] = {"accuracy": (predicted == targets, ones)}
    for name, temperature in (("log_loss", 1.0), ("log_loss_calibrated", outcomes.temperature)):
        ratios[name] = (-log_softmax(outcomes.logits, temperature)[rows, targets], ones)
    for k, name in enumerate(outcomes.class_names):
        is_k, predicted_k = targets == k, predicted == k
        present = float(is_k.any())  # without images of a class, precision and F1 are undefined
        ratios[f"precision/{name}"] = (is_k & predicted_k, present * predicted_k)
        ratios[f"recall/{name}"] = (is_k & predicted_k, is_k)
        ratios[f"specificity/{name}"] = (~is_k & ~predicted_k, ~is_k)
        ratios[f"f1/{name}"] = (2.0 * (is_k & predicted_k), present * (0.0 + is_k + predicted_k))
    calibrated = outcomes.calibrated
    for name, k, threshold in _operating_points(outcomes):
        is_k, flagged = targets == k, calibrated[:, k] >= threshold
        present = float(is_k.any())
        ratios[f"point_sensitivity/{name}"] = (is_k & flagged, is_k)
        ratios[f"point_specificity/{name}"] = (~is_k & ~flagged, ~is_k)
        ratios[f"point_precision/{name}"] = (is_k & flagged, present * flagged)
    return {
        name: (np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
        for name, (numerator, denominator) in ratios.items()
    }


def _operating_points(outcomes: Outcomes) -> list[tuple[str, int, float]]:
    return [
        (outcomes.class_names[k], k, threshold)
        for k, threshold in enumerate(outcomes.thresholds)
        if threshold is not None
    ]


def calibration_error(gaps: Floats, images: Floats, original: Floats) -> tuple[Floats, Floats]:
    """Return the calibration error of each draw, and its noise.

    Parameters
    ----------
    gaps : ndarray of shape (draws, bins), dtype float64
        For each draw and bin, the sum of confidence minus correctness over its images.
    images : ndarray of shape (draws,), dtype float64
        Number of images of each draw.
    original : ndarray of shape (bins,), dtype float64
        The gaps of the original images, divided by their number.

    Returns
    -------
    errors, noise : ndarray of shape (draws,), dtype float64
        NaN for draws without images. See `cxr_models.evaluation.bootstrap.noise_of`.
    """
    noise = np.abs(gaps - images[:, None] * original).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(gaps).sum(axis=1) / images, noise / images


def why_undefined(metric: str, images: int, other_images: int) -> str:
    """Return the reason why a value of a class is undefined.

    Parameters
    ----------
    metric : str
        One of `CLASS_METRICS` or `POINT_METRICS`.
    images, other_images : int
        Number of images of the class, and number of images of all other classes.
    """
    if not images and metric != "specificity":
        return "no image of this class"
    if not other_images and metric in ("specificity", "roc_auc", "pr_auc"):
        return "no image of another class"
    return "no image was predicted as this class"


def curves(outcomes: Outcomes) -> dict[str, Curves]:
    """Return the ROC curve and the precision-recall curve of every class.

    Parameters
    ----------
    outcomes : Outcomes
        The outcomes of at least one image.

    Returns
    -------
    dict of str to Curves
        Curves by class. A class is left out if all images or no images belong to it. Each curve
        has at most about 200 points, which include both ends. Thresholds are calibrated
        probabilities. The first point of a ROC curve, at which no image is called positive, has no
        threshold.
    """
    drawn = (
        (name, curves_of(outcomes.scores_of(k), outcomes.targets == k))
        for k, name in enumerate(outcomes.class_names)
    )
    return {name: of_class for name, of_class in drawn if of_class is not None}


def curves_of(scores: Floats, positive: npt.NDArray[np.bool_]) -> Curves | None:
    """Return the ROC curve and the precision-recall curve of one class.

    Parameters
    ----------
    scores : ndarray of shape (N,), dtype float64
        Scores of the class; see `cxr_models.evaluation.calibration.ranking_scores`. The thresholds
        of the curve are probabilities.
    positive : ndarray of shape (N,), dtype bool
        Whether each image belongs to the class.

    Returns
    -------
    Curves or None
        None if all images are positive, or no image is positive.
    """
    if not 0 < positive.sum() < len(positive):
        return None
    ranked = rank(scores, positive, np.arange(len(positive)))
    true, false = (part[0] for part in ranked.counted(np.ones((1, len(positive)))))
    kept = _thinned(true, false)
    recall = _rounded(true[kept] / true[-1])
    return Curves(
        roc=RocCurve(
            false_positive_rate=(0.0, *_rounded(false[kept] / false[-1])),
            sensitivity=(0.0, *recall),
            # log odds in place of probabilities near 0 and 1 lie outside 0..1
            threshold=(None, *_rounded(np.clip(ranked.scores[kept], 0.0, 1.0))),
        ),
        pr=PrCurve(recall=recall, precision=_rounded(true[kept] / (true[kept] + false[kept]))),
    )


def _thinned(true: Floats, false: Floats) -> Ints:
    """Return the indices of at most `_CURVE_POINTS` evenly spaced points, with both ends."""
    if len(true) <= _CURVE_POINTS:
        return np.arange(len(true))
    length = true / true[-1] + false / false[-1]  # length of the curve up to each point
    indices = np.searchsorted(length, np.linspace(length[0], length[-1], _CURVE_POINTS))
    return np.unique(np.clip(indices, 0, len(true) - 1))


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
