"""Work carried out by a pool of threads on this machine, in bounded memory."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from cxr_enhance.archive.task import process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.outcome import Record
    from cxr_enhance.archive.plan import PlannedFile

_GRACE_S = 0.7


class LocalEngine:
    """A pool of `num_threads` threads, at least 1; so many images are in memory at once.

    Notes
    -----
    When `run` is interrupted, images not yet begun are dropped, and those begun end before their
    next step: no output is ever left half written. All work is done in the pool, none in the
    calling thread, where an interrupt during the compilation of a kernel would be lost in LLVM's
    callbacks. A step that takes most of a second is not waited for; `is_busy` tells so.
    """

    def __init__(self, num_threads: int) -> None:
        self._num_threads = num_threads
        self.is_busy = False

    def run(
        self, files: Iterable[PlannedFile], job: Job, workspace: str | None, record: Record
    ) -> None:
        """Process `files` and `record` each outcome in its thread.

        Returns when all are done, or once `record` tells that the run ends; the rest is dropped.
        """
        stop = threading.Event()
        waiting: set[Future[bool]] = set()
        remaining = iter(files)
        pool = ThreadPoolExecutor(self._num_threads, thread_name_prefix="enhance")
        finished = False
        try:
            while True:
                for file in remaining:
                    waiting.add(pool.submit(_process, file, job, workspace, stop, record))
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
                begun = [future for future in waiting if not future.cancelled()]  # else never done
                self.is_busy = bool(wait(begun, timeout=_GRACE_S).not_done)


def _process(
    file: PlannedFile, job: Job, workspace: str | None, stop: threading.Event, record: Record
) -> bool:
    if stop.is_set():
        return False
    outcome = process(file, job, workspace, stop.is_set)
    if outcome is None:
        return False
    run_ends = record(outcome)
    if run_ends:
        stop.set()
    return run_ends
