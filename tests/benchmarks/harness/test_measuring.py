"""Contenders take turns, and their durations reach pytest-benchmark unchanged."""

from __future__ import annotations

import gc
import itertools
import time

from benchmarks.harness.measuring import MIN_ROUNDS, ReplayClock, interleave, take_turns


def test_contenders_take_turns_and_none_always_comes_first():
    order = []

    def contender(name):
        return lambda: order.append(name) or 0.0

    take_turns({name: contender(name) for name in "abc"}, min_rounds=4, seconds=0)
    assert "".join(order) == "abcbcacababc"


def test_rounds_go_on_until_the_time_is_up_or_there_are_enough():
    durations = take_turns({"a": lambda: 1.0}, min_rounds=2, max_rounds=5, seconds=60)
    assert durations == {"a": [1.0] * 5}


def test_every_contender_has_the_rounds_that_a_median_needs():
    laps = interleave({"a": lambda: sum(range(10)), "b": lambda: sum(range(1000))})
    assert all(len(lap.durations) >= MIN_ROUNDS for lap in laps.values())


def test_short_work_is_repeated_within_a_round():
    # A loaded machine may hold up the one call from which the number is taken.
    assert any(interleave({"short": lambda: None})["short"].repeats > 100 for _ in range(3))


def test_contenders_are_timed_by_the_clock_that_is_given():
    readings = itertools.count()
    laps = interleave({"one": time.process_time}, lambda: 0.5 * next(readings))
    assert set(laps["one"].durations) == {0.5}


def test_the_garbage_collector_rests_while_contenders_run_and_works_again_after():
    states = []
    interleave({"a": lambda: states.append(gc.isenabled())})
    assert states[-1] is False
    assert gc.isenabled()


def test_the_replayed_clock_makes_pytest_benchmark_store_the_durations():
    clock = ReplayClock()
    clock.load([0.25, 0.5])
    readings = [clock() for _ in range(4)]
    assert [end - start for start, end in zip(readings[::2], readings[1::2], strict=True)] == [
        0.25,
        0.5,
    ]
