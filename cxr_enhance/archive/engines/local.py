"""`LocalEngine`: a pool of threads on this machine that works in bounded memory."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from cxr_enhance.archive.engines.tasks import carry_out_task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxr_enhance.archive.engines.tasks import Task
    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.outcome import Record

_GRACE_S = 0.7


class LocalEngine:
    """A pool of `num_threads` threads, at least 1; each thread holds one image in memory.

    Notes
    -----
    If `run` is interrupted, images that are not begun are dropped, and running images stop before
    their next step. No output is left incomplete. All work is done in the pool and not in the
    calling thread, because LLVM's callbacks would lose an interrupt during the compilation of a
    kernel. `run` waits less than a second for running steps; `is_busy` is true if a step still
    runs.
    """

    def __init__(self, num_threads: int) -> None:
        self._num_threads = num_threads
        self.is_busy = False

    def run(self, tasks: Iterable[Task], job: Job, workspace: str | None, record: Record) -> None:
        """Carry out `tasks`, and `record` each outcome in the thread that made it.

        Returns when all tasks are done, or once `record` returns True; other tasks are dropped.
        """
        stop = threading.Event()
        waiting: set[Future[bool]] = set()
        remaining = iter(tasks)
        pool = ThreadPoolExecutor(self._num_threads, thread_name_prefix="enhance")
        finished = False
        try:
            while True:
                for task in remaining:
                    waiting.add(pool.submit(_carry_out, task, job, workspace, stop, record))
                    if len(waiting) >= 2 * self._num_threads:
                        break
                if not waiting:
                    finished = True
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                if any([future.result() for future in done]):
                    return
        finally:
            stop.set()
            pool.shutdown(wait=finished, cancel_futures=True)
            if not finished:
                begun = [
                    future for future in waiting if not future.cancelled()
                ]  # `wait` would not end
                self.is_busy = bool(wait(begun, timeout=_GRACE_S).not_done)


def _carry_out(
    task: Task, job: Job, workspace: str | None, stop: threading.Event, record: Record
) -> bool:
    if stop.is_set():
        return False
    outcomes = carry_out_task(task, job, workspace, stop.is_set)
    return any([record(outcome) for outcome in outcomes or ()])
