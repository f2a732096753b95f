"""Work shared by threads: all of it once, neighbours together, an error stops the rest."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_enhance._engine.threads import Parts, share


def taken(parts, threads, order):
    """Let threads take parts in an order of turns until all are given out."""
    found = {thread: [] for thread in range(threads)}
    turns = [thread % threads for thread in order] + list(range(threads)) * 2000
    for thread in turns:
        part = parts.take(thread)
        if part is None:
            return found
        found[thread].append(part)
    raise AssertionError("parts never end")


@given(
    count=st.integers(0, 300),
    threads=st.integers(1, 9),
    least=st.integers(1, 20),
    more=st.integers(0, 50),
    order=st.lists(st.integers(0, 8), max_size=60),
)
def test_whoever_comes_when_every_item_is_given_out_once(count, threads, least, more, order):
    found = taken(Parts(count, threads, least, least + more), threads, order)
    given_out = sorted(part for parts in found.values() for part in parts)
    assert [item for start, stop in given_out for item in range(start, stop)] == list(range(count))
    assert all(0 < stop - start <= least + more for start, stop in given_out)


def test_threads_that_keep_step_take_halves_of_their_own_run():
    found = taken(Parts(64, 2, 1, 64), 2, [])
    assert found[0] == [(0, 16), (16, 24), (24, 28), (28, 30), (30, 31), (31, 32)]
    assert found[1] == [(start + 32, stop + 32) for start, stop in found[0]]


def test_a_thread_that_has_finished_takes_from_the_end_of_the_longest_run():
    parts = Parts(24, 3, 4, 8)
    assert [parts.take(0), parts.take(0)] == [(0, 4), (4, 8)]
    assert parts.take(1) == (8, 12)
    assert parts.take(0) == (20, 24)
    assert {parts.take(0), parts.take(0)} == {(12, 16), (16, 20)}
    assert parts.take(2) is None


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_all_threads_work_on_all_of_it(threads):
    seen = [0] * 100
    workers = set()
    all_there = threading.Barrier(threads, timeout=60)

    def work(start, stop):
        if threading.get_ident() not in workers:
            workers.add(threading.get_ident())
            all_there.wait()
        for item in range(start, stop):
            seen[item] += 1

    share(work, 100, threads, least=1, most=5)
    assert seen == [1] * 100
    assert len(workers) == threads


@pytest.mark.parametrize("failing", [0, 500])  # the first part of either thread
def test_an_error_in_any_thread_stops_the_others_and_is_raised(failing):
    done = []

    def work(start, stop):
        if start == failing:
            raise OSError("a part failed")
        time.sleep(0.02)
        done.append(stop - start)

    with pytest.raises(OSError, match="a part failed"):
        share(work, 1000, 2, least=1, most=1)
    assert sum(done) < 100
