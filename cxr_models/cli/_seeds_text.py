"""Lines about the spread of runs that differ only in the seed, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.evaluation.seeds_results import OverSeeds, SeedSpread


def seed_rows(spread: SeedSpread) -> list[list[str]]:
    """Return the rows of a table, the heading first."""
    rows = [["value", "mean", "SD", "lowest to highest", "interval of the mean"]]
    for title, value in spread.titled():
        rows.append([title, *_cells(value)])
    return rows


def seed_heading(spread: SeedSpread) -> str:
    """Return a line that names the runs, their seeds and the set."""
    runs = ", ".join(f"{run} (seed {seed})" for run, seed in spread.seeds.items())
    return (
        f"{runs} on {spread.set}: runs that differ in the seed alone; intervals are over seeds and "
        "patients"
    )


def _cells(value: OverSeeds) -> Sequence[str]:
    if value.mean is None:
        return ("-",) * 4
    interval = "-"
    if value.interval is not None:
        interval = f"[{value.interval[0]:.3f}, {value.interval[1]:.3f}]"
    ends = f"{value.lowest:.3f} to {value.highest:.3f}"
    return f"{value.mean:.3f}", f"{value.sd:.3f}", ends, interval
