"""How numbers and tables are written; knows nothing of results."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], ruler: int | Sequence[str]) -> str:
    """Write a table. `ruler` is its second line, or the column from which on it aligns right."""
    if isinstance(ruler, int):
        ruler = ["---" if i < ruler else "---:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ruler, *rows))


def significant(value: float, digits: int = 3) -> str:
    """Write a number with `digits` significant digits and no exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(decimals, 0)}f}"


def duration(seconds: float) -> str:
    """Write a time in seconds or, below one, in milliseconds: one unit for all rows of a table."""
    return f"{significant(seconds)} s" if seconds >= 1 else f"{significant(seconds * 1e3)} ms"


def times(ratio: float) -> str:
    """Write a ratio: two decimals below ten, where the second one counts."""
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x"


def percent(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:.1f} %"


def span(values: Sequence[float], write: Callable[[float], str]) -> str:
    """Write the median, and the range if there are several runs that differ."""
    middle, low, high = write(statistics.median(values)), write(min(values)), write(max(values))
    return middle if low == high else f"{middle} ({low} to {high})"


def split(group: str) -> tuple[str, str]:
    """Take the name of a group apart: operation, image."""
    operation, _, image = group.partition("|")
    return operation, image
