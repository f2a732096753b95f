"""Shortcuts for findings: models that cannot see the lungs, trained to predict each finding.

Each model is trained and tested over the known labels of the finding. The value of a shortcut is
its area under the ROC curve. An accuracy would say little, because most images lack a rare finding.
This module uses scikit-learn only, and does not predict with the run itself.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_models.audit.findings_results import FindingReached, FindingShortcuts
from cxr_models.audit.shortcuts import Readable, _candidates, _fit, readable
from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.finding_predictions import ABSENT, PRESENT, UNKNOWN, sigmoid
from cxr_models.evaluation.finding_statistics import FindingOutcomes, FindingStatistics
from cxr_models.evaluation.metrics import rank
from cxr_models.evaluation.predictions import patients_of
from cxr_models.evaluation.results import Measured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from cxr_models.audit.shortcut_features import Features
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.records.manifest import Record

    Floats = npt.NDArray[np.float64]

_SMALLEST = 1e-12  # distance of probabilities from 0 and 1, which have no log odds
_GUESSING = 0.5  # the area under the ROC curve of random guesses


class _Question(NamedTuple):
    """One finding of N images: the known images of each part, and the settings of the bootstrap."""

    finding: str
    present: npt.NDArray[np.bool_]  # (N,); whether each image shows the finding; False if unknown
    train: npt.NDArray[np.int64]  # rows of the known images of train
    val: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    patients: npt.NDArray[np.int64]  # (N,); number of each image's patient
    method: Method

    def undecided(self) -> str:
        """Return why no shortcut can be trained and chosen; empty if one can."""
        for part, rows in (("train", self.train), ("val", self.val)):
            if not 0 < self.present[rows].sum() < len(rows):
                return f"{part} does not hold known images both with it and without it"
        return ""

    def reached(self, scores: Floats, classifier: str = "") -> FindingReached:
        """Return the area under the ROC curve of scores, one score for each known test image."""
        if not len(self.test):
            return _not_reached("test does not hold an image whose label is known")
        present = self.present[self.test]
        outcomes = FindingOutcomes(
            findings=(self.finding,),
            targets=np.where(present, PRESENT, ABSENT).astype(np.int8)[:, None],
            logits=scores[:, None],
            probabilities=sigmoid(scores[:, None]),
            patients=np.unique(self.patients[self.test], return_inverse=True)[1].astype(np.int64),
            temperatures=(1.0,),
            thresholds=(None,),
        )
        method = self.method
        measurement = measure(FindingStatistics(outcomes), draws=method.draws, seed=method.seed)
        missing = "shows it" if not present.any() else "does not show it"
        area = measurement.measured(f"roc_auc/{self.finding}", f"no image of test that {missing}")
        return FindingReached(roc_auc=area, classifier=classifier)


def audit_findings(
    records: Sequence[Record],
    findings: Sequence[str],
    targets: npt.NDArray[np.int8],
    features: Features,
    method: Method,
    of_run: Mapping[str, Floats] | None = None,
) -> dict[str, FindingShortcuts]:
    """Train every shortcut for every finding and evaluate it on the test images.

    Parameters
    ----------
    records : sequence of Record
        Records of train, val and test; images tied by patient or group have the same patient.
    findings : sequence of str
        The K findings.
    targets : ndarray of shape (N, K), dtype int8
        1 if the finding is present, 0 if it is absent, -1 if its label is unknown.
    features : Features
        The features of the images of `records`.
    method : Method
        Number of draws and seed of the bootstrap. Random forests use the same seed.
    of_run : mapping of str to ndarray of shape (number of test images, K), optional
        The logits of a run for the test images: ``run`` for the unchanged images,
        ``centre_blanked`` and ``border_blanked`` for the blanked images.

    Returns
    -------
    dict of str to FindingShortcuts
        The areas by finding.

    Raises
    ------
    ValueError
        If a part is empty.
    """
    split = np.array([record.split for record in records])
    for part in ("train", "val", "test"):
        if not (split == part).any():
            raise ValueError(f"`split` must have records in {part}; got none.")
    patients = patients_of(records)
    sources = np.array([record.source for record in records])
    place_in_test = np.cumsum(split == "test") - 1
    views = features.views()
    audited = {}
    for k, finding in enumerate(findings):
        known = targets[:, k] != UNKNOWN
        rows = {part: np.flatnonzero(known & (split == part)) for part in ("train", "val", "test")}
        question = _Question(
            finding, targets[:, k] == PRESENT, **rows, patients=patients, method=method
        )
        audited[finding] = FindingShortcuts(
            images=len(question.test),
            present=int(question.present[question.test].sum()),
            **{name: _shortcut(view, question) for name, view in views.items()},
            label_from_source=_label_from_source(sources, question),
            **{
                name: question.reached(logits[place_in_test[question.test], k])
                for name, logits in (of_run or {}).items()
            },
        )
    return audited


def verdict(audited: Mapping[str, FindingShortcuts]) -> str:
    """Return a sentence that names the findings that can be predicted without the lungs.

    Parameters
    ----------
    audited : mapping of str to FindingShortcuts
        The result of `audit_findings`.

    Notes
    -----
    The gain of a model is its area under the ROC curve minus 0.5, the area of random guesses. The
    best of the shortcuts border, gray histogram and size counts. A finding is readable if the
    interval of this shortcut lies above 0.5 and its gain is large enough. A finding is largely
    readable if the gain is at least 0.7 times the gain of the run. A finding is partly readable if
    the gain is at least 0.3 times the gain of the run. Without a run, the gain is compared with
    0.5, the gain of an area of 1. A finding without an interval has no verdict.
    """
    of_findings: dict[Readable, list[str]] = defaultdict(list)
    not_audited = 0
    for finding, shortcuts in audited.items():
        blind = (shortcuts.border, shortcuts.histogram, shortcuts.size)
        areas = [reached.roc_auc for reached in blind if reached.roc_auc.value is not None]
        if not areas:
            not_audited += 1
            continue
        best = max(areas, key=lambda area: area.value or 0.0)
        run = None if shortcuts.run is None else shortcuts.run.roc_auc.value
        reached = best.value or 0.0
        gain = reached - _GUESSING
        share = gain / max((1.0 if run is None else run) - _GUESSING, gain, 1e-9)
        shown = f"{finding} ({reached:.2f}" + (")" if run is None else f"; the run {run:.2f})")
        of_findings[readable(best.interval, best.reason, _GUESSING, share)].append(shown)
    hows: tuple[Readable, ...] = ("largely", "partly")
    parts = [f"{how} readable: {', '.join(of_findings[how])}" for how in hows if of_findings[how]]
    if rest := len(of_findings["little"]) + len(of_findings["guessing"]):
        parts.append(f"{rest} of {len(audited)} findings: little or nothing")
    if of_findings["unknown"]:
        parts.append(f"too few patients of test for a verdict: {', '.join(of_findings['unknown'])}")
    if not_audited:
        parts.append(f"{not_audited} could not be audited")
    return f"from the border, the gray histogram or the size alone (ROC-AUC), {'; '.join(parts)}"


def _shortcut(view: npt.NDArray[np.float32], question: _Question) -> FindingReached:
    """Fit every candidate on train, choose the one with the largest area on val, and test it."""
    if reason := question.undecided():
        return _not_reached(reason)
    best, chosen, classifier = -1.0, "", None
    for name, candidate in _candidates(question.method.seed):
        _fit(candidate, view[question.train], question.present[question.train])
        scores = _log_odds(candidate, view[question.val])
        ranked = rank(scores, question.present[question.val], np.arange(len(scores)))
        if (area := float(ranked.areas(np.ones((1, len(scores))))[0][0])) > best:
            best, chosen, classifier = area, name, candidate
    assert classifier is not None
    if not len(question.test):
        return question.reached(np.empty(0))
    return question.reached(_log_odds(classifier, view[question.test]), chosen)


def _log_odds(classifier: Any, view: npt.NDArray[np.float32]) -> Floats:
    exact = classifier.predict_proba(view)[:, 1].astype(np.float64)  # in float32, 1 - 1e-12 is 1
    shares = np.clip(exact, _SMALLEST, 1.0 - _SMALLEST)
    odds: Floats = np.log(shares) - np.log1p(-shares)
    return odds


def _label_from_source(sources: npt.NDArray[Any], question: _Question) -> FindingReached:
    """Evaluate a prediction from the source alone.

    The score of an image is the share of the train images of its source that show the finding.
    Images without a source are left out, as for classes.
    """
    train, test = (rows[sources[rows] != ""] for rows in (question.train, question.test))
    if len(set(sources[train])) < 2:
        return _not_reached("train does not state two sources")
    if len(question.test) and not len(test):
        return _not_reached("test states no source")
    present = question.present[train]
    shares = {source: present[sources[train] == source].mean() for source in set(sources[train])}
    scores = [shares.get(source, present.mean()) for source in sources[test]]
    return question._replace(test=test).reached(np.array(scores, np.float64), "share of the source")


def _not_reached(reason: str) -> FindingReached:
    return FindingReached(roc_auc=Measured(value=None, interval=None, reason=reason))
