"""Metrics of a set of images: proportions, ranks, calibration, for any weights of the patients.

Every value is a function of how often each patient counts, so that values and their bootstrap come
from the same lines. NumPy alone; classes are one against the rest where a value is of one class.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_models.evaluation.calibration import NUM_BINS, bin_of, log_softmax, softmax
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

# Of a class; the name of a value is `metric/class`.
CLASS_METRICS = tuple(f.name for f in fields(ClassValues) if f.name != "images")
POINT_METRICS = ("sensitivity", "specificity", "precision")  # of a class, at its threshold
OVERALL_METRICS = tuple(f.name for f in fields(OverallCalibrated))
MEANS = {
    "balanced_accuracy": "recall",
    "macro_f1": "f1",
    "macro_roc_auc": "roc_auc",
}  # of classes
_POINTS = 200  # of a curve; more points change no picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """True classes, logits, probabilities and patients of images."""

    class_names: tuple[str, ...]  # the K classes, in the order of the columns
    targets: Ints  # (N,); true classes
    # (N, K), finite; a number may be added to all logits of an image
    logits: Floats
    probabilities: Floats  # (N, K); their softmax
    patients: Ints  # (N,); number of each image's patient, 0..P-1, without gaps
    temperature: float = 1.0  # that calibrates the logits
    # operating point of each class, of its calibrated probability; None where there is none
    thresholds: tuple[float | None, ...] = ()

    @property
    def predicted(self) -> Ints:
        """The most probable class of each image; of equal ones the first."""
        classes: Ints = self.probabilities.argmax(axis=1).astype(np.int64)
        return classes

    @property
    def calibrated(self) -> Floats:
        """The probabilities that `predict` gives; images are ranked and called by them."""
        return (
            self.probabilities
            if self.temperature == 1.0
            else softmax(self.logits, self.temperature)
        )

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
    """The images in the order of falling scores of a class; ties share a place."""

    patients: Ints  # (N,); of each image, in that order
    positive: Floats  # (N,); 1 for images of the class
    ends: Ints  # (T,); place of the last image of each score that differs
    scores: Floats  # (T,); these scores

    def counted(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return true and false positives at each score, of shape (draws, T)."""
        weights = counts[:, self.patients]
        every = np.cumsum(weights, axis=1)
        weights *= self.positive
        true = np.cumsum(weights, axis=1, out=weights)
        if len(self.ends) < len(self.patients):
            true, every = true[:, self.ends], every[:, self.ends]
        return true, every - true

    def areas(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return the areas under the ROC curve and under the precision-recall curve.

        The first is the trapezoid rule, which gives ties half; the second is average precision.
        """
        true, false = self.counted(counts)
        positives, negatives = true[:, -1], false[:, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = true / (true + false)  # 0 / 0 before the first patient that was drawn
        np.nan_to_num(precision, copy=False)
        more = np.diff(true, axis=1)
        pr = np.einsum("dt,dt->d", more, precision[:, 1:]) + true[:, 0] * precision[:, 0]
        # Negatives above each positive are pairs in the wrong order; those beside it count half.
        wrong = np.einsum("dt,dt->d", more, false[:, 1:] + false[:, :-1]) + true[:, 0] * false[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            roc = 1.0 - 0.5 * wrong / (positives * negatives)
            return roc, np.where(negatives > 0, pr / positives, np.nan)


def rank(scores: Floats, positive: npt.NDArray[np.bool_], patients: Ints) -> Ranked:
    """Put images in the order of falling scores."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    return Ranked(patients[order], positive[order].astype(np.float64), ends, ordered[ends])


class ImageStatistics:
    """All values of a set of images, for `cxr_models.evaluation.bootstrap.measure`.

    Parameters
    ----------
    outcomes : Outcomes
        At least one image.
    ranks : bool, default True
        Whether areas under curves are taken too, which cost most of the time.
    """

    def __init__(self, outcomes: Outcomes, *, ranks: bool = True) -> None:
        self._names = outcomes.class_names
        self._patients = outcomes.patients
        self.num_patients = int(outcomes.patients.max()) + 1
        ratios = _ratios(outcomes)
        self._ratio_names = list(ratios)
        self._tops = self._by_patient(np.stack([top for top, _ in ratios.values()], axis=1))
        self._bottoms = self._by_patient(np.stack([low for _, low in ratios.values()], axis=1))
        rows = np.arange(len(outcomes.targets))
        calibrated = outcomes.calibrated
        self._bins = {
            "ece": self._binned(outcomes.probabilities, outcomes.targets, rows),
            "ece_calibrated": self._binned(calibrated, outcomes.targets, rows),
        }
        self._of_class, self._of_others = (
            {
                name: len(np.unique(outcomes.patients[(outcomes.targets == k) == inside]))
                for k, name in enumerate(self._names)
            }
            for inside in (True, False)
        )
        self._present = [n for k, n in enumerate(self._names) if (outcomes.targets == k).any()]
        self._ranked = {
            name: rank(calibrated[:, k], outcomes.targets == k, outcomes.patients)
            for k, name in enumerate(self._names)
            if ranks and 0 < (outcomes.targets == k).sum() < len(outcomes.targets)
        }

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return every value for each row of `counts`."""
        tops, bottoms = counts @ self._tops, counts @ self._bottoms
        with np.errstate(divide="ignore", invalid="ignore"):
            quotients = np.where(bottoms > 0, tops / bottoms, np.nan)
        values = dict(zip(self._ratio_names, quotients.T, strict=True))
        for name, sums in self._bins.items():
            values[name] = _calibration_error(counts @ sums)
        undefined = np.full(len(counts), np.nan)
        for name in self._names:
            ranked = self._ranked.get(name)
            roc, pr = (undefined, undefined) if ranked is None else ranked.areas(counts)
            values[f"roc_auc/{name}"], values[f"pr_auc/{name}"] = roc, pr
        for whole in MEANS:
            columns = [values[part] for part in self.parts_of(whole)]
            values[whole] = np.mean(columns, axis=0) if columns else undefined
        return values

    def patients_behind(self, name: str) -> int:
        """Return the number of patients behind a value: those of the rarest class concerned."""
        metric, _, label = name.partition("/")
        if metric in MEANS:
            return min(map(self.patients_behind, self.parts_of(name)), default=0)
        if not label:
            return self.num_patients
        inside, outside = self._of_class[label], self._of_others[label]
        if metric in ("specificity", "point_specificity"):
            return outside
        if metric in ("roc_auc", "pr_auc"):
            return min(inside, outside)
        if metric in ("precision", "point_precision"):  # over the images predicted, or called
            predicted = self._bottoms[:, self._ratio_names.index(name)] > 0
            return min(inside, int(predicted.sum()))
        return inside

    def parts_of(self, name: str) -> tuple[str, ...]:
        """Return the values that a value is the mean of; empty for other values."""
        if name not in MEANS:
            return ()
        names = self._ranked if name == "macro_roc_auc" else self._present
        return tuple(f"{MEANS[name]}/{label}" for label in names)

    def _by_patient(self, values: Floats) -> Floats:
        sums = np.zeros((self.num_patients, values.shape[1]))
        np.add.at(sums, self._patients, values)
        return sums

    def _binned(self, probabilities: Floats, targets: Ints, rows: Ints) -> Floats:
        """Sum by patient, in each bin: confidence less correctness, and images."""
        confidences = probabilities.max(axis=1)
        places = bin_of(confidences)
        values = np.zeros((len(rows), 2 * NUM_BINS))
        values[rows, places] = confidences - (probabilities.argmax(axis=1) == targets)
        values[rows, NUM_BINS + places] = 1.0
        return self._by_patient(values)


def _ratios(outcomes: Outcomes) -> dict[str, tuple[Floats, Floats]]:
    """Return for each quotient of sums what an image adds to its numerator and denominator."""
    targets, predicted = outcomes.targets, outcomes.predicted
    rows, every = np.arange(len(targets)), np.ones(len(targets))
    ratios: dict[str, tuple[Any, Any]] = {"accuracy": (predicted == targets, every)}
    for name, temperature in (("log_loss", 1.0), ("log_loss_calibrated", outcomes.temperature)):
        ratios[name] = (-log_softmax(outcomes.logits, temperature)[rows, targets], every)
    for k, name in enumerate(outcomes.class_names):
        is_k, predicted_k = targets == k, predicted == k
        present = float(is_k.any())  # without images of a class, precision and F1 are undefined
        ratios[f"precision/{name}"] = (is_k & predicted_k, present * predicted_k)
        ratios[f"recall/{name}"] = (is_k & predicted_k, is_k)
        ratios[f"specificity/{name}"] = (~is_k & ~predicted_k, ~is_k)
        ratios[f"f1/{name}"] = (2.0 * (is_k & predicted_k), present * (0.0 + is_k + predicted_k))
    calibrated = outcomes.calibrated
    for name, k, threshold in _points(outcomes):
        is_k, flagged = targets == k, calibrated[:, k] >= threshold
        present = float(is_k.any())
        ratios[f"point_sensitivity/{name}"] = (is_k & flagged, is_k)
        ratios[f"point_specificity/{name}"] = (~is_k & ~flagged, ~is_k)
        ratios[f"point_precision/{name}"] = (is_k & flagged, present * flagged)
    return {
        name: (np.asarray(top, np.float64), np.asarray(bottom, np.float64))
        for name, (top, bottom) in ratios.items()
    }


def _points(outcomes: Outcomes) -> list[tuple[str, int, float]]:
    return [
        (outcomes.class_names[k], k, threshold)
        for k, threshold in enumerate(outcomes.thresholds)
        if threshold is not None
    ]


def _calibration_error(sums: Floats) -> Floats:
    gaps, images = sums[:, :NUM_BINS], sums[:, NUM_BINS:]
    total = images.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, np.abs(gaps).sum(axis=1) / total, np.nan)


def why_undefined(metric: str, images: int, others: int) -> str:
    """Say why a value of a class is undefined.

    Parameters
    ----------
    metric : str
        One of `CLASS_METRICS` or `POINT_METRICS`.
    images, others : int
        Images of the class, and of all others.
    """
    if not images and metric != "specificity":
        return "no image of this class"
    if not others and metric in ("specificity", "roc_auc", "pr_auc"):
        return "no image of another class"
    return "the class was never said"


def curves(outcomes: Outcomes) -> dict[str, Curves]:
    """Return ROC and precision-recall curves of every class that has them.

    Parameters
    ----------
    outcomes : Outcomes
        At least one image.

    Returns
    -------
    dict of str to Curves
        At most some 200 points each; their ends are kept. Thresholds are of calibrated
        probabilities; the first point of ROC has none, because no image is called positive there.
    """
    drawn, calibrated = {}, outcomes.calibrated
    for k, name in enumerate(outcomes.class_names):
        positive = outcomes.targets == k
        if not 0 < positive.sum() < len(positive):
            continue
        ranked = rank(calibrated[:, k], positive, np.arange(len(positive)))
        true, false = (part[0] for part in ranked.counted(np.ones((1, len(positive)))))
        kept = _thinned(true, false)
        recall = _rounded(true[kept] / true[-1])
        drawn[name] = Curves(
            roc=RocCurve(
                false_positive_rate=(0.0, *_rounded(false[kept] / false[-1])),
                sensitivity=(0.0, *recall),
                threshold=(None, *_rounded(ranked.scores[kept])),
            ),
            pr=PrCurve(recall=recall, precision=_rounded(true[kept] / (true[kept] + false[kept]))),
        )
    return drawn


def _thinned(true: Floats, false: Floats) -> Ints:
    """Return places of at most `_POINTS` points, equally far along the curve, ends included."""
    if len(true) <= _POINTS:
        return np.arange(len(true))
    way = true / true[-1] + false / false[-1]
    places = np.searchsorted(way, np.linspace(way[0], way[-1], _POINTS))
    return np.unique(np.clip(places, 0, len(true) - 1))


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
