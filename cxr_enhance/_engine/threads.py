"""A range of work shared by threads; knows nothing of images."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


_PARTS_A_THREAD = 4


def share(
    work: Callable[[int, int], None], count: int, threads: int, *, least: int, most: int
) -> None:
    """Call ``work(start, stop)`` for parts that make up 0..count, on `threads` threads.

    Each thread takes the next part when it has finished one. Parts are of one size, from `least` to
    `most` items, and four a thread where that allows it: threads hold each other up when they come
    back for more, and large parts at the end would let one wait for the other. The last part may be
    smaller. An exception stops all threads after the part they are at, and is raised.
    """
    threads = max(min(threads, -(-count // least)), 1)
    even = -(-count // (_PARTS_A_THREAD * threads))
    size = most if threads == 1 else min(max(even, least), most)
    starts = iter(range(0, count, size))
    lock = threading.Lock()
    stopped = threading.Event()

    def take_parts() -> None:
        while not stopped.is_set():
            with lock:
                start = next(starts, None)
            if start is None:
                return
            work(start, min(start + size, count))

    if threads == 1:
        take_parts()
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="cxr-enhance") as pool:
        try:
            futures = [pool.submit(take_parts) for _ in range(threads)]
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:  # done, failed or interrupted
            stopped.set()
    for future in futures:
        future.result()
