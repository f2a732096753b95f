"""Table of the spread of runs that differ only in the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cxr_models.evaluation.comparable_sets import at_root
from cxr_models.evaluation.seeds import spread_over_seeds
from cxr_models.report.blocks import Table
from cxr_models.report.formatting import NONE, listed, number
from cxr_models.report.sections.run_groups import grouped, method_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from cxr_models.evaluation.seeds_results import OverSeeds, SeedSpread
    from cxr_models.report.read.finding_results import AnyResults

R = TypeVar("R", bound="AnyResults")


def seed_tables(
    runs: Sequence[R], settings_key: Callable[[R], Hashable], images_key: Callable[[Any], Hashable]
) -> Iterator[Table]:
    """Yield a table of mean, spread and interval over seeds for each set of runs.

    The runs of a table have equal settings and different seeds.

    Parameters
    ----------
    runs : sequence of Results or FindingResults
        The runs.
    settings_key : callable
        Function that returns a key of the settings of a run, without the seed.
    images_key : callable
        Function that returns a key of the images and labels of a set; None if it has none.
    """
    for group in grouped(runs, settings_key):
        seeds = {run.name: run.config.training.seed for run in group if run.config is not None}
        if not len(set(seeds.values())) == len(group) > 1:
            continue
        first = group[0]
        sets = {
            run.name: [
                at_root(run.sets[name], first.sets[name].manifest.root)
                for name in first.tested
                if all(name in run.tested for run in group)
                and len({images_key(run.sets[name]) for run in group}) == 1
                and images_key(first.sets[name]) is not None
            ]
            for run in group
        }
        evaluations = {run.name: run.evaluation for run in group}
        yield from map(seed_table, spread_over_seeds(sets, evaluations, seeds, method_of(group)))


def seed_table(spread: SeedSpread) -> Table:
    """Return a table of mean, spread and interval over seeds of each value on one set."""
    areas = sum(name.startswith("roc_auc/") for name in spread.values)
    over = [f"Means are over {listed(spread.over)}."] if 0 < len(spread.over) < areas else []
    runs = ", ".join(f"{run} (seed {seed})" for run, seed in spread.seeds.items())
    return Table(
        caption=f"Over seeds, on {spread.set}: {runs}",
        head=("value", "mean", "standard deviation", "lowest to highest", "interval of the mean"),
        rows=tuple((title, *_cells(value)) for title, value in spread.titled()),
        notes=(
            "Intervals hold the chance of training and of the patients: where another seed and "
            "other patients would put the mean.",
            *over,
            *(f"{title}: {value.reason}." for title, value in spread.titled() if value.reason),
        ),
    )


def _cells(value: OverSeeds) -> tuple[str, str, str, str]:
    if value.mean is None:
        return NONE, NONE, NONE, NONE
    interval = NONE
    if value.interval is not None:
        interval = f"[{number(value.interval[0])}, {number(value.interval[1])}]"
    ends = f"{number(value.lowest)} to {number(value.highest)}"
    return number(value.mean), number(value.sd), ends, interval
