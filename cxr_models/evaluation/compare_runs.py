"""Comparison of runs on the same test images, or pooling of runs with different test images.

This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from cxr_models._settings import by_full_name
from cxr_models._typed_json import converted
from cxr_models.evaluation.aggregate import aggregated_sets
from cxr_models.evaluation.bootstrap import difference, measure
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.comparable_sets import (
    at_root,
    comparable_sets,
    in_order_of_runs,
    rows_in_order_of,
)
from cxr_models.evaluation.comparisons import (
    AreaDifference,
    ComparedOrPooled,
    Comparison,
    Pooled,
    PooledRun,
)
from cxr_models.evaluation.evaluate import Method, choose_on_val, evaluate_images
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.paired_tests import delong, holm, mcnemar
from cxr_models.evaluation.results import ClassValues, Overall
from cxr_models.evaluation.shared_patients import (
    partial_overlap_error,
    paths_of,
    pooled_records,
)
from cxr_models.records.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.metrics import Outcomes
    from cxr_models.evaluation.predictions import Predictions

    P = TypeVar("P", bound=AnyPredictions)
    Sets = Sequence[Predictions]


class Poolable(NamedTuple):
    """The sets of several runs whose test images can be pooled."""

    sets: Mapping[str, Sets]  # the sets of each run
    of: str  # description of the pooled images; empty if all test images are pooled


def compare_or_pool(runs: Mapping[str, Sets], method: Method) -> ComparedOrPooled:
    """Compare runs that were tested on the same images; pool runs tested on different images.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions
        The sets of at least two runs, including ``val`` and ``test`` of each run. Only third-party
        models may lack ``val``.
    method : Method
        The settings of the evaluation.

    Returns
    -------
    ComparedOrPooled
        Comparisons if all runs have the same test images. Pooled values if the test sets share no
        image, as with folds and left-out sources. If the test sets share only images of sources
        that training used, the images of left-out sources are pooled. Classes are in the order of
        the first run. Sets from other sources are compared between runs that have the same images
        and labels; `left_out` names all others.

    Raises
    ------
    ValueError
        If the runs have different classes, their test sets are neither equal nor disjoint, the
        labels of the same test images differ, or a run lacks ``val`` or ``test``.

    Notes
    -----
    The folders of a third-party model's images are unknown. If one of the runs is such a model,
    images with equal names count as the same image.
    """
    runs = {name: aggregated_sets(sets, method.aggregate) for name, sets in runs.items()}
    order = next(iter(runs.values()))[0].class_names
    runs = {name: [one.in_order(order) for one in sets] for name, sets in runs.items()}
    classes = {predictions.class_names for sets in runs.values() for predictions in sets}
    if len(classes) > 1:
        raise ValueError(
            "`RUN` must name runs with the same classes; got "
            f"{' and '.join(', '.join(names) for names in sorted(classes))}."
        )
    if any(predictions.origin.is_foreign for sets in runs.values() for predictions in sets):
        runs = {name: [at_root(one, Path()) for one in sets] for name, sets in runs.items()}
    if have_equal_tests(runs):
        return _compare(runs, method)
    poolable = find_poolable(runs, _paths)
    if poolable is None:
        raise partial_overlap_error(tested_images(runs), method.aggregate)
    return ComparedOrPooled(pooled=pool(poolable, method))


def have_equal_tests(runs: Mapping[str, Sequence[P]]) -> bool:
    """Return whether all runs were tested on the same images."""
    tested = tested_images(runs)
    return all(files == tested[0] for files in tested)


def tested_images(runs: Mapping[str, Sequence[P]]) -> list[frozenset[str]]:
    """Return the real paths of the test images of each run."""
    return [frozenset(paths_of(set_of_kind(sets, "test").manifest)) for sets in runs.values()]


def differing(settings: Mapping[str, RunConfig]) -> dict[str, dict[str, object]]:
    """Return the settings in which runs differ, with the value of each run.

    Parameters
    ----------
    settings : mapping of str to RunConfig
        The settings of each run. ``data.cache_dir`` is ignored, because it does not change
        predictions.

    Returns
    -------
    dict of str to dict
        For each differing setting, such as ``training.seed``, the value of each run; None if a run
        lacks the setting.
    """
    flat = {run: dict(by_full_name(config.to_dict())) for run, config in settings.items()}
    names = dict.fromkeys(name for run_settings in flat.values() for name in run_settings)
    by_name = {name: {run: flat[run].get(name) for run in flat} for name in names}
    return {
        name: values
        for name, values in by_name.items()
        if name != "data.cache_dir" and len({json.dumps(value) for value in values.values()}) > 1
    }


def find_poolable(
    runs: Mapping[str, Sets], images: Callable[[Predictions], Iterable[Hashable]]
) -> Poolable | None:
    """Choose the images of several runs to pool: all test images or images of left-out sources.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions
        The sets of each run, including ``val`` and ``test``.
    images : callable
        Function that returns an identifier of each image of a set. The identifier is the path of
        the image or, for runs whose images may have been moved, its name.

    Returns
    -------
    Poolable or None
        All test images if no image is in two test sets. Otherwise the test images of left-out
        sources, if every run has such images and none of them is in two test sets. Otherwise None.
    """
    if _disjoint(runs, images):
        return Poolable(runs, "")
    left_out = {name: of_unknown_sources(sets) for name, sets in runs.items()}
    if all(left_out.values()) and _disjoint(left_out, images):
        return Poolable(left_out, "images of sources left out of training")
    return None


def of_unknown_sources(sets: Sets) -> list[Predictions]:
    """Return ``train``, ``val``, and ``test`` reduced to images of sources that are in neither.

    Parameters
    ----------
    sets : sequence of Predictions
        The sets of a run, including ``train``, ``val`` and ``test``.

    Returns
    -------
    list of Predictions
        Empty if ``test`` has no such image, a record of the three sets has no source, or there is
        no set ``train``.
    """
    known = {
        record.source
        for predictions in sets
        if predictions.kind in ("train", "val")
        for record in predictions.manifest.records
    }
    test = set_of_kind(sets, "test")
    sources = [record.source for record in test.manifest.records]
    chosen = [row for row, source in enumerate(sources) if source not in known]
    if not chosen or "" in known or "" in sources or not any(s.kind == "train" for s in sets):
        return []
    records = tuple(test.manifest.records[row] for row in chosen)
    reduced = dataclasses.replace(
        test,
        manifest=dataclasses.replace(test.manifest, records=records),
        logits=test.logits[chosen],
        probabilities=test.probabilities[chosen],
    )
    return [*(one for one in sets if one.kind in ("train", "val")), reduced]


def _disjoint(
    runs: Mapping[str, Sets], images: Callable[[Predictions], Iterable[Hashable]]
) -> bool:
    tested = [image for sets in runs.values() for image in set(images(set_of_kind(sets, "test")))]
    return len(set(tested)) == len(tested)


def pool(poolable: Poolable, method: Method) -> Pooled:
    """Evaluate the test images of all runs as one set; each run predicts its own test images.

    Parameters
    ----------
    poolable : Poolable
        The sets of each run; no image is in two test sets.
    method : Method
        The settings of the evaluation.

    Notes
    -----
    The logits are divided by the temperature of their run, so that the probabilities of different
    runs can be ranked together. The values before and after temperature scaling would therefore be
    equal, so the record has them only once. Operating points differ from run to run and are left
    out.
    """
    tests: dict[str, Predictions] = {}
    outcomes: dict[str, Outcomes] = {}
    runs: dict[str, PooledRun] = {}
    for name, sets in poolable.sets.items():
        test = set_of_kind(sets, "test")
        outcomes[name] = test.outcomes(temperature=_temperature(sets, method))
        values = evaluate_images(test, outcomes[name], method)
        runs[name] = converted(
            PooledRun, values.overall, images=values.images, patients=values.patients
        )
        tests[name] = test
    first = next(iter(tests.values()))
    logits = np.concatenate([of.logits / of.temperature for of in outcomes.values()])
    are_logits = any(of.logits_given or of.temperature != 1.0 for of in outcomes.values())
    joined = dataclasses.replace(
        first,
        name="pooled",
        manifest=Manifest(records=pooled_records(poolable.sets, tests), root=first.manifest.root),
        # runs of one class against all other labels may know different other labels
        labels=tuple(dict.fromkeys(label for test in tests.values() for label in test.labels)),
        logits=logits,
        probabilities=softmax(logits)
        if are_logits
        else np.concatenate([of.probabilities for of in outcomes.values()]),
        logits_given=are_logits,
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


def _compare(runs: Mapping[str, Sets], method: Method) -> ComparedOrPooled:
    temperatures = {run: _temperature(sets, method) for run, sets in runs.items()}
    comparable = comparable_sets(runs)
    compared = []
    for name, sets in comparable.groups:
        pairs = list(itertools.combinations(sets, 2))
        comparisons = compare_pairs(sets, pairs, method, temperatures=temperatures)
        compared += [dataclasses.replace(comparison, set=name) for comparison in comparisons]
    return ComparedOrPooled(
        comparisons=in_order_of_runs(compared, runs), left_out=comparable.left_out
    )


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
        One set of each run, by run. All sets have the same images in any order, with the same
        classes and labels.
    pairs : sequence of (str, str)
        The pairs of runs to compare. The bootstrap is computed once for each run, not once for
        each pair.
    method : Method
        The settings of the evaluation.
    temperatures : mapping of str to float, optional
        The temperature that calibrates the logits of each run; a missing temperature is 1. Images
        are ranked by calibrated probabilities, as in the evaluation of each run.

    Returns
    -------
    list of Comparison
        One comparison for each pair; its field `set` is empty.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    aligned: dict[str, Outcomes] = {}
    measurements: dict[str, Measurement] = {}
    for name in dict.fromkeys(itertools.chain.from_iterable(pairs)):
        temperature = (temperatures or {}).get(name, 1.0)
        base = pairs[0][0]
        aligned[name] = outcomes_in_order_of(
            sets[base], sets[name], temperature, runs=f"{base} and {name}"
        )
        statistics = ImageStatistics(aligned[name])
        measurements[name] = measure(statistics, draws=method.draws, seed=method.seed)
    compared = []
    for pair in pairs:
        first, second = (aligned[name] for name in pair)
        pair_measurements = measurements[pair[0]], measurements[pair[1]]
        areas = {}
        for k, name in enumerate(first.class_names):
            scores = first.scores_of(k), second.scores_of(k)
            test = delong(first.targets == k, *scores, first.patients)
            measured = difference(*pair_measurements, f"roc_auc/{name}")
            areas[name] = converted(
                AreaDifference, test, interval=measured.interval, remark=measured.remark
            )
        compared.append(
            Comparison(
                first=pair[0],
                second=pair[1],
                images=len(first.targets),
                mcnemar=mcnemar(_correct(first), _correct(second), first.patients),
                accuracy=difference(*pair_measurements, "accuracy"),
                balanced_accuracy=difference(*pair_measurements, "balanced_accuracy"),
                roc_auc=areas,
            )
        )
    return _adjusted(compared) if compared else []


def _adjusted(compared: Sequence[Comparison]) -> list[Comparison]:
    """Add p-values that Holm's method adjusts for all tests of the same kind on the set."""
    classes = list(compared[0].roc_auc)
    tested = classes[1:] if len(classes) == 2 else classes  # two classes have the same test
    correct = holm([pair.mcnemar.p_value for pair in compared])
    areas = iter(holm([pair.roc_auc[name].p_value for pair in compared for name in tested]))
    adjusted = []
    for pair, p_correct in zip(compared, correct, strict=True):
        p_areas = {name: next(areas) for name in tested}
        if len(compared) > 1:
            mcnemar_test = dataclasses.replace(pair.mcnemar, p_holm=p_correct)
            pair = dataclasses.replace(pair, mcnemar=mcnemar_test)
        if len(compared) * len(tested) > 1:
            last = p_areas[tested[-1]]
            roc_auc = {
                name: dataclasses.replace(area, p_holm=p_areas.get(name, last))
                for name, area in pair.roc_auc.items()
            }
            pair = dataclasses.replace(pair, roc_auc=roc_auc)
        adjusted.append(pair)
    return adjusted


def outcomes_in_order_of(
    base: Predictions, predictions: Predictions, temperature: float, *, runs: str
) -> Outcomes:
    """Return the outcomes of `predictions`, with the patients and the orders of `base`.

    Parameters
    ----------
    base, predictions : Predictions
        Two predictions of the same images and classes in any order, with the same labels.
    temperature : float
        Temperature that calibrates the logits.
    runs : str
        The names of the two runs, for the error message.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    predictions = predictions.in_order(base.class_names)
    order = rows_in_order_of(base, predictions, runs)
    return dataclasses.replace(
        base.outcomes(temperature=temperature),
        logits=predictions.logits[order],
        probabilities=predictions.probabilities[order],
        logits_given=predictions.logits_given,
    )


def _correct(outcomes: Outcomes) -> Any:
    return outcomes.predicted == outcomes.targets


def _temperature(sets: Sets, method: Method) -> float:
    """Return the temperature fitted on ``val``; 1 for a third-party model without ``val``."""
    if not sets[0].origin.is_foreign:
        set_of_kind(sets, "val")  # raises an error about the run
    return choose_on_val(sets, method.rule).temperature.value


def set_of_kind(sets: Sequence[P], kind: str) -> P:
    """Return the first set of a kind, such as "test".

    Raises
    ------
    ValueError
        If there is none.
    """
    predictions = next((predictions for predictions in sets if predictions.kind == kind), None)
    if predictions is None:
        raise ValueError(f"`RUN` must have predictions of {kind}; got none.")
    return predictions


def _paths(predictions: Predictions) -> list[str]:
    return paths_of(predictions.manifest)
