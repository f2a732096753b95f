"""Which images a report shows: a few of each class at random, and the worst mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cxr_models.report.results import Results

MOST = 8  # images of a list
_SEED = 0


def samples(run: Results, name: str, count: int = MOST) -> list[int]:
    """Return rows of a set, about as many of each class, at random but always the same.

    Parameters
    ----------
    run : Results
        The run.
    name : str
        The set.
    count : int, default 8
        At most as many; fewer are the first of more, class by class.
    """
    targets = run.sets[name].outcomes().targets
    order = np.random.default_rng(_SEED).permutation(len(targets))
    of_class = [order[targets[order] == k] for k in np.unique(targets)]
    turns = [
        (turn, k, int(row)) for k, rows in enumerate(of_class) for turn, row in enumerate(rows)
    ]
    return [row for _, k, row in sorted(sorted(turns)[:count], key=lambda one: one[1])]


def worst_mistakes(run: Results, name: str, count: int = MOST) -> list[int]:
    """Return the rows of a set that the run is wrong about, the surest first."""
    outcomes = run.sets[name].outcomes()
    sure = run.calibrated(name)[np.arange(len(outcomes.targets)), outcomes.said]
    wrong = np.flatnonzero(outcomes.said != outcomes.targets)
    return [int(row) for row in wrong[np.argsort(-sure[wrong], kind="stable")][:count]]


def pictured(run: Results) -> list[tuple[str, int]]:
    """Return set and row of every image that a report of the run may show, each once."""
    chosen = [(name, row) for name in run.judged for row in worst_mistakes(run, name)]
    if run.test is not None:
        chosen += [("test", row) for row in samples(run, "test")]
    return sorted(set(chosen))
