"""Share a range of work items between threads; the module does not depend on images."""

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
    """Call ``work(start, stop)`` for consecutive parts of ``range(count)``, on `threads` threads.

    A thread that has finished a part takes the next part. All parts have the same size, from
    `least` to `most` items; the last part may be smaller. There are about four parts per thread, if
    `least` and `most` allow it. More parts would cost time, because threads wait for each other
    when they take a part. Fewer, larger parts would let threads wait at the end for the last
    thread. An exception stops each thread after its current part and is then raised.
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
