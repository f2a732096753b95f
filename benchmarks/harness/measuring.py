"""Timing contenders by turns; knows nothing of images, pytest or files.

Contenders of one row run A B C, B C A, C A B, ... in one process: a machine that slows down for a
while slows all of them, and none always finds the caches as the same other one left them. What is
compared afterwards are medians.
"""

from __future__ import annotations

import gc
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MIN_ROUNDS = 20
MAX_ROUNDS = 400
SECONDS_A_ROW = 2.0
# A round repeats a contender until it takes about this long: a shorter one would measure how the
# contender before it left the caches.
SECONDS_A_ROUND = 0.002


@dataclass(kw_only=True)
class Laps:
    """Durations of one contender in seconds, each of `repeats` calls."""

    repeats: int = 1
    durations: list[float] = field(default_factory=list)


def take_turns(
    contenders: Mapping[str, Callable[[], float]],
    *,
    min_rounds: int = MIN_ROUNDS,
    max_rounds: int = MAX_ROUNDS,
    seconds: float = SECONDS_A_ROW,
) -> dict[str, list[float]]:
    """Call each contender once a round and collect the durations they return.

    There are `min_rounds` rounds, and more, up to `max_rounds`, until `seconds` have passed.
    """
    durations: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < min_rounds or (rounds < max_rounds and time.perf_counter() < end):
        first = rounds % len(names)
        for name in names[first:] + names[:first]:
            durations[name].append(contenders[name]())
        rounds += 1
    return durations


def interleave(
    contenders: Mapping[str, Callable[[], object]],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Laps]:
    """Time `contenders` by turns, without the garbage collector, each warm before it starts."""
    laps = {name: Laps(repeats=_repeats(function)) for name, function in contenders.items()}

    def timed(function: Callable[[], object], repeats: int) -> Callable[[], float]:
        return lambda: _duration(function, repeats, clock)

    gc.collect()
    collects = gc.isenabled()
    gc.disable()
    try:
        durations = take_turns(
            {name: timed(function, laps[name].repeats) for name, function in contenders.items()}
        )
    finally:
        if collects:
            gc.enable()
    for name in contenders:
        laps[name].durations = durations[name]
    return laps


def _duration(
    function: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    start = clock()
    for _ in range(repeats):
        function()
    return clock() - start


def _repeats(function: Callable[[], object]) -> int:
    function()
    return max(1, math.ceil(SECONDS_A_ROUND / _duration(function, 1)))


class ReplayClock:
    """A clock for ``benchmark.pedantic`` that reads out durations measured before.

    pytest-benchmark times one function after the other. Contenders are timed by turns instead, and
    each one's durations then enter pytest-benchmark through this clock: it reads twice a round.
    """

    __name__ = "replay"

    def __init__(self) -> None:
        self._readings: Iterator[float] = iter(())

    def load(self, durations: list[float]) -> None:
        """Make the readings of the rounds to come."""
        self._readings = iter([reading for duration in durations for reading in (0.0, duration)])

    def __call__(self) -> float:
        """Read 0 and the next duration, in turn."""
        return next(self._readings)
