"""What two threads give on this machine where nothing is shared: the yardsticks of batches.

Arithmetic that touches no memory and takes no lock: what keeps two threads of it from being twice
as fast is the machine. There are two kinds. In a chain, where each operation waits for the one
before, a core idles most of the time; side by side, operations fill it, as compiled image code
does. CPUs of a rented machine are often halves of a core whose other half works for strangers, or
for our other thread: then the chain keeps its speed and what fills the core does not.
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
_LINKS = 12_000_000  # some 20 ms
_VALUES = 1024  # 4 KiB: stays in the first-level cache
_PASSES = 700_000  # some 20 ms


@numba.njit(nogil=True, cache=True)
def count_in_chain(links: int) -> float:
    """Do `links` multiplications and additions, each on the result of the last."""
    value = 1.0
    for _ in range(links):
        value = value * 0.999 + 1.0
    return value


@numba.njit(nogil=True, cache=True)
def count_side_by_side(passes: int) -> float:
    """Multiply and add on `_VALUES` values that wait for none but themselves, `passes` times."""
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
    """Give the contenders of `IN_CHAIN` and `SIDE_BY_SIDE`: the same work by two and by one."""
    return {
        name: partial(_share, work, steps, num_threads)
        for names, work, steps in (
            (IN_CHAIN, count_in_chain, 2 * _LINKS),
            (SIDE_BY_SIDE, count_side_by_side, 2 * _PASSES),
        )
        for name, num_threads in zip(names, (2, 1), strict=True)
    }
