"""Grouping of the runs of a page by test images, by settings and by folds."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cxr_models.config import with_named_weights
from cxr_models.evaluation.compare_runs import Poolable, find_poolable
from cxr_models.evaluation.evaluate import Method
from cxr_models.report.formatting import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.report.read.finding_results import AnyResults
    from cxr_models.report.read.results import Results

    Runs = Sequence[Results]

R = TypeVar("R")


class Pool(NamedTuple):
    """Runs with equal settings on folds or left-out sources, and the sets that can be pooled.

    `poolable` is None if the sets of the runs cannot be pooled.
    """

    runs: tuple[Results, ...]
    poolable: Poolable | None


def grouped(runs: Sequence[R], key: Callable[[R], Hashable]) -> list[list[R]]:
    """Return the groups of runs with equal keys, in the order of their first runs."""
    groups: dict[Hashable, list[R]] = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return list(groups.values())


def method_of(runs: Sequence[AnyResults]) -> Method:
    """Return a method with the bootstrap draws and the seed of the first run's evaluation."""
    bootstrap = runs[0].evaluation.bootstrap
    return Method(draws=bootstrap.draws, seed=bootstrap.seed)


def test_images_key(run: Results) -> tuple[Hashable, ...] | None:
    """Return a key of the classes and test images of a run; runs with equal keys are compared.

    The key is None for a run without a test set, or if its test set contains a file twice.
    """
    images = None if run.test is None else images_key(run.sets["test"])
    return None if images is None else (frozenset(run.class_names), images)


def images_key(predictions: Predictions) -> Hashable:
    """Return a key of the files and labels of a set; None if a file occurs twice.

    The key does not depend on the folder of the files. It does not depend on patient ids either,
    because a third-party table may lack some; the comparison takes patients from all compared
    tables.
    """
    images = [(r.file, r.label) for r in predictions.manifest.records]
    return frozenset(images) if len({file for file, *_ in images}) == len(images) else None


def named_settings(run: AnyResults) -> RunConfig | None:
    """Return the settings of a run with the name and hash of its weights file, without its path.

    The settings of a third-party model are unknown, so that None is returned.
    """
    if run.config is None:
        return None
    return with_named_weights(run.config, None if run.facts is None else run.facts.weights_sha256)


def settings_key(run: Results, *, seed: bool = False) -> tuple[Hashable, ...]:
    """Return a key of the classes and settings of a run, without `cache_dir`.

    The seed is in the key only with `seed`. A third-party model has unknown settings, so its key
    contains its name and equals the key of no other run.
    """
    config = named_settings(run)
    if config is None:
        return run.class_names, run.name
    data = dataclasses.replace(config.data, cache_dir=None)
    training = config.training if seed else dataclasses.replace(config.training, seed=0)
    return run.class_names, dataclasses.replace(config, data=data, training=training)


def find_pools(runs: Runs) -> Iterator[Pool]:
    """Yield groups of runs with equal settings that were tested on different images.

    The seeds of a group may differ if all runs of these settings can be pooled. Otherwise the runs
    of a group have one seed.
    """
    for kind in grouped([run for run in runs if run.test is not None], settings_key):
        if len(grouped(kind, test_images_key)) < 2:
            continue
        by_seed = grouped(kind, lambda run: settings_key(run, seed=True))
        groups = [kind] if _poolable(kind) else [group for group in by_seed if len(group) > 1]
        for group in groups:
            if len(grouped(group, test_images_key)) > 1:
                yield Pool(tuple(group), _poolable(group))


def _poolable(runs: Runs) -> Poolable | None:
    return find_poolable({run.name: list(run.sets.values()) for run in runs}, _names)


def _names(predictions: Predictions) -> Iterator[tuple[str, ...]]:
    """Yield the parts of each image's path, without ``..`` and ``.``.

    These two parts differ between splits in different folders.
    """
    for record in predictions.manifest.records:
        yield tuple(part for part in PurePath(record.file).parts if part not in ("..", "."))


def why_alone(run: Results, runs: Runs) -> str:
    """Return the name of a run and the reason why it is compared with no other run of `runs`."""
    if run.test is None:
        return f"{run.name}, which has no test set"
    images = images_key(run.sets["test"])
    if images is None:
        return f"{run.name}, whose test set holds a file twice"
    others = [other for other in runs if other is not run and other.test is not None]
    if any(images_key(other.sets["test"]) == images for other in others):
        return f"{run.name}, the only run here with the classes {listed(run.class_names)}"
    return f"{run.name}, the only run here with its test images"
