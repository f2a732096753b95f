"""Rules that reduce the values of a finding in several rows of one image to one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from cxr_models.records.layouts.values import ABSENT, PRESENT, UNCERTAIN, UNKNOWN

Rule = Callable[[Sequence[str]], str]


def any_of(values: Sequence[str]) -> str:
    """Return the first of present, uncertain and absent that a row has; else unknown."""
    distinct = set(values)
    return next((value for value in (PRESENT, UNCERTAIN, ABSENT) if value in distinct), UNKNOWN)


def vote(values: Sequence[str]) -> str:
    """Return the common value of all known rows; uncertain if they differ."""
    distinct = set(values) - {UNKNOWN}
    return distinct.pop() if len(distinct) == 1 else UNCERTAIN if distinct else UNKNOWN


def majority(values: Sequence[str]) -> str:
    """Return the value (present or absent) of more than half of the known rows, else uncertain.

    The value is unknown if no row has a known value.
    """
    votes = [value for value in values if value != UNKNOWN]
    for value in (PRESENT, ABSENT):
        if 2 * votes.count(value) > len(votes):
            return value
    return UNCERTAIN if votes else UNKNOWN


def first(values: Sequence[str]) -> str:
    """Return the value of the first row; unknown if there are no rows."""
    return values[0] if values else UNKNOWN


RULES: Mapping[str, Rule] = MappingProxyType(
    {"any": any_of, "vote": vote, "majority": majority, "first": first}
)
