"""Several runs at once: compared where they were tested on the same images, pooled where on others.

Knows no framework.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_models.bootstrap import difference, measure
from cxr_models.calibration import softmax
from cxr_models.comparisons import delong, mcnemar
from cxr_models.judging import Method, settle, summary
from cxr_models.manifest import Manifest
from cxr_models.metrics import ImageStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxr_models.metrics import Outcomes
    from cxr_models.predictions import Predictions

    Sets = Sequence[Predictions]


def together(runs: Mapping[str, Sets], method: Method) -> dict[str, Any]:
    """Compare runs, or pool them, as their test sets ask for.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions
        Two runs at least; the sets of each, ``val`` and ``test`` among them.
    method : Method
        How intervals are made.

    Returns
    -------
    dict
        ``comparisons``, where all were tested on the same images; ``pooled``, where no image was
        tested twice, as with folds and left-out sources.

    Raises
    ------
    ValueError
        If the runs tell other classes apart, or their test sets are neither equal nor disjoint.
    """
    classes = {one.class_names for sets in runs.values() for one in sets}
    if len(classes) > 1:
        raise ValueError(
            "`RUN` must name runs that tell the same classes apart; got "
            f"{' and '.join(', '.join(names) for names in sorted(classes))}."
        )
    tested = [frozenset(_paths(_only(sets, "test"))) for sets in runs.values()]
    if all(files == tested[0] for files in tested):
        return {"comparisons": _compare(runs, method)}
    if sum(map(len, tested)) == len(frozenset().union(*tested)):
        return {"pooled": pool(runs, method)}
    raise ValueError(
        "`RUN` must name runs tested on the same images, to be compared, or on different ones, to "
        "be pooled; got test sets that overlap in part."
    )


def pool(runs: Mapping[str, Sets], method: Method) -> dict[str, Any]:
    """Judge the test images of all runs as one set, each by the run that was tested on it.

    Returns
    -------
    dict
        As a set of `cxr_models.judging.judge_set`, without curves and tables, and ``runs`` with the
        accuracy of each. Logits are divided by the temperature of their run, so that
        probabilities of different runs can be ranked together. Operating points differ from run to
        run and are left out.
    """
    parts, calibrated = [], []
    told: dict[str, Any] = {}
    for name, sets in runs.items():
        settled = settle(_only(sets, "val"), method.rule)
        test = _only(sets, "test")
        outcomes = test.outcomes(temperature=settled.temperature.value)
        own = summary(test, outcomes, method)
        told[name] = {"images": own["images"], "patients": own["patients"], **own["overall"]}
        parts.append(test)
        calibrated.append(test.logits / settled.temperature.value)
    records = tuple(
        dataclasses.replace(record, file=path)
        for test in parts
        for record, path in zip(test.manifest.records, _paths(test), strict=True)
    )
    joined = np.concatenate(calibrated)
    whole = dataclasses.replace(
        parts[0],
        name="pooled",
        manifest=Manifest(records=records, root=parts[0].manifest.root),
        logits=joined,
        probabilities=softmax(joined),
    )
    judged = summary(whole, whole.outcomes(), method)
    for name in ("ece_calibrated", "log_loss_calibrated"):  # calibrated already
        del judged["overall"][name]
    for one in judged["classes"].values():
        del one["operating_point"]
    return {**judged, "runs": told}


def _compare(runs: Mapping[str, Sets], method: Method) -> list[dict[str, Any]]:
    compared = []
    for one, other in itertools.combinations(runs, 2):
        names = [s.name for s in runs[one] if s.kind in ("test", "external")]
        for name in names:
            pair = [next((s for s in runs[run] if s.name == name), None) for run in (one, other)]
            if pair[0] is not None and pair[1] is not None:
                told = compare(pair[0], pair[1], method)
                compared.append({"first": one, "second": other, "set": name, **told})
    return compared


def compare(one: Predictions, other: Predictions, method: Method) -> dict[str, Any]:
    """Compare what two runs said of the same images.

    Parameters
    ----------
    one, other : Predictions
        Of the same images in whatever order, with the same classes and labels.
    method : Method
        How intervals are made.

    Returns
    -------
    dict
        ``mcnemar``; ``accuracy`` and ``balanced_accuracy``, differences with intervals from the
        bootstrap over patients; ``roc_auc``, for each class DeLong's test and such an interval.
        Differences are the first less the second.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    places = {path: place for place, path in enumerate(_paths(other))}
    order = [places.get(path, -1) for path in _paths(one)]
    same = len(places) == len(order) and -1 not in order
    labels = [record.label for record in one.manifest.records]
    if not same or labels != [other.manifest.records[place].label for place in order]:
        raise ValueError(
            f"`{one.name}` must hold the same images and labels in both runs; got others."
        )
    first = one.outcomes()
    second = dataclasses.replace(
        first, logits=other.logits[order], probabilities=other.probabilities[order]
    )
    of_one, of_other = (
        measure(ImageStatistics(outcomes), draws=method.draws, seed=method.seed)
        for outcomes in (first, second)
    )
    return {
        "images": len(order),
        "mcnemar": mcnemar(_right(first), _right(second)),
        "accuracy": difference(of_one, of_other, "accuracy"),
        "balanced_accuracy": difference(of_one, of_other, "balanced_accuracy"),
        "roc_auc": {
            name: {
                **delong(first.targets == k, first.probabilities[:, k], second.probabilities[:, k]),
                "interval": difference(of_one, of_other, f"roc_auc/{name}")["interval"],
            }
            for k, name in enumerate(first.class_names)
        },
    }


def _right(outcomes: Outcomes) -> Any:
    return outcomes.said == outcomes.targets


def _only(sets: Sets, name: str) -> Predictions:
    found = next((one for one in sets if one.kind == name), None)
    if found is None:
        raise ValueError(f"`RUN` must have predictions of {name}; got none.")
    return found


def _paths(predictions: Predictions) -> list[str]:
    return [os.path.realpath(path) for path in predictions.manifest.paths()]
