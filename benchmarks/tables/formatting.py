"""Formatting of numbers and Markdown tables; the module does not use stored results."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], ruler: int | Sequence[str]) -> str:
    """Return a Markdown table.

    `ruler` is the second line of the table. An int is the number of columns that are aligned left;
    further columns are aligned right.
    """
    if isinstance(ruler, int):
        ruler = ["---" if i < ruler else "---:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ruler, *rows))


def significant(value: float, digits: int = 3) -> str:
    """Format a number with `digits` significant digits and without exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(decimals, 0)}f}"


def duration(seconds: float) -> str:
    """Format a time in seconds, or in milliseconds if it is below one second."""
    return f"{significant(seconds)} s" if seconds >= 1 else f"{significant(seconds * 1e3)} ms"


def times(ratio: float) -> str:
    """Format a ratio with two decimals below 10 and one decimal from 10 on."""
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x"


def percent(share: float) -> str:
    """Format a share in percent."""
    return f"{100 * share:.1f} %"


def span(values: Sequence[float], write: Callable[[float], str]) -> str:
    """Format the median of `values`, and their range if the formatted ends differ."""
    middle, low, high = write(statistics.median(values)), write(min(values)), write(max(values))
    return middle if low == high else f"{middle} ({low} to {high})"


def split(group: str) -> tuple[str, str]:
    """Split the name of a group into operation and image."""
    operation, _, image = group.partition("|")
    return operation, image
