"""Several runs at once: compared where they were tested on the same images, pooled where on others.

Knows no framework.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_models.evaluation.bootstrap import difference, measure
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.evaluate import Method, settle, summary
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.paired_tests import delong, mcnemar
from cxr_models.records.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.bootstrap import Measured
    from cxr_models.evaluation.metrics import Outcomes
    from cxr_models.evaluation.predictions import Predictions

    Sets = Sequence[Predictions]


class Poolable(NamedTuple):
    """Sets of each run that can be pooled, and what of its test they are; empty for all of it."""

    sets: Mapping[str, Sets]
    of: str


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
        tested twice, as with folds and left-out sources. Where left-out sources were tested beside
        others, which several runs share, only those left out are pooled, and ``pooled`` says so as
        ``of``.

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
    taken = poolable(runs, _paths)
    if taken is None:
        raise ValueError(
            "`RUN` must name runs tested on the same images, to be compared, or on different ones, "
            "to be pooled; got test sets that overlap in part."
        )
    told = pool(taken.sets, method)
    return {"pooled": {"of": taken.of, **told} if taken.of else told}


def differing(settings: Mapping[str, RunConfig]) -> dict[str, dict[str, Any]]:
    """Return the settings in which runs differ, and the value of each run.

    Parameters
    ----------
    settings : mapping of str to RunConfig
        Of each run. Where a cache lies is passed over: it changes no number.
    """
    told = {run: dict(_flat(config.to_dict())) for run, config in settings.items()}
    names = dict.fromkeys(name for one in told.values() for name in one)
    found = {name: {run: one.get(name) for run, one in told.items()} for name in names}
    return {
        name: values
        for name, values in found.items()
        if name != "data.cache_dir" and len({json.dumps(value) for value in values.values()}) > 1
    }


def _flat(settings: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


def poolable(
    runs: Mapping[str, Sets], images: Callable[[Predictions], Iterable[Hashable]]
) -> Poolable | None:
    """Choose what of several runs to pool: all test images or those of sources left out.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions
        The sets of each run, ``val`` and ``test`` among them.
    images : callable
        Gives what tells the images of a set apart: where they lie or, of runs whose images may lie
        elsewhere, their names.

    Returns
    -------
    Poolable or None
        None where two runs tested an image either way.
    """
    if _disjoint(runs, images):
        return Poolable(runs, "")
    left_out = {name: of_unknown_sources(sets) for name, sets in runs.items()}
    if all(left_out.values()) and _disjoint(left_out, images):
        return Poolable(left_out, "images of sources left out of training")
    return None


def of_unknown_sources(sets: Sets) -> list[Predictions]:
    """Return ``val`` and, of ``test``, the images of sources that train and val do not hold.

    Parameters
    ----------
    sets : sequence of Predictions
        Of a run; ``train``, ``val`` and ``test`` among them.

    Returns
    -------
    list of Predictions
        Empty where there is no such image, or sources are not stated throughout.
    """
    known = {r.source for one in sets if one.kind in ("train", "val") for r in one.manifest.records}
    test = _only(sets, "test")
    sources = [record.source for record in test.manifest.records]
    chosen = [place for place, source in enumerate(sources) if source not in known]
    if not chosen or "" in known or "" in sources or not any(s.kind == "train" for s in sets):
        return []
    records = tuple(test.manifest.records[place] for place in chosen)
    part = dataclasses.replace(
        test,
        manifest=dataclasses.replace(test.manifest, records=records),
        logits=test.logits[chosen],
        probabilities=test.probabilities[chosen],
    )
    return [_only(sets, "val"), part]


def _disjoint(
    runs: Mapping[str, Sets], images: Callable[[Predictions], Iterable[Hashable]]
) -> bool:
    tested = [one for sets in runs.values() for one in set(images(_only(sets, "test")))]
    return len(set(tested)) == len(tested)


def pool(runs: Mapping[str, Sets], method: Method) -> dict[str, Any]:
    """Judge the test images of all runs as one set, each by the run that was tested on it.

    Returns
    -------
    dict
        As a set of `cxr_models.evaluation.evaluate.judge_set`, without curves and tables,
        and ``runs`` with the accuracy of each. Logits are divided by the temperature of their
        run, so that probabilities of different runs can be ranked together. Operating points
        differ from run to run and are left out.
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
    judged = {
        run: {s.name: s for s in sets if s.kind in ("test", "external")}
        for run, sets in runs.items()
    }
    temperatures = {
        run: settle(_only(sets, "val"), method.rule).temperature.value for run, sets in runs.items()
    }
    compared = []
    for name in dict.fromkeys(name for sets in judged.values() for name in sets):
        found = {run: sets[name] for run, sets in judged.items() if name in sets}
        pairs = list(itertools.combinations(found, 2))
        told_pairs = compare_pairs(found, pairs, method, temperatures=temperatures)
        compared += [{**told, "set": name} for told in told_pairs]
    places = {pair: place for place, pair in enumerate(itertools.combinations(runs, 2))}
    return sorted(compared, key=lambda told: places[told["first"], told["second"]])


def compare_pairs(
    sets: Mapping[str, Predictions],
    pairs: Sequence[tuple[str, str]],
    method: Method,
    *,
    temperatures: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Compare what several runs said of the same images, pair by pair.

    Parameters
    ----------
    sets : mapping of str to Predictions
        Of each run, of the same images in whatever order, with the same classes and labels.
    pairs : sequence of (str, str)
        Runs to compare; patients are drawn once for each run that is named, not for each pair.
    method : Method
        How intervals are made.
    temperatures : mapping of str to float, optional
        That calibrate the logits of each run; 1 where not told. Images are ranked by calibrated
        probabilities, as in the evaluation of each run.

    Returns
    -------
    list of dict
        For each pair ``first`` and ``second``; ``mcnemar``; ``accuracy`` and
        ``balanced_accuracy``, differences with intervals from the bootstrap over patients;
        ``roc_auc``, for each class DeLong's test and such an interval. Differences are the first
        less the second.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    aligned: dict[str, Outcomes] = {}
    measured: dict[str, Measured] = {}
    for name in dict.fromkeys(itertools.chain.from_iterable(pairs)):
        temperature = (temperatures or {}).get(name, 1.0)
        aligned[name] = _in_order_of(sets[pairs[0][0]], sets[name], temperature)
        statistics = ImageStatistics(aligned[name])
        measured[name] = measure(statistics, draws=method.draws, seed=method.seed)
    compared = []
    for one, other in pairs:
        first, second = aligned[one], aligned[other]
        taken = measured[one], measured[other]
        compared.append(
            {
                "first": one,
                "second": other,
                "images": len(first.targets),
                "mcnemar": mcnemar(_right(first), _right(second), first.patients),
                "accuracy": difference(*taken, "accuracy"),
                "balanced_accuracy": difference(*taken, "balanced_accuracy"),
                "roc_auc": {
                    name: {
                        **delong(
                            first.targets == k,
                            first.calibrated[:, k],
                            second.calibrated[:, k],
                            first.patients,
                        ),
                        **_interval_of(difference(*taken, f"roc_auc/{name}")),
                    }
                    for k, name in enumerate(first.class_names)
                },
            }
        )
    return compared


def _in_order_of(base: Predictions, other: Predictions, temperature: float) -> Outcomes:
    """Return the outcomes of `other` for the images, patients and order of `base`."""
    places = {path: place for place, path in enumerate(_paths(other))}
    order = [places.get(path, -1) for path in _paths(base)]
    same = len(places) == len(order) and -1 not in order
    labels = [record.label for record in base.manifest.records]
    if not same or labels != [other.manifest.records[place].label for place in order]:
        raise ValueError(
            f"`{base.name}` must hold the same images and labels in both runs; got others."
        )
    return dataclasses.replace(
        base.outcomes(temperature=temperature),
        logits=other.logits[order],
        probabilities=other.probabilities[order],
    )


def _interval_of(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("interval", "remark") if name in told}


def _right(outcomes: Outcomes) -> Any:
    return outcomes.said == outcomes.targets


def _only(sets: Sets, name: str) -> Predictions:
    found = next((one for one in sets if one.kind == name), None)
    if found is None:
        raise ValueError(f"`RUN` must have predictions of {name}; got none.")
    return found


def _paths(predictions: Predictions) -> list[str]:
    return [os.path.realpath(path) for path in predictions.manifest.paths()]
