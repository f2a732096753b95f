"""The same work on Dask workers: processes of this machine, or of a cluster's.

Workers may die. Dask runs a dead worker's tasks again elsewhere; a file that was being processed
when a worker died is then processed in a process of its own, and is quarantined if that dies too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import warnings
from typing import TYPE_CHECKING, Any

from cxr_enhance.archive.engines.isolated import process_isolated
from cxr_enhance.archive.outcome import Outcome, reason_of
from cxr_enhance.archive.task import process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.outcome import Record
    from cxr_enhance.archive.plan import PlannedFile

    UnderWay: TypeAlias = dict[Any, tuple[int, PlannedFile]]

_TASKS_A_THREAD = 8  # under way at once: enough to keep workers busy, few enough to drop at an end
_CONNECT_TIMEOUT = "10s"
_GRACE_S = 0.7


class _RunEndedError(Exception):
    """No further file can be read or written: workers need not finish what they have begun."""


class DaskEngine:
    """Workers of the scheduler at `address`, or so many processes of this machine.

    Parameters
    ----------
    address : str or None
        Such as ``tcp://node1:8786``; None starts a cluster on this machine for the run.
    num_workers : int
        Processes of the local cluster, of one thread each.

    Raises
    ------
    ImportError
        If Dask is not installed.
    """

    def __init__(self, address: str | None, num_workers: int) -> None:
        self._address, self._num_workers = address, num_workers
        self.is_busy = False
        self._distributed = _load_distributed()

    def run(
        self, files: Iterable[PlannedFile], job: Job, workspace: str | None, record: Record
    ) -> None:
        """Process `files` and `record` each outcome as it comes, in the calling thread.

        Returns when all are done, or once `record` tells that the run ends; the rest is dropped.

        Raises
        ------
        ValueError
            If no scheduler answers at the address.
        """
        under_way: UnderWay = {}
        try:
            with contextlib.suppress(_RunEndedError), self._client() as client:
                self._run(client, iter(files), job, workspace, record, under_way)
        finally:  # done, and not come back: none but after an interrupt or an early end
            for number, _ in under_way.values():
                outcome = _outcome_left(workspace or "", number)
                if outcome is not None:
                    record(outcome)

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        if self._address is None:
            with self._own_cluster() as client:
                yield client
            return
        try:
            client = self._distributed.Client(
                self._address, set_as_default=False, timeout=_CONNECT_TIMEOUT
            )
        except (OSError, ValueError) as error:
            raise ValueError(
                f"`--scheduler` must be the address of a running Dask scheduler; "
                f"got {self._address!r}: {error}."
            ) from error
        with client:
            yield client

    @contextlib.contextmanager
    def _own_cluster(self) -> Iterator[Any]:
        """Start workers on this machine, and kill them should the block end before its time.

        Outputs appear whole or not at all, whoever is killed. What is left is closed in good order
        if that takes less than a second; else `is_busy` lets the process end without.
        """
        client = cluster = None
        try:
            cluster = self._distributed.LocalCluster(
                n_workers=self._num_workers,
                threads_per_worker=1,
                # Any free port: without an address Dask takes a fixed one, and warns of a second
                # cluster on the machine.
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                host="127.0.0.1",
                silence_logs=50,
            )
            client = self._distributed.Client(cluster, set_as_default=False)
            yield client
        except BaseException:
            closing = threading.Thread(target=_kill_workers, args=(client, cluster), daemon=True)
            closing.start()
            closing.join(_GRACE_S)
            self.is_busy = closing.is_alive()
            raise
        client.close()
        cluster.close()

    def _run(
        self,
        client: Any,
        files: Iterator[PlannedFile],
        job: Job,
        workspace: str | None,
        record: Record,
        under_way: UnderWay,
    ) -> None:
        completed = self._distributed.as_completed(loop=client.loop)
        numbered = enumerate(files)

        def submit(number: int, file: PlannedFile) -> None:
            future = client.submit(_process_on_worker, number, file, job, workspace, pure=False)
            under_way[future] = (number, file)
            completed.add(future)

        try:
            while True:
                room = _TASKS_A_THREAD * max(sum(client.nthreads().values()), 1) - len(under_way)
                for _, (number, file) in zip(range(room), numbered, strict=False):
                    submit(number, file)
                if not under_way:
                    return
                for future in (next(completed), *_ready(completed)):
                    # Lost with its worker before it was fetched; Dask does it again.
                    if future.status in ("lost", "pending"):
                        completed.add(future)
                        continue
                    number, file = under_way.pop(future)
                    outcome = self._outcome_of(future, file)
                    if outcome is None:
                        submit(number, file)  # the worker finds out whether the file is to blame
                        continue
                    run_ends = record(outcome)
                    with contextlib.suppress(OSError):
                        os.unlink(_mark(workspace or "", number, "done"))
                    if run_ends:
                        raise _RunEndedError
        finally:
            if self._address is not None:  # workers of our own end with the run
                with contextlib.suppress(Exception):
                    client.cancel(list(under_way), force=True)

    def _outcome_of(self, future: Any, file: PlannedFile) -> Outcome | None:
        """Fetch the outcome of a file; None where its workers died."""
        try:
            outcome: Outcome = future.result()  # its worker may die even now
        except self._distributed.scheduler.KilledWorker:
            return None
        except Exception as error:
            return _failed(file, error)
        return outcome


def _process_on_worker(number: int, file: PlannedFile, job: Job, workspace: str) -> Outcome:
    """Process a file, or, where a worker died over it, have a process of its own do so.

    A mark in the workspace tells the next worker that one died over the file, and whether the
    output was there before. A second mark, made once the file is done, holds the outcome, which
    may be lost on its way.
    """
    warnings.filterwarnings("ignore", module=r"pydicom\b")  # the manifest's notes say it
    begun, done = _mark(workspace, number, "begun"), _mark(workspace, number, "done")
    earlier = _outcome_left(workspace, number)
    if earlier is not None:
        return earlier
    try:
        with open(begun, "x", encoding="ascii") as mark:
            mark.write("there" if os.path.lexists(file.target) else "absent")
    except FileExistsError:
        with open(begun, encoding="ascii") as mark:
            by_dead_worker = mark.read() == "absent"  # what is there now, the dead worker wrote
        outcome = process_isolated(
            file._replace(replace=file.replace or by_dead_worker), job, workspace
        )
    except OSError as error:
        # Above all: this machine does not see the output folder.
        reason = f"Dask workers must see the output folder under the same name: {reason_of(error)}"
        return Outcome(file.source, file.target, "failed", reason, transient=True, ends_run=True)
    else:
        result = process(file, job, workspace)
        outcome = _failed(file, None) if result is None else result
    with contextlib.suppress(OSError):  # the first mark stays whole: a worker may die here too
        half = _mark(workspace, number, f"{os.getpid()}.half")
        with open(half, "w", encoding="ascii") as mark:
            mark.write(outcome.to_json())
        os.replace(half, done)
        os.unlink(begun)
    return outcome


def _kill_workers(client: Any, cluster: Any) -> None:
    """Kill a cluster's workers and close what is left."""
    if cluster is None:
        return
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        with contextlib.suppress(OSError, TypeError):  # it is gone, or not yet there
            os.kill(nanny.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    with contextlib.suppress(Exception):
        if client is not None:
            client.close()
        cluster.close()


def _outcome_left(workspace: str, number: int) -> Outcome | None:
    """Read what a worker left of a file that it had done."""
    with (
        contextlib.suppress(OSError),
        open(_mark(workspace, number, "done"), encoding="ascii") as mark,
    ):
        return Outcome.from_json(mark.read())
    return None


def _mark(workspace: str, number: int, state: str) -> str:
    return os.path.join(workspace, f"{number}.{state}")


def _ready(completed: Any) -> list[Any]:
    """Futures that are done already, without waiting."""
    return [] if completed.is_empty() else list(completed.next_batch(block=False))


def _failed(file: PlannedFile, error: BaseException | None) -> Outcome:
    reason = "not done" if error is None else reason_of(error)
    return Outcome(file.source, file.target, "failed", reason, transient=True)


def _load_distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError as error:
        if error.name in ("distributed", "dask"):
            raise ImportError(
                f"{error.name} is needed for --engine dask. "
                'Install it with: pip install "cxr-enhance[cluster]"'
            ) from None
        raise
    return distributed
