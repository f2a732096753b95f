"""Formatting of numbers and names, the same on every page."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.evaluation.results import Interval, Measured

NONE = "\N{EN DASH}"  # the cell of a missing value


def value(measured: Measured) -> str:
    """Return a value and its interval with three decimals; an undefined value is a dash."""
    return number(measured.value, measured.interval)


def number(value: float | None, interval: Interval | None = None) -> str:
    """Return a number and its interval, if any, with three decimals; None is a dash."""
    if value is None:
        return NONE
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def signed(difference: float | None, interval: Interval | None = None) -> str:
    """Return a difference and its interval with three decimals and signs; None is a dash."""
    if difference is None:
        return NONE
    if interval is None:
        return f"{round(difference, 3) + 0.0:+.3f}"  # adding 0.0 turns -0.000 into +0.000
    return f"{signed(difference)} [{signed(interval[0])}, {signed(interval[1])}]"


def p_value(p: float | None) -> str:
    """Return a p-value with three decimals, ``<0.001`` for smaller ones, a dash for None."""
    if p is None:
        return NONE
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def listed(names: Sequence[str]) -> str:
    """Join names: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def clean(text: str) -> str:
    """Replace characters that cannot be shown, such as control and direction characters."""
    if text.isprintable():  # a fast path for the usual case, such as long data URIs
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def short_name(file: str) -> str:
    """Return the path of a file relative to the folder of its set.

    For a file outside of that folder, return the last two parts of the path.
    """
    path = PurePath(file)
    outside = path.is_absolute() or ".." in path.parts
    return "/".join(path.parts[-2:]) if outside else file
