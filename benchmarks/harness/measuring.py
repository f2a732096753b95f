"""Timing of contenders in turns; the module does not use images, pytest or files.

The contenders of a row run in the order A B C, B C A, C A B, ... in one process. If the machine is
slow for a while, all contenders are slow. No contender always finds the caches in the state that
one and the same other contender left. Medians are compared afterwards.
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
# A round repeats a contender for about this time. A shorter round would mainly measure the state of
# the caches after the previous contender.
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
    """Call each contender once per round and return the durations that the contenders return.

    There are at least `min_rounds` rounds. Further rounds, up to `max_rounds`, follow until
    `seconds` have passed.
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
    """Time `contenders` in turns, without the garbage collector, after warm-up calls of each."""
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
    """A clock for ``benchmark.pedantic`` that returns durations measured before.

    pytest-benchmark can only time one function after the other. Contenders are timed in turns
    instead, and this clock passes the durations of each to pytest-benchmark, which reads the clock
    twice per round.
    """

    __name__ = "replay"

    def __init__(self) -> None:
        self._readings: Iterator[float] = iter(())

    def load(self, durations: list[float]) -> None:
        """Set the durations of the following rounds."""
        self._readings = iter([reading for duration in durations for reading in (0.0, duration)])

    def __call__(self) -> float:
        """Return 0 and the next duration, alternately."""
        return next(self._readings)
