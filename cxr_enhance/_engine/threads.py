"""A range of work shared by threads; knows nothing of images."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Parts:
    """What is left of 0..count, given out to threads in parts of `least` to `most`.

    Each thread has a run of neighbours and takes half of what is left of it at a time; who has
    finished takes halves off the end of the longest run. Large parts first, because threads hold
    each other up whenever one comes back for more; small ones last, so that they finish together.
    Runs, because two threads that wrote neighbours would both ask for the page of memory that
    holds them (2 MiB on Linux), and the system would clear it for each.
    """

    def __init__(self, count: int, threads: int, least: int, most: int) -> None:
        bounds = [count * i // threads for i in range(threads + 1)]
        self._starts, self._stops = bounds[:-1], bounds[1:]
        self._least, self._most = least, most
        self._lock = threading.Lock()

    def take(self, thread: int) -> tuple[int, int] | None:
        """Return the start and the stop of a part for `thread`; None when all are given out."""
        with self._lock:
            left = [stop - start for start, stop in zip(self._starts, self._stops, strict=True)]
            run = thread if left[thread] else max(range(len(left)), key=left.__getitem__)
            size = min(max(left[run] // 2, self._least), self._most, left[run])
            if not size:
                return None
            if run == thread:
                self._starts[run] += size
                return self._starts[run] - size, self._starts[run]
            self._stops[run] -= size
            return self._stops[run], self._stops[run] + size


def share(
    work: Callable[[int, int], None], count: int, threads: int, *, least: int, most: int
) -> None:
    """Call ``work(start, stop)`` for parts that make up 0..count, on `threads` threads.

    Parts have `least` to `most` items; the last of a run may have fewer. An exception stops all
    threads after the part they are at, and is raised.
    """
    threads = max(min(threads, -(-count // least)), 1)
    parts = Parts(count, threads, least, most)
    stopped = threading.Event()

    def take_parts(thread: int) -> None:
        while not stopped.is_set() and (part := parts.take(thread)) is not None:
            work(*part)

    if threads == 1:
        take_parts(0)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="cxr-enhance") as pool:
        try:
            futures = [pool.submit(take_parts, thread) for thread in range(threads)]
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:  # done, failed or interrupted
            stopped.set()
    for future in futures:
        future.result()
