"""Values of the findings of a set of images, as functions of how often each patient counts.

A finding is evaluated over the images whose label for this finding is known. Bootstrap draws of
patients are shared by all findings, so that means over findings have intervals. This module needs
only NumPy.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_models._counts import counted
from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS, noise_of
from cxr_models.evaluation.calibration import NUM_BINS, bin_of, ranking_scores
from cxr_models.evaluation.finding_predictions import PRESENT, UNKNOWN, sigmoid
from cxr_models.evaluation.metrics import calibration_error, rank
from cxr_models.evaluation.results import Bin

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.metrics import Ranked

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Targets = npt.NDArray[np.int8]
    Bools = npt.NDArray[np.bool_]

# Metrics of a finding. A value of a finding has the name `metric/finding`.
AREAS = ("roc_auc", "pr_auc")
LOSSES = ("brier", "brier_calibrated", "log_loss", "log_loss_calibrated")
CALIBRATION_ERRORS = ("ece", "ece_calibrated")
# Reasons why values of a finding are undefined.
NO_PRESENT, NO_ABSENT = "no image that shows it", "no image that does not show it"
NO_THRESHOLD = "the validation part does not hold known images both with it and without it"
# Each mean over findings with enough patients, and the metric of a finding that is averaged.
MEANS = {f"mean_{part}": part for part in ("roc_auc", "pr_auc", "brier", "brier_calibrated")}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingOutcomes:
    """Labels, logits and patients of N images, with the temperatures and thresholds of findings."""

    findings: tuple[str, ...]  # the K findings, in the order of the columns
    targets: Targets  # (N, K); 1 present, 0 absent, -1 unknown
    logits: Floats  # (N, K), finite
    probabilities: Floats  # (N, K); the sigmoid of the logits, up to rounding
    patients: Ints  # (N,); number of each image's patient, 0..P-1, without gaps
    temperatures: tuple[float, ...]  # temperature of each finding, which divides its logits
    # operating point of each finding, a calibrated probability; None for a finding without one
    thresholds: tuple[float | None, ...]

    def select(self, chosen: Any) -> FindingOutcomes:
        """Return the outcomes of the chosen images; their patients are renumbered without gaps."""
        return dataclasses.replace(
            self,
            targets=self.targets[chosen],
            logits=self.logits[chosen],
            probabilities=self.probabilities[chosen],
            patients=np.unique(self.patients[chosen], return_inverse=True)[1].astype(np.int64),
        )

    def of(self, k: int) -> KnownImages:
        """Return the images whose label for finding number `k` is known."""
        rows = np.flatnonzero(self.targets[:, k] != UNKNOWN)
        logits, temperature = self.logits[rows, k], self.temperatures[k]
        probabilities, scaled = self.probabilities[rows, k], logits / temperature
        calibrated = probabilities if temperature == 1.0 else sigmoid(scaled)
        return KnownImages(
            present=self.targets[rows, k] == PRESENT,
            logits=logits,
            probabilities=probabilities,
            scaled=scaled,
            calibrated=calibrated,
            scores=ranking_scores(calibrated, scaled),
            patients=self.patients[rows],
        )


class KnownImages(NamedTuple):
    """The images whose label for one finding is known."""

    present: Bools  # (N,); whether each image shows the finding
    logits: Floats  # (N,)
    probabilities: Floats  # (N,)
    scaled: Floats  # (N,); the logits after temperature scaling
    calibrated: Floats  # (N,); the probabilities after temperature scaling
    scores: Floats  # (N,); `ranking_scores` of the calibrated probabilities
    patients: Ints  # (N,); numbered as in the set

    def patients_with(self, present: bool) -> int:
        """Return the number of patients with an image whose label equals `present`."""
        return len(np.unique(self.patients[self.present == present]))


def outcomes_of(
    predictions: FindingPredictions,
    temperatures: tuple[float, ...] | None = None,
    thresholds: tuple[float | None, ...] | None = None,
) -> FindingOutcomes:
    """Return the input of `FindingStatistics`.

    Parameters
    ----------
    predictions : FindingPredictions
        The predictions.
    temperatures : tuple of float, optional
        The temperature of each finding; None uses 1 for every finding.
    thresholds : tuple of float or None, optional
        The operating point of each finding; None gives no finding an operating point.
    """
    count = len(predictions.findings)
    return FindingOutcomes(
        findings=predictions.findings,
        targets=predictions.targets,
        logits=predictions.logits,
        probabilities=predictions.probabilities,
        patients=predictions.patients,
        temperatures=(1.0,) * count if temperatures is None else temperatures,
        thresholds=(None,) * count if thresholds is None else thresholds,
    )


class FindingStatistics:
    """All values of a set of images, as input of `cxr_models.evaluation.bootstrap.measure`.

    Parameters
    ----------
    outcomes : FindingOutcomes
        The outcomes of at least one image.
    """

    def __init__(self, outcomes: FindingOutcomes) -> None:
        self.num_patients = int(outcomes.patients.max()) + 1
        self._ratio_names: list[str] = []
        self._ranked: dict[str, Ranked] = {}
        self._binned: dict[str, _Binned] = {}
        # number of patients of the rarest images of each value
        self._patients_behind: dict[str, int] = {}
        self.left_out: dict[str, str] = {}  # each finding outside the means, with the reason
        sums = []
        for k, name in enumerate(outcomes.findings):
            known, threshold = outcomes.of(k), outcomes.thresholds[k]
            for metric, terms in _ratios(known, threshold).items():
                self._ratio_names.append(f"{metric}/{name}")
                sums.append([self._by_patient(known.patients, term) for term in terms])
            self._count_patients_behind(name, known, threshold)
            if 0 < known.present.sum() < len(known.present):
                self._ranked[name] = rank(known.scores, known.present, known.patients)
            for metric, shares in zip(
                CALIBRATION_ERRORS, (known.probabilities, known.calibrated), strict=True
            ):
                self._binned[f"{metric}/{name}"] = _binned(shares, known)
        self.in_means = tuple(n for n in outcomes.findings if n not in self.left_out)
        self._names = outcomes.findings
        self._numerators, self._denominators = (
            np.stack(terms, axis=1) for terms in zip(*sums, strict=True)
        )

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return every value, of shape (draws,), for counts of shape (draws, patients)."""
        numerators, denominators = counts @ self._numerators, counts @ self._denominators
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(denominators > 0, numerators / denominators, np.nan)
        values = dict(zip(self._ratio_names, ratios.T, strict=True))
        undefined = np.full(len(counts), np.nan)
        for name in self._names:
            ranked = self._ranked.get(name)
            areas = (undefined, undefined) if ranked is None else ranked.areas(counts)
            values[f"roc_auc/{name}"], values[f"pr_auc/{name}"] = areas
        for name, binned in self._binned.items():
            values[name], values[noise_of(name)] = binned.errors(counts)
        for mean in MEANS:
            columns = [values[part] for part in self.parts_of(mean)]
            values[mean] = np.mean(columns, axis=0) if columns else undefined
        return values

    def patients_behind(self, name: str) -> int:
        """Return the number of patients of the rarest images (present or absent) a value uses."""
        if name in MEANS:
            return min((self._patients_behind[part] for part in self.parts_of(name)), default=0)
        return self._patients_behind[name]

    def parts_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the values that a mean averages; empty if `name` is no mean."""
        if name not in MEANS:
            return ()
        return tuple(f"{MEANS[name]}/{finding}" for finding in self.in_means)

    def _by_patient(self, patients: Ints, values: Floats) -> Floats:
        sums: Floats = np.bincount(patients, values, self.num_patients).astype(np.float64)
        return sums

    def _count_patients_behind(
        self, name: str, known: KnownImages, threshold: float | None
    ) -> None:
        present, absent = known.patients_with(True), known.patients_with(False)
        everyone = len(np.unique(known.patients))
        fewest = min(present, absent)
        if fewest < FEWEST_PATIENTS:
            side = "with" if present == fewest else "without"
            self.left_out[name] = (
                f"{counted(fewest, 'patient')} {side} it, fewer than {FEWEST_PATIENTS}"
            )
        patients_behind = dict.fromkeys(AREAS, fewest)
        patients_behind |= dict.fromkeys((*LOSSES, *CALIBRATION_ERRORS), everyone)
        patients_behind |= dict.fromkeys(map(noise_of, CALIBRATION_ERRORS), everyone)
        if threshold is not None:
            called = known.patients[known.calibrated >= threshold]
            patients_behind |= {
                "sensitivity": present,
                "specificity": absent,
                "precision": min(present, len(np.unique(called))),
            }
        self._patients_behind |= {
            f"{metric}/{name}": count for metric, count in patients_behind.items()
        }


def _ratios(known: KnownImages, threshold: float | None) -> dict[str, tuple[Floats, Floats]]:
    """Return, for each ratio, the terms of every image in the numerator and the denominator."""
    present, ones = known.present, np.ones(len(known.present))
    signs = np.where(present, 1.0, -1.0)
    ratios: dict[str, tuple[Any, Any]] = {
        "brier": ((known.probabilities - present) ** 2, ones),
        "brier_calibrated": ((known.calibrated - present) ** 2, ones),
        "log_loss": (np.logaddexp(0.0, -signs * known.logits), ones),
        "log_loss_calibrated": (np.logaddexp(0.0, -signs * known.scaled), ones),
    }
    if threshold is not None:
        called = known.calibrated >= threshold
        shown = float(present.any())  # without a positive image, precision is undefined
        ratios["sensitivity"] = (present & called, present)
        ratios["specificity"] = (~present & ~called, ~present)
        ratios["precision"] = (present & called, shown * called)
    return {
        name: (np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
        for name, (numerator, denominator) in ratios.items()
    }


class _Binned(NamedTuple):
    """The known images of one finding, sorted by their reliability bin."""

    patients: Ints  # (N,)
    gaps: Floats  # (N,); probability minus presence (0 or 1)
    starts: Ints  # (B,); index of the first image of each bin that holds images

    def errors(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return the calibration error and its noise (draws,) for counts (draws, patients)."""
        if not len(self.patients):
            return np.full(len(counts), np.nan), np.full(len(counts), np.nan)
        weights = counts[:, self.patients]
        images = weights.sum(axis=1)
        weights *= self.gaps
        gaps = np.add.reduceat(weights, self.starts, axis=1)
        original = np.add.reduceat(self.gaps, self.starts) / len(self.gaps)
        return calibration_error(gaps, images, original)


def _binned(shares: Floats, known: KnownImages) -> _Binned:
    bins = bin_of(shares)
    order = np.argsort(bins, kind="stable")
    starts = np.flatnonzero(np.diff(bins[order], prepend=-1))
    return _Binned(known.patients[order], (shares - known.present)[order], starts)


def share_bins(shares: Floats, present: Bools) -> tuple[Bin, ...]:
    """Return the reliability bins of the probability of a finding that contain images.

    Parameters
    ----------
    shares : ndarray of shape (N,), dtype float64
        Probabilities of the finding.
    present : ndarray of shape (N,), dtype bool
        Whether each image shows the finding.

    Returns
    -------
    tuple of Bin
        `confidence` is the mean probability of the finding. `accuracy` is the share of the images
        that show the finding.
    """
    # The bins of classes use the confidence in the predicted class. A rare finding is absent from
    # most images and predicted as absent, so that its probability is more informative.
    bins = bin_of(shares)
    return tuple(
        Bin(
            low=int(place) / NUM_BINS,
            high=(int(place) + 1) / NUM_BINS,
            images=int((bins == place).sum()),
            confidence=float(shares[bins == place].mean()),
            accuracy=float(present[bins == place].mean()),
        )
        for place in np.unique(bins)
    )
