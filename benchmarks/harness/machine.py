"""Reference measurements of the speed-up by two threads on this machine.

The measured code is arithmetic that uses no main memory and no lock. If two threads of it are less
than twice as fast as one, the machine is the cause. There are two kinds. In a chain, each operation
waits for the operation before, and the core is idle most of the time. Side by side, independent
operations fill the core, as compiled image code does. A CPU of a rented machine is often half of a
core; the other half works for other users or for our other thread. The chain then keeps its speed,
and operations side by side become slower.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

IN_CHAIN = ("arithmetic in a chain, 2 threads", "arithmetic in a chain, 1 thread")
SIDE_BY_SIDE = ("arithmetic side by side, 2 threads", "arithmetic side by side, 1 thread")
_LINKS = 12_000_000  # operations of one thread; about 20 ms
_VALUES = 1024  # number of float32 values; 4 KiB stay in the first-level cache
_PASSES = 700_000  # passes of one thread over the values; about 20 ms


@numba.njit(nogil=True, cache=True)
def count_in_chain(links: int) -> float:
    """Do `links` multiplications and additions, each on the result of the previous one."""
    value = 1.0
    for _ in range(links):
        value = value * 0.999 + 1.0
    return value


@numba.njit(nogil=True, cache=True)
def count_side_by_side(passes: int) -> float:
    """Multiply and add on `_VALUES` independent values, `passes` times."""
    values = np.ones(_VALUES, np.float32)
    for _ in range(passes):
        for i in range(_VALUES):
            values[i] = values[i] * np.float32(0.999) + np.float32(1.0)
    return values[0]


def _share(work: Callable[[int], float], steps: int, num_threads: int) -> None:
    threads = [
        threading.Thread(target=work, args=(steps // num_threads,)) for _ in range(num_threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def yardsticks() -> dict[str, Callable[[], None]]:
    """Return the contenders of `IN_CHAIN` and `SIDE_BY_SIDE`: equal work by two threads and one."""
    return {
        name: partial(_share, work, steps, num_threads)
        for names, work, steps in (
            (IN_CHAIN, count_in_chain, 2 * _LINKS),
            (SIDE_BY_SIDE, count_side_by_side, 2 * _PASSES),
        )
        for name, num_threads in zip(names, (2, 1), strict=True)
    }
