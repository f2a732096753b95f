"""Shortcuts: models that cannot see the lungs, trained and tested on the split of a run.

This module uses scikit-learn only, and does not predict with the run itself.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

try:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits
except ModuleNotFoundError as error:
    if error.name not in ("sklearn", "threadpoolctl"):  # a dependency of these
        raise
    missing = "scikit-learn" if error.name == "sklearn" else error.name
    raise ImportError(
        f"{missing} is needed for cxr_models.audit.shortcuts. "
        'Install it with: pip install "cxr-enhance[models]"'
    ) from error

from cxr_enhance import usable_cpus
from cxr_models.audit.results import Reached, Shortcuts
from cxr_models.evaluation.bootstrap import NO_SPREAD, measure
from cxr_models.evaluation.metrics import ImageStatistics, Outcomes
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from cxr_models.audit.shortcut_features import Features
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.results import Interval
    from cxr_models.records.manifest import Record

    Rows = npt.NDArray[np.bool_]

Readable = Literal["unknown", "guessing", "little", "partly", "largely"]
_MEANINGS: dict[Readable, str] = {
    "unknown": "too few patients of test for a verdict",
    "guessing": (
        "no more than guessing, which is no sign that the labels can be read from the source"
    ),
    "little": "little of these labels is readable from the source",
    "partly": "these labels are partly readable from the source",
    "largely": "these labels are largely readable from the source",
}
# A shortcut with at least this share of the run's gain over guessing makes labels largely (partly)
# readable.
_LARGELY, _PARTLY = 0.7, 0.3


class _Parts(NamedTuple):
    """The images of each part, as boolean masks over all images."""

    train: Rows
    val: Rows
    test: Rows


class _Task(NamedTuple):
    """The targets, parts and patients of N images, and the settings of the bootstrap."""

    targets: npt.NDArray[Any]  # (N,); label or source of each image
    parts: _Parts
    patients: npt.NDArray[Any]  # (N,); number of each image's patient
    method: Method

    def reached(self, predicted: Iterable[str], classifier: str) -> Reached:
        """Return the accuracies of predictions for the test part."""
        test = self.parts.test
        result = accuracies(self.targets[test], predicted, self.patients[test], self.method)
        return dataclasses.replace(result, classifier=classifier)

    def commonest(self) -> str:
        """Return the most frequent target of train."""
        return _commonest(self.targets[self.parts.train])


def audit(
    records: Sequence[Record], classes: Sequence[str], features: Features, method: Method
) -> Shortcuts:
    """Train every shortcut and evaluate it on the test images.

    Parameters
    ----------
    records : sequence of Record
        Records of train, val and test; images tied by patient or group have the same patient.
    classes : sequence of str
        The class of each record. It is the label of the record unless the run's task is binary.
    features : Features
        The features of the images of `records`.
    method : Method
        Number of draws and seed of the bootstrap. Random forests use the same seed.

    Returns
    -------
    Shortcuts
        The accuracies of each shortcut. ``majority`` always predicts the most frequent class.
        ``source`` predicts the source from the thumbnail. ``label_from_source`` predicts the class
        only from the name of the source.

    Raises
    ------
    ValueError
        If a part is empty, or train has images of one class only.
    """
    split = np.array([record.split for record in records])
    parts = _Parts(split == "train", split == "val", split == "test")
    for name, rows in zip(parts._fields, parts, strict=True):
        if not rows.any():
            raise ValueError(f"`split` must have records in {name}; got none.")
    labels = np.array(classes)
    if len(set(labels[parts.train])) < 2:
        raise ValueError(
            f"`split` must have at least two labels in train; got {labels[parts.train][0]} alone."
        )
    patients = np.unique(components(records), return_inverse=True)[1]
    views = features.views()
    task = _Task(labels, parts, patients, method)
    sources = np.array([record.source for record in records])
    stated = _Parts(*(rows & (sources != "") for rows in parts))  # images with a source
    if reason := _why_no_sources(sources, stated):
        source = label_from_source = Reached(reason=reason)
    else:
        source = _source(views["thumbnail"], task._replace(targets=sources, parts=stated))
        label_from_source = _label_from_source(sources, task._replace(parts=stated))
    shares = {name: _shortcut(view, task) for name, view in views.items()}
    commonest = task.commonest()
    always = [commonest] * int(parts.test.sum())
    return Shortcuts(
        majority=task.reached(always, f"always {commonest}"),
        **shares,
        source=source,
        label_from_source=label_from_source,
    )


def accuracies(
    classes: Iterable[str], predicted: Iterable[str], patients: npt.NDArray[Any], method: Method
) -> Reached:
    """Return accuracy and balanced accuracy with their intervals.

    Parameters
    ----------
    classes, predicted : iterable of str
        The true class and the predicted class of each image.
    patients : ndarray of shape (N,)
        The patient of each image.
    method : Method
        Number of draws and seed of the bootstrap.
    """
    classes, predicted = list(classes), list(predicted)
    names = tuple(sorted({*classes, *predicted}))
    indices = {name: index for index, name in enumerate(names)}
    probabilities = np.zeros((len(predicted), len(names)))
    probabilities[np.arange(len(predicted)), [indices[name] for name in predicted]] = 1.0
    outcomes = Outcomes(
        class_names=names,
        targets=np.array([indices[name] for name in classes], np.int64),
        logits=probabilities,  # neither accuracy depends on logits
        probabilities=probabilities,
        patients=np.unique(patients, return_inverse=True)[1].astype(np.int64),
    )
    measurement = measure(
        ImageStatistics(outcomes, ranks=False), draws=method.draws, seed=method.seed
    )
    accuracy, balanced = (measurement.measured(n) for n in ("accuracy", "balanced_accuracy"))
    return Reached(
        accuracy=accuracy.value,
        interval=accuracy.interval,
        balanced_accuracy=balanced.value,
        balanced_interval=balanced.interval,
        interval_reason=accuracy.reason,
        balanced_interval_reason=balanced.reason,
    )


def verdict(shortcuts: Shortcuts, run: Reached | None = None) -> str:
    """Return a sentence on the best shortcut that does not see the lungs, and its meaning.

    Parameters
    ----------
    shortcuts : Shortcuts
        The result of `audit`.
    run : Reached, optional
        The accuracies of the run itself.

    Notes
    -----
    The gain of a model is its accuracy minus the accuracy of always predicting the most frequent
    label. The best of the shortcuts border, gray histogram and size counts. If the lower bound of
    its interval is not above the accuracy of the most frequent label, the shortcut is no better
    than guessing. Without an interval there is no verdict. Otherwise, the labels are largely
    readable if its gain is at least 0.7 times the gain of the run, and partly readable if its gain
    is at least 0.3 times the gain of the run. Without a run, the gain is compared with the gain of
    an accuracy of 1.
    """
    blind = {
        "the border": shortcuts.border,
        "the gray histogram": shortcuts.histogram,
        "the size and aspect ratio": shortcuts.size,
    }
    best = max(blind, key=lambda name: blind[name].accuracy or 0.0)
    reached, floor = blind[best].accuracy or 0.0, shortcuts.majority.accuracy or 0.0
    start = f"a model that sees only {best} reaches {reached:.2f}"
    if run is None or run.accuracy is None:
        start += f", where the commonest label alone gives {floor:.2f}"
        top = 1.0
    elif run.accuracy > reached:
        start += f" of {run.accuracy:.2f}"
        top = run.accuracy
    else:
        start += f", the run itself {run.accuracy:.2f}"
        top = reached
    share = (reached - floor) / (top - floor) if top > floor else 0.0
    how = readable(blind[best].interval, blind[best].interval_reason, floor, share)
    return f"{start}: {_MEANINGS[how]}"


def readable(interval: Interval | None, reason: str, guessing: float, share: float) -> Readable:
    """Return how well labels can be read without the lungs, for classes and for findings.

    Parameters
    ----------
    interval : (float, float) or None
        Interval of the value of the best shortcut; None if there is none.
    reason : str
        Why there is no interval.
    guessing : float
        The value of guessing.
    share : float
        The gain of the shortcut over guessing, as a share of the gain of the run.

    Returns
    -------
    {"unknown", "guessing", "little", "partly", "largely"}
        ``unknown`` if too few patients give an interval. ``guessing`` if the interval is not above
        the value of guessing, or if all images have the same score.
    """
    if interval is None:
        return "guessing" if reason == NO_SPREAD and share <= 0.0 else "unknown"
    if interval[0] <= guessing:
        return "guessing"
    if share >= _LARGELY:
        return "largely"
    return "partly" if share >= _PARTLY else "little"


def _candidates(seed: int) -> Iterator[tuple[str, Any]]:
    """Yield the name and the classifier of each candidate; ties are won by the first candidate."""
    for strength in (0.01, 0.1, 1.0):
        regression = LogisticRegression(C=strength, max_iter=500)
        name = f"logistic regression, C={strength:g}"
        yield name, make_pipeline(StandardScaler(), regression)
    yield "random forest", RandomForestClassifier(100, random_state=seed, n_jobs=usable_cpus())


def _fit(candidate: Any, view: npt.NDArray[np.float32], targets: npt.NDArray[Any]) -> None:
    """Fit a candidate on the images of train."""
    # The problems are too small for several linear-algebra threads, which would only wait.
    with warnings.catch_warnings(), threadpool_limits(1):
        # A classifier that did not converge is good enough as a baseline.
        warnings.simplefilter("ignore", ConvergenceWarning)
        candidate.fit(view, targets)


def _shortcut(view: npt.NDArray[np.float32], task: _Task) -> Reached:
    """Fit every candidate on train, choose the best on val by balanced accuracy, and test it."""
    targets, parts = task.targets, task.parts
    best, chosen, classifier = -1.0, "", None
    for name, candidate in _candidates(task.method.seed):
        _fit(candidate, view[parts.train], targets[parts.train])
        true = targets[parts.val]
        correct = candidate.predict(view[parts.val]) == true
        recalls = [correct[true == label].mean() for label in sorted(set(true))]
        if (score := float(np.mean(recalls))) > best:
            best, chosen, classifier = score, name, candidate
    assert classifier is not None
    return task.reached(classifier.predict(view[parts.test]), chosen)


def _source(view: npt.NDArray[np.float32], task: _Task) -> Reached:
    """Evaluate the best classifier that predicts the source of an image from a view."""
    return dataclasses.replace(
        _shortcut(view, task),
        sources=len(set(task.targets[task.parts.train])),
        commonest=float((task.targets[task.parts.test] == task.commonest()).mean()),
    )


def _label_from_source(sources: npt.NDArray[Any], task: _Task) -> Reached:
    """Evaluate the prediction of the most frequent label of each source in train."""
    train = task.parts.train
    of_source = {
        source: _commonest(task.targets[train & (sources == source)])
        for source in set(sources[train])
    }
    commonest = task.commonest()
    predicted = [of_source.get(source, commonest) for source in sources[task.parts.test]]
    return task.reached(predicted, "commonest label of the source")


def _why_no_sources(sources: npt.NDArray[Any], stated: _Parts) -> str:
    if len(set(sources[stated.train])) < 2:
        return "train does not state two sources"
    if not stated.val.any() or not stated.test.any():
        return "val or test states no source"
    return ""


def _commonest(names: npt.NDArray[Any]) -> str:
    """Return the most frequent name; ties are won by the first name in the alphabet."""
    counts = Counter(str(name) for name in names)
    return min(counts, key=lambda name: (-counts[name], name))
