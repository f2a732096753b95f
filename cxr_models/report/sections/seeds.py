"""Table of the spread of runs that differ only in the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.report.blocks import Table
from cxr_models.report.formatting import NONE, listed, number

if TYPE_CHECKING:
    from cxr_models.evaluation.seeds_results import OverSeeds, SeedSpread


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
