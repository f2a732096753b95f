"""A value with its interval; all other records of results consist of this record."""

from __future__ import annotations

from dataclasses import dataclass

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A value and its confidence interval."""

    value: float | None  # None if the value is undefined
    interval: Interval | None  # lower and upper bound; None if there is no interval
    reason: str = ""  # why there is no value or no interval
    remark: str = ""  # why the interval must be read with care

    def __post_init__(self) -> None:
        if None in (self.value, self.interval) and not self.reason:
            raise ValueError("`reason` is missing where there is no value or no interval")
