"""Choice of the images of a report: samples of each class, images to average, worst mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cxr_models.report.read.results import Results

MOST = 8  # most images of a gallery
MOST_OF_MEAN = 32  # most images of a class whose Grad-CAM maps are averaged
_SEED = 0


def samples(run: Results, name: str, count: int = MOST) -> list[int]:
    """Return rows of a set, about as many of each class, drawn with a fixed seed.

    The rows are sorted by class.

    Parameters
    ----------
    run : Results
        Results of the run.
    name : str
        Name of the set.
    count : int, default 8
        Largest number of rows. The rows of a smaller count are among the rows of a larger count.
    """
    turns = [
        (turn, k, row)
        for k, rows in _shuffled_by_class(run, name).items()
        for turn, row in enumerate(rows)
    ]
    return [row for _, k, row in sorted(sorted(turns)[:count], key=lambda turn: turn[1])]


def averaged(run: Results, name: str) -> dict[int, list[int]]:
    """Return, for each true class of a set, at most 32 rows to average, drawn with a fixed seed."""
    return {k: rows[:MOST_OF_MEAN] for k, rows in _shuffled_by_class(run, name).items()}


def worst_mistakes(run: Results, name: str, count: int = MOST) -> list[int]:
    """Return at most `count` rows, with the most confident wrong predictions first."""
    outcomes = run.sets[name].outcomes()
    confidences = run.calibrated(name)[np.arange(len(outcomes.targets)), outcomes.predicted]
    wrong = np.flatnonzero(outcomes.predicted != outcomes.targets)
    return [int(row) for row in wrong[np.argsort(-confidences[wrong], kind="stable")][:count]]


def pictured(run: Results) -> list[tuple[str, int]]:
    """Return the set and the row of each image that a report of the run may show by itself."""
    chosen = [(name, row) for name in run.tested for row in worst_mistakes(run, name)]
    if run.test is not None:
        chosen += [("test", row) for row in samples(run, "test")]
    return sorted(set(chosen))


def _shuffled_by_class(run: Results, name: str) -> dict[int, list[int]]:
    targets = run.sets[name].outcomes().targets
    order = np.random.default_rng(_SEED).permutation(len(targets))
    return {int(k): order[targets[order] == k].tolist() for k in np.unique(targets)}
