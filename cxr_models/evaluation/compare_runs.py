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

from cxr_models._typed_json import converted
from cxr_models.evaluation.bootstrap import difference, measure
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.comparisons import (
    AreaDifference,
    ComparedOrPooled,
    Comparison,
    Pooled,
    PooledRun,
)
from cxr_models.evaluation.evaluate import Method, evaluate_images, settle
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.paired_tests import delong, mcnemar
from cxr_models.evaluation.results import ClassValues, Overall
from cxr_models.records.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.metrics import Outcomes
    from cxr_models.evaluation.predictions import Predictions

    Sets = Sequence[Predictions]


class Poolable(NamedTuple):
    """Sets of each run that can be pooled; `of` says which test images they hold, empty for all."""

    sets: Mapping[str, Sets]
    of: str


def compare_or_pool(runs: Mapping[str, Sets], method: Method) -> ComparedOrPooled:
    """Compare runs that were tested on the same images; pool runs tested on different images.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions
        Two runs at least; the sets of each, ``val`` and ``test`` among them.
    method : Method
        How intervals are made.

    Returns
    -------
    ComparedOrPooled
        Comparisons, where all were tested on the same images; pooled values, where no image was
        tested twice, as with folds and left-out sources. Where left-out sources were tested beside
        others, which several runs share, only those left out are pooled.

    Raises
    ------
    ValueError
        If the runs tell other classes apart, or their test sets are neither equal nor disjoint.
    """
    classes = {predictions.class_names for sets in runs.values() for predictions in sets}
    if len(classes) > 1:
        raise ValueError(
            "`RUN` must name runs that tell the same classes apart; got "
            f"{' and '.join(', '.join(names) for names in sorted(classes))}."
        )
    tested = [frozenset(_paths(_only(sets, "test"))) for sets in runs.values()]
    if all(files == tested[0] for files in tested):
        return ComparedOrPooled(comparisons=_compare(runs, method))
    poolable = find_poolable(runs, _paths)
    if poolable is None:
        raise ValueError(
            "`RUN` must name runs tested on the same images, to be compared, or on different ones, "
            "to be pooled; got test sets that overlap in part."
        )
    return ComparedOrPooled(pooled=pool(poolable, method))


def differing(settings: Mapping[str, RunConfig]) -> dict[str, dict[str, object]]:
    """Return the settings in which runs differ, and the value of each run.

    Parameters
    ----------
    settings : mapping of str to RunConfig
        Of each run. The place of a cache is passed over: it changes no number.
    """
    flat = {run: dict(_flat(config.to_dict())) for run, config in settings.items()}
    names = dict.fromkeys(name for of_run in flat.values() for name in of_run)
    by_name = {name: {run: of_run.get(name) for run, of_run in flat.items()} for name in names}
    return {
        name: values
        for name, values in by_name.items()
        if name != "data.cache_dir" and len({json.dumps(value) for value in values.values()}) > 1
    }


def _flat(settings: Mapping[str, object], start: str = "") -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


def find_poolable(
    runs: Mapping[str, Sets], images: Callable[[Predictions], Iterable[Hashable]]
) -> Poolable | None:
    """Choose the images of several runs to pool: all test images or those of left-out sources.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions
        The sets of each run, ``val`` and ``test`` among them.
    images : callable
        Returns what identifies the images of a set: their paths or, for runs whose images may have
        been moved, their names.

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
    known = {
        record.source
        for predictions in sets
        if predictions.kind in ("train", "val")
        for record in predictions.manifest.records
    }
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
    tested = [image for sets in runs.values() for image in set(images(_only(sets, "test")))]
    return len(set(tested)) == len(tested)


def pool(poolable: Poolable, method: Method) -> Pooled:
    """Evaluate the test images of all runs as one set, each by the run that was tested on it.

    Notes
    -----
    Logits are divided by the temperature of their run, so that probabilities of different runs can
    be ranked together; values after temperature scaling would be the same. Operating points differ
    from run to run and are left out.
    """
    parts, scaled_logits = [], []
    runs: dict[str, PooledRun] = {}
    for name, sets in poolable.sets.items():
        temperature = settle(_only(sets, "val"), method.rule).temperature.value
        test = _only(sets, "test")
        own = evaluate_images(test, test.outcomes(temperature=temperature), method)
        runs[name] = converted(PooledRun, own.overall, images=own.images, patients=own.patients)
        parts.append(test)
        scaled_logits.append(test.logits / temperature)
    records = tuple(
        dataclasses.replace(record, file=path)
        for test in parts
        for record, path in zip(test.manifest.records, _paths(test), strict=True)
    )
    logits = np.concatenate(scaled_logits)
    joined = dataclasses.replace(
        parts[0],
        name="pooled",
        manifest=Manifest(records=records, root=parts[0].manifest.root),
        logits=logits,
        probabilities=softmax(logits),
    )
    group = evaluate_images(joined, joined.outcomes(), method)
    return converted(
        Pooled,
        group,
        of=poolable.of,
        overall=converted(Overall, group.overall),
        classes={name: converted(ClassValues, values) for name, values in group.classes.items()},
        runs=runs,
    )


def _compare(runs: Mapping[str, Sets], method: Method) -> tuple[Comparison, ...]:
    tested = {
        run: {s.name: s for s in sets if s.kind in ("test", "external")}
        for run, sets in runs.items()
    }
    temperatures = {
        run: settle(_only(sets, "val"), method.rule).temperature.value for run, sets in runs.items()
    }
    compared = []
    for name in dict.fromkeys(name for sets in tested.values() for name in sets):
        of_run = {run: sets[name] for run, sets in tested.items() if name in sets}
        pairs = list(itertools.combinations(of_run, 2))
        comparisons = compare_pairs(of_run, pairs, method, temperatures=temperatures)
        compared += [dataclasses.replace(comparison, set=name) for comparison in comparisons]
    places = {pair: place for place, pair in enumerate(itertools.combinations(runs, 2))}
    return tuple(sorted(compared, key=lambda pair: places[pair.first, pair.second]))


def compare_pairs(
    sets: Mapping[str, Predictions],
    pairs: Sequence[tuple[str, str]],
    method: Method,
    *,
    temperatures: Mapping[str, float] | None = None,
) -> list[Comparison]:
    """Compare the predictions of several runs on the same images, pair by pair.

    Parameters
    ----------
    sets : mapping of str to Predictions
        Of each run, of the same images in whatever order, with the same classes and labels.
    pairs : sequence of (str, str)
        Runs to compare; patients are drawn once for each run that is named, not for each pair.
    method : Method
        How intervals are made.
    temperatures : mapping of str to float, optional
        That calibrate the logits of each run; 1 where not given. Images are ranked by calibrated
        probabilities, as in the evaluation of each run.

    Returns
    -------
    list of Comparison
        One for each pair, without the name of the set.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    aligned: dict[str, Outcomes] = {}
    measurements: dict[str, Measurement] = {}
    for name in dict.fromkeys(itertools.chain.from_iterable(pairs)):
        temperature = (temperatures or {}).get(name, 1.0)
        aligned[name] = _in_order_of(sets[pairs[0][0]], sets[name], temperature)
        statistics = ImageStatistics(aligned[name])
        measurements[name] = measure(statistics, draws=method.draws, seed=method.seed)
    compared = []
    for pair in pairs:
        first, second = (aligned[name] for name in pair)
        both = measurements[pair[0]], measurements[pair[1]]
        areas = {}
        for k, name in enumerate(first.class_names):
            scores = first.calibrated[:, k], second.calibrated[:, k]
            test = delong(first.targets == k, *scores, first.patients)
            drawn = difference(*both, f"roc_auc/{name}")
            areas[name] = converted(
                AreaDifference, test, interval=drawn.interval, remark=drawn.remark
            )
        compared.append(
            Comparison(
                first=pair[0],
                second=pair[1],
                images=len(first.targets),
                mcnemar=mcnemar(_right(first), _right(second), first.patients),
                accuracy=difference(*both, "accuracy"),
                balanced_accuracy=difference(*both, "balanced_accuracy"),
                roc_auc=areas,
            )
        )
    return compared


def _in_order_of(base: Predictions, predictions: Predictions, temperature: float) -> Outcomes:
    """Return the outcomes of `predictions` for the images, patients and order of `base`."""
    places = {path: place for place, path in enumerate(_paths(predictions))}
    order = [places.get(path, -1) for path in _paths(base)]
    same = len(places) == len(order) and -1 not in order
    labels = [record.label for record in base.manifest.records]
    if not same or labels != [predictions.manifest.records[place].label for place in order]:
        raise ValueError(
            f"`{base.name}` must hold the same images and labels in both runs; got others."
        )
    return dataclasses.replace(
        base.outcomes(temperature=temperature),
        logits=predictions.logits[order],
        probabilities=predictions.probabilities[order],
    )


def _right(outcomes: Outcomes) -> Any:
    return outcomes.predicted == outcomes.targets


def _only(sets: Sets, name: str) -> Predictions:
    predictions = next((predictions for predictions in sets if predictions.kind == name), None)
    if predictions is None:
        raise ValueError(f"`RUN` must have predictions of {name}; got none.")
    return predictions


def _paths(predictions: Predictions) -> list[str]:
    return [os.path.realpath(path) for path in predictions.manifest.paths()]
