"""Which runs belong together: of the same test images, of the same settings, on folds."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.evaluation.compare_runs import Poolable, poolable
from cxr_models.report.formatting import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.report.read.results import Results

    Runs = Sequence[Results]


class Pool(NamedTuple):
    """Runs of one kind on folds or left-out sources, and what of them to pool; None for nothing."""

    runs: tuple[Results, ...]
    taken: Poolable | None


def grouped(runs: Runs, key: Callable[[Results], Hashable]) -> list[list[Results]]:
    """Return runs of equal keys together, in the order of the first of each."""
    groups: dict[Hashable, list[Results]] = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return list(groups.values())


def tested(run: Results) -> tuple[Hashable, ...] | None:
    """Return classes and test images of a run, equal for runs to compare; None without a test."""
    images = None if run.test is None else images_of(run.sets["test"])
    return None if images is None else (run.class_names, images)


def images_of(predictions: Predictions) -> Hashable:
    """Return what tells images, wherever they lie; None where a file is there twice."""
    told = [(r.file, r.label, r.patient, r.group) for r in predictions.manifest.records]
    return frozenset(told) if len({file for file, *_ in told}) == len(told) else None


def kind_of(run: Results, *, seed: bool = False) -> tuple[Hashable, ...]:
    """Return classes and settings, those of the place left out, and of the seed unless asked."""
    data = dataclasses.replace(run.config.data, cache_dir=None)
    training = run.config.training if seed else dataclasses.replace(run.config.training, seed=0)
    return run.class_names, dataclasses.replace(run.config, data=data, training=training)


def pools(runs: Runs) -> Iterator[Pool]:
    """Yield runs of one kind that were tested on different images."""
    for kind in grouped([run for run in runs if run.test is not None], kind_of):
        if len(grouped(kind, tested)) < 2:
            continue
        of_seeds = grouped(kind, lambda run: kind_of(run, seed=True))
        parts = [kind] if _taken(kind) else [one for one in of_seeds if len(one) > 1]
        for part in parts:
            if len(grouped(part, tested)) > 1:
                yield Pool(tuple(part), _taken(part))


def _taken(runs: Runs) -> Poolable | None:
    return poolable({run.name: list(run.sets.values()) for run in runs}, _names)


def _names(predictions: Predictions) -> Iterator[tuple[str, ...]]:
    """Yield the names of images, equal from whatever folder a split names them."""
    for record in predictions.manifest.records:
        yield tuple(part for part in PurePath(record.file).parts if part not in ("..", "."))


def why_alone(run: Results, runs: Runs) -> str:
    """Name a run and say why it is compared with none of `runs`."""
    if run.test is None:
        return f"{run.name}, which has no test set"
    images = images_of(run.sets["test"])
    if images is None:
        return f"{run.name}, whose test set holds a file twice"
    others = [one for one in runs if one is not run and one.test is not None]
    if any(images_of(one.sets["test"]) == images for one in others):
        return f"{run.name}, the only one here that tells {listed(list(run.class_names))} apart"
    return f"{run.name}, the only one here of its test images"
