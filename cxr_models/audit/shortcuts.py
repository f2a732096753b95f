"""What simple models reach that cannot have seen the lungs, trained and tested on the same split.

Knows no framework but scikit-learn; what a run makes of blanked images comes from outside.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

try:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits
except ModuleNotFoundError as error:
    if error.name not in ("sklearn", "threadpoolctl"):  # something that they need in their turn
        raise
    missing = "scikit-learn" if error.name == "sklearn" else error.name
    raise ImportError(
        f"{missing} is needed for cxr_models.audit.shortcuts. "
        'Install it with: pip install "cxr-enhance[models]"'
    ) from error

from cxr_enhance import usable_cpus
from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.metrics import ImageStatistics, Outcomes
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from cxr_models.audit.shortcut_features import Features
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.records.manifest import Record

    Rows = npt.NDArray[np.bool_]

SHORTCUTS = ("border", "thumbnail", "histogram", "size")
_BLIND = {  # those that see no lungs, in words
    "border": "the border",
    "histogram": "the gray histogram",
    "size": "the size and aspect ratio",
}
_LARGELY, _PARTLY = 0.7, 0.3  # of the way from guessing to the run


class _Parts(NamedTuple):
    train: Rows
    val: Rows
    test: Rows


def audit(
    records: Sequence[Record], classes: Sequence[str], features: Features, method: Method
) -> dict[str, Any]:
    """Train and judge every shortcut.

    Parameters
    ----------
    records : sequence of Record
        In train, val and test; images tied by patient or group count as one patient.
    classes : sequence of str
        The class of each, mostly its label.
    features : Features
        Of each.
    method : Method
        Draws and seed; the seed is that of the random forests too.

    Returns
    -------
    dict
        For ``border``, ``thumbnail``, ``histogram`` and ``size`` an object with ``accuracy``,
        ``interval``, ``balanced_accuracy``, ``balanced_interval`` and ``classifier``; likewise
        ``majority`` (the commonest class), ``source`` (the source, told from the thumbnail) and
        ``label_from_source`` (the class, told from nothing but the name of the source). What
        cannot be judged has None and a ``reason``.

    Raises
    ------
    ValueError
        If a part is empty, or train holds one class only.
    """
    split = np.array([record.split for record in records])
    parts = _Parts(split == "train", split == "val", split == "test")
    for name, rows in zip(parts._fields, parts, strict=True):
        if not rows.any():
            raise ValueError(f"`split` must have records in {name}; got none.")
    labels = np.array(classes)
    if len(set(labels[parts.train])) < 2:
        raise ValueError(
            f"`split` must have two labels in train; got {labels[parts.train][0]} alone."
        )
    patients = np.unique(components(records), return_inverse=True)[1]
    views = features.views()
    told = {"majority": _majority(labels, parts, patients, method)}
    for name in SHORTCUTS:
        told[name] = _shortcut(views[name], labels, parts, patients, method)
    sources = np.array([record.source for record in records])
    stated = _Parts(*(rows & (sources != "") for rows in parts))
    reason = _why_no_sources(sources, stated)
    if reason:
        told |= {"source": _unjudged(reason), "label_from_source": _unjudged(reason)}
        return told
    told["source"] = _source(views["thumbnail"], sources, stated, patients, method)
    told["label_from_source"] = _label_from_source(labels, sources, stated, patients, method)
    return told


def accuracies(
    classes: Iterable[str], said: Iterable[str], patients: npt.NDArray[Any], method: Method
) -> dict[str, Any]:
    """Return accuracy and balanced accuracy with their intervals, as `audit` tells them.

    Parameters
    ----------
    classes, said : iterable of str
        What was true, and what was said.
    patients : ndarray of shape (N,)
        Whom each image shows.
    method : Method
        Draws and seed.
    """
    classes, said = list(classes), list(said)
    names = tuple(sorted({*classes, *said}))
    places = {name: place for place, name in enumerate(names)}
    probabilities = np.zeros((len(said), len(names)))
    probabilities[np.arange(len(said)), [places[name] for name in said]] = 1.0
    outcomes = Outcomes(
        class_names=names,
        targets=np.array([places[name] for name in classes], np.int64),
        logits=probabilities,
        probabilities=probabilities,
        patients=np.unique(patients, return_inverse=True)[1].astype(np.int64),
    )
    measured = measure(ImageStatistics(outcomes, ranks=False), draws=method.draws, seed=method.seed)
    accuracy, balanced = measured.told("accuracy"), measured.told("balanced_accuracy")
    told: dict[str, Any] = {
        "accuracy": accuracy["value"],
        "interval": accuracy["interval"],
        "balanced_accuracy": balanced["value"],
        "balanced_interval": balanced["interval"],
    }
    for key, one in (("interval_reason", accuracy), ("balanced_interval_reason", balanced)):
        if "reason" in one:
            told[key] = one["reason"]
    return told


def verdict(told: Mapping[str, Any]) -> str:
    """Say in a sentence what the best shortcut without lungs means.

    Parameters
    ----------
    told : mapping
        As `audit` returns it; ``run``, where there, is what the run itself reaches, and
        ``centre_blanked`` what is left of it.

    Notes
    -----
    Counted is the way from guessing the commonest label to the run, or to 1 without one: from 0.7
    of it on the labels are largely readable, from 0.3 on partly.
    """
    best = max(_BLIND, key=lambda name: told[name]["accuracy"])
    reached, floor = told[best]["accuracy"], told["majority"]["accuracy"]
    low = (told[best]["interval"] or [reached])[0]
    start = f"a model that sees only {_BLIND[best]} reaches {reached:.2f}"
    run = told.get("run")
    if run is None:
        start += f", where the commonest label alone gives {floor:.2f}"
        top = 1.0
    elif run["accuracy"] > reached:
        start += f" of {run['accuracy']:.2f}"
        top = run["accuracy"]
    else:
        start += f", the run itself {run['accuracy']:.2f}"
        top = reached
    share = (reached - floor) / (top - floor) if top > floor else 0.0
    if low <= floor:
        meaning = (
            "no more than guessing, so nothing here says that they can be read from the source"
        )
    elif share >= _LARGELY:
        meaning = "these labels are largely readable from the source"
    elif share >= _PARTLY:
        meaning = "these labels are partly readable from the source"
    else:
        meaning = "little of these labels is readable from the source"
    return f"{start}: {meaning}"


def _candidates(seed: int) -> dict[str, Any]:
    """Return what is tried on every view; ties on validation go to the first."""
    found: dict[str, Any] = {
        f"logistic regression, C={strength:g}": make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=500)
        )
        for strength in (0.01, 0.1, 1.0)
    }
    found["random forest"] = RandomForestClassifier(100, random_state=seed, n_jobs=usable_cpus())
    return found


def _shortcut(
    view: npt.NDArray[np.float32],
    labels: npt.NDArray[Any],
    parts: _Parts,
    patients: npt.NDArray[Any],
    method: Method,
) -> dict[str, Any]:
    """Fit every candidate on train, choose one on val by balanced accuracy, judge it on test."""
    best, chosen, classifier = -1.0, "", None
    for name, candidate in _candidates(method.seed).items():
        # These are too small for threads of linear algebra, which would only wait for each other.
        with warnings.catch_warnings(), threadpool_limits(1):
            # Stopped early is good enough for a baseline, and is judged all the same.
            warnings.simplefilter("ignore", ConvergenceWarning)
            candidate.fit(view[parts.train], labels[parts.train])
        right = candidate.predict(view[parts.val]) == labels[parts.val]
        recalls = [
            right[labels[parts.val] == label].mean() for label in sorted(set(labels[parts.val]))
        ]
        if (score := float(np.mean(recalls))) > best:
            best, chosen, classifier = score, name, candidate
    assert classifier is not None
    said = classifier.predict(view[parts.test])
    told = accuracies(labels[parts.test], said, patients[parts.test], method)
    return {**told, "classifier": chosen}


def _majority(
    labels: npt.NDArray[Any], parts: _Parts, patients: npt.NDArray[Any], method: Method
) -> dict[str, Any]:
    commonest = _commonest(labels[parts.train])
    true = labels[parts.test]
    told = accuracies(true, [commonest] * len(true), patients[parts.test], method)
    return {**told, "classifier": f"always {commonest}"}


def _source(
    view: npt.NDArray[np.float32],
    sources: npt.NDArray[Any],
    stated: _Parts,
    patients: npt.NDArray[Any],
    method: Method,
) -> dict[str, Any]:
    told = _shortcut(view, sources, stated, patients, method)
    commonest = _commonest(sources[stated.train])
    return {
        **told,
        "sources": len(set(sources[stated.train])),
        "commonest": float((sources[stated.test] == commonest).mean()),
    }


def _label_from_source(
    labels: npt.NDArray[Any],
    sources: npt.NDArray[Any],
    stated: _Parts,
    patients: npt.NDArray[Any],
    method: Method,
) -> dict[str, Any]:
    of_source = {
        source: _commonest(labels[stated.train & (sources == source)])
        for source in set(sources[stated.train])
    }
    else_ = _commonest(labels[stated.train])
    said = [of_source.get(source, else_) for source in sources[stated.test]]
    told = accuracies(labels[stated.test], said, patients[stated.test], method)
    return {**told, "classifier": "commonest label of the source"}


def _why_no_sources(sources: npt.NDArray[Any], stated: _Parts) -> str:
    if len(set(sources[stated.train])) < 2:
        return "train does not state two sources"
    if not stated.val.any() or not stated.test.any():
        return "val or test states no source"
    return ""


def _unjudged(reason: str) -> dict[str, Any]:
    names = ("accuracy", "interval", "balanced_accuracy", "balanced_interval")
    return {**dict.fromkeys(names), "reason": reason}


def _commonest(names: npt.NDArray[Any]) -> str:
    """Return the commonest name, of equally common ones the first in the alphabet."""
    counts = Counter(str(name) for name in names)
    return min(counts, key=lambda name: (-counts[name], name))
