"""Several rows of one image to one value of a finding: any, vote, majority, first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from cxr_models.records.layouts.values import ABSENT, PRESENT, UNCERTAIN, UNKNOWN

Rule = Callable[[Sequence[str]], str]


def any_of(values: Sequence[str]) -> str:
    """Return present if one row says so, else uncertain, else absent, else unknown."""
    distinct = set(values)
    return next((value for value in (PRESENT, UNCERTAIN, ABSENT) if value in distinct), UNKNOWN)


def vote(values: Sequence[str]) -> str:
    """Return the value of all known rows; uncertain where they differ."""
    distinct = set(values) - {UNKNOWN}
    return distinct.pop() if len(distinct) == 1 else UNCERTAIN if distinct else UNKNOWN


def majority(values: Sequence[str]) -> str:
    """Return the value of more than half of the known rows; uncertain where there is none."""
    votes = [value for value in values if value != UNKNOWN]
    for value in (PRESENT, ABSENT):
        if 2 * votes.count(value) > len(votes):
            return value
    return UNCERTAIN if votes else UNKNOWN


def first(values: Sequence[str]) -> str:
    """Return the value of the first row."""
    return values[0] if values else UNKNOWN


RULES: Mapping[str, Rule] = MappingProxyType(
    {"any": any_of, "vote": vote, "majority": majority, "first": first}
)
