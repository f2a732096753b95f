"""What two threads give on this machine where nothing is shared: the yardstick of batches.

CPUs of a rented machine are often shared with strangers. Arithmetic in registers touches no memory
and takes no lock, so what keeps two threads of it from being twice as fast is the machine.
"""

from __future__ import annotations

import threading

import numba

ARITHMETIC_TWO, ARITHMETIC_ONE = "arithmetic alone, 2 threads", "arithmetic alone, 1 thread"
_STEPS = 12_000_000  # each waits for the one before: some 50 ms


@numba.njit(nogil=True, cache=True)
def count_in_registers(steps: int) -> float:
    """Do `steps` multiplications and additions, each on the result of the last."""
    value = 1.0
    for _ in range(steps):
        value = value * 0.999 + 1.0
    return value


def arithmetic(num_threads: int) -> None:
    """Do the same work, 2 x `_STEPS`, on one thread or shared by two."""
    share = 2 * _STEPS // num_threads
    threads = [
        threading.Thread(target=count_in_registers, args=(share,)) for _ in range(num_threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
