"""Comparison of results with their targets; every run must hold every target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.tables.formatting import duration, percent, split, times
from benchmarks.tables.targets import MIB, OURS, Adds, AtMost, Faster, Flat, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.tables.results import Runs


def figures_of(runs: Runs, target: Target) -> list[float]:
    """Return the measured value of a target in each run."""
    if isinstance(target, Faster):
        return runs.ratios(target.group, target.of, target.than)
    if isinstance(target, Adds):
        return [1 / ratio - 1 for ratio in runs.ratios(target.group, target.of, target.than)]
    if isinstance(target, Flat):
        return runs.spreads(target.group, target.of)
    return runs.figures(target.group, target.of, target.quantity)


def holds(target: Target, figure: float) -> bool:
    """Return whether a measured value holds its target."""
    return figure >= target.at_least if isinstance(target, Faster) else figure <= target.at_most


def verdict(runs: Runs, target: Target) -> tuple[bool, str]:
    """Return whether every run holds a target, and the line to print."""
    measured = figures_of(runs, target)
    held = len(measured) > 0 and all(holds(target, figure) for figure in measured)
    shown = ", ".join(writer(target)(figure) for figure in measured) or "not measured"
    if not measured:
        word = "absent"
    elif not held:
        word = "MISSED"
    elif isinstance(target, Faster) and min(measured) < target.aim:
        word = "held"
    else:
        word = "held, and the aim" if isinstance(target, Faster) else "held"
    aim = f", aim {times(target.aim)}" if isinstance(target, Faster) else ""
    return held, f"{word:18} {title(target)}: {shown} ({bound(target)}{aim})"


def title(target: Target) -> str:
    """Return a title of a target: its operation, its input and its contenders."""
    operation, image = split(target.group)
    subject = f"{operation}, {image}"
    if isinstance(target, Faster):
        who = "" if target.of == OURS else f" by {target.of.removeprefix(f'{OURS}, ')}"
        return f"{subject}{who}, against {target.than}"
    if isinstance(target, Adds):
        return f"{subject}, more than with {target.than}"
    if isinstance(target, Flat):
        return f"{subject}, largest over smallest time per megapixel"
    return f"{subject}, {target.quantity.replace('_', ' ')}"


def bound(target: Target) -> str:
    """Return the bound of a target as text."""
    if isinstance(target, Faster):
        return f"at least {times(target.at_least)}"
    return f"at most {writer(target)(target.at_most)}"


def writer(target: Target) -> Callable[[float], str]:
    """Return the function that formats the measured values of a target."""
    if isinstance(target, AtMost):
        return writer_of(target.quantity)
    return percent if isinstance(target, Adds) else times


def writer_of(quantity: str) -> Callable[[float], str]:
    """Return the function that formats seconds, shares or bytes."""
    if quantity == "seconds":
        return duration
    return percent if quantity.endswith("share") else lambda value: f"{value / MIB:.1f} MiB"
