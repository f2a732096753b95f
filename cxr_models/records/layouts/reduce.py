"""Several rows of one image to one value of a finding: any, vote, majority, first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from cxr_models.records.layouts.values import ABSENT, PRESENT, UNCERTAIN, UNKNOWN

Rule = Callable[[Sequence[str]], str]


def any_of(values: Sequence[str]) -> str:
    """Return present if one row says so, else uncertain, else absent, else unknown."""
    said = set(values)
    return next((value for value in (PRESENT, UNCERTAIN, ABSENT) if value in said), UNKNOWN)


def vote(values: Sequence[str]) -> str:
    """Return what all rows that know say; uncertain where they differ."""
    said = set(values) - {UNKNOWN}
    return said.pop() if len(said) == 1 else UNCERTAIN if said else UNKNOWN


def majority(values: Sequence[str]) -> str:
    """Return what more than half of the rows that know say; uncertain where none has it."""
    said = [value for value in values if value != UNKNOWN]
    for value in (PRESENT, ABSENT):
        if 2 * said.count(value) > len(said):
            return value
    return UNCERTAIN if said else UNKNOWN


def first(values: Sequence[str]) -> str:
    """Return what the first row says."""
    return values[0] if values else UNKNOWN


RULES: Mapping[str, Rule] = MappingProxyType(
    {"any": any_of, "vote": vote, "majority": majority, "first": first}
)
