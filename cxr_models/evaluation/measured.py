"""A value with its interval: the record of which all records of results are made."""

from __future__ import annotations

from dataclasses import dataclass

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A value and its interval."""

    value: float | None
    interval: Interval | None
    reason: str = ""  # why there is no value or no interval
    remark: str = ""  # why readers should take the interval with care

    def __post_init__(self) -> None:
        if None in (self.value, self.interval) and not self.reason:
            raise ValueError("`reason` is missing where there is no value or no interval")
