"""Tasks carried out by Dask workers: processes of this machine, or of a cluster.

Workers may die. Dask runs a dead worker's tasks again on another worker. A file that was being
processed when a worker died is then processed in a child process, and fails as quarantined if the
child dies too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import warnings
from typing import TYPE_CHECKING, Any

from cxr_enhance.archive.engines.isolated import carry_out_isolated
from cxr_enhance.archive.engines.tasks import carry_out_task, failed_task
from cxr_enhance.archive.outcome import Outcome, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from cxr_enhance.archive.engines.tasks import Task
    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.outcome import Record

    UnderWay: TypeAlias = dict[Any, tuple[int, Task]]

_TASKS_A_THREAD = 8  # submitted at once: enough to keep workers busy, few to drop at the end
_CONNECT_TIMEOUT = "10s"
_GRACE_S = 0.7
_SAFE_PATH = "PYTHONSAFEPATH"


class _RunEndedError(Exception):
    """The run must end, because all further files would fail; workers need not finish tasks."""


class DaskEngine:
    """An engine that uses the workers of a Dask scheduler, or starts processes on this machine.

    Parameters
    ----------
    address : str or None
        Address of the scheduler, such as ``tcp://node1:8786``. None starts a cluster on this
        machine for the run.
    num_workers : int
        Number of processes of the local cluster; each has one thread.

    Raises
    ------
    ImportError
        If Dask is not installed.
    """

    def __init__(self, address: str | None, num_workers: int) -> None:
        self._address, self._num_workers = address, num_workers
        self.is_busy = False
        self._distributed = _load_distributed()

    def run(self, tasks: Iterable[Task], job: Job, workspace: str | None, record: Record) -> None:
        """Carry out `tasks`, and `record` each outcome in the calling thread.

        Returns when all tasks are done, or once `record` returns True; other tasks are dropped.

        Raises
        ------
        ValueError
            If no scheduler answers at the address.
        """
        under_way: UnderWay = {}
        try:
            with contextlib.suppress(_RunEndedError), self._client() as client:
                self._run(client, iter(tasks), job, workspace, record, under_way)
        finally:  # outcomes that Dask did not deliver, after an interrupt or an early end
            for number, _ in under_way.values():
                for outcome in _outcomes_left(workspace or "", number) or ():
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
        """Start workers on this machine; kill the workers if the block ends by an exception.

        Outputs are written atomically, so that a killed worker leaves no incomplete output. The
        cluster is closed if that takes less than a second. Otherwise `is_busy` becomes true, and
        the process may end without closing the cluster.
        """
        with _no_modules_of_working_folder():
            yield from self._started_cluster()

    def _started_cluster(self) -> Iterator[Any]:
        client = cluster = None
        try:
            cluster = self._distributed.LocalCluster(
                n_workers=self._num_workers,
                threads_per_worker=1,
                # Any free port: without an address Dask takes a fixed port, and warns if another
                # cluster of the machine has it.
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
        tasks: Iterator[Task],
        job: Job,
        workspace: str | None,
        record: Record,
        under_way: UnderWay,
    ) -> None:
        completed = self._distributed.as_completed(loop=client.loop)
        numbered = enumerate(tasks)

        def submit(number: int, task: Task) -> None:
            future = client.submit(_carry_out_on_worker, number, task, job, workspace, pure=False)
            under_way[future] = (number, task)
            completed.add(future)

        try:
            while True:
                room = _TASKS_A_THREAD * max(sum(client.nthreads().values()), 1) - len(under_way)
                for _, (number, task) in zip(range(room), numbered, strict=False):
                    submit(number, task)
                if not under_way:
                    return
                for future in (next(completed), *_ready(completed)):
                    # The worker died before the result was fetched; Dask runs the task again.
                    if future.status in ("lost", "pending"):
                        completed.add(future)
                        continue
                    number, task = under_way.pop(future)
                    outcomes = self._outcomes_of(future, task)
                    if outcomes is None:
                        submit(number, task)  # the next worker isolates the task
                        continue
                    run_ends = any([record(outcome) for outcome in outcomes])
                    with contextlib.suppress(OSError):
                        os.unlink(_mark(workspace or "", number, "done"))
                    if run_ends:
                        raise _RunEndedError
        finally:
            if self._address is not None:  # workers of a local cluster end with the run
                with contextlib.suppress(Exception):
                    client.cancel(list(under_way), force=True)

    def _outcomes_of(self, future: Any, task: Task) -> tuple[Outcome, ...] | None:
        """Fetch the outcomes of a task; None if its workers died."""
        try:
            outcomes: tuple[Outcome, ...] = (
                future.result()
            )  # the worker may die before it sends them
        except self._distributed.scheduler.KilledWorker:
            return None
        except Exception as error:
            return failed_task(task, reason_of(error), transient=True)
        return outcomes


def _carry_out_on_worker(number: int, task: Task, job: Job, workspace: str) -> tuple[Outcome, ...]:
    """Carry out a task; use a child process if a worker has died during this task before.

    The file "begun" in the workspace shows the next worker that a worker died during the task. It
    also records whether the output existed before. The file "done" holds the outcomes, in case the
    worker dies before it delivers them.
    """
    warnings.filterwarnings("ignore", module=r"pydicom\b")  # the manifest has notes on these
    begun, done = _mark(workspace, number, "begun"), _mark(workspace, number, "done")
    earlier = _outcomes_left(workspace, number)
    if earlier is not None:
        return earlier
    try:
        with open(begun, "x", encoding="ascii") as mark:
            mark.write("there" if os.path.lexists(task.target) else "absent")
    except FileExistsError:
        with open(begun, encoding="ascii") as mark:
            by_dead_worker = mark.read() == "absent"  # then the dead worker wrote any output
        outcomes = carry_out_isolated(
            task._replace(replace=task.replace or by_dead_worker), job, workspace
        )
    except OSError as error:
        # The likeliest cause: this worker's machine does not see the output folder.
        reason = f"Dask workers must see the output folder under the same name: {reason_of(error)}"
        return failed_task(task, reason, transient=True, ends_run=True)
    else:
        result = carry_out_task(task, job, workspace)
        outcomes = failed_task(task, "not done", transient=True) if result is None else result
    with contextlib.suppress(OSError):  # a worker may die here too, so "begun" goes last
        half = _mark(workspace, number, f"{os.getpid()}.half")
        with open(half, "w", encoding="ascii") as mark:
            json.dump([outcome.to_json() for outcome in outcomes], mark)
        os.replace(half, done)
        os.unlink(begun)
    return outcomes


@contextlib.contextmanager
def _no_modules_of_working_folder() -> Iterator[None]:
    """Let Python processes that start during the block import no module of the working folder.

    `multiprocessing` starts workers as ``python -c``, which searches the working folder first. That
    folder may be an archive of files that strangers wrote, such as a ``pickle.py``.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


def _kill_workers(client: Any, cluster: Any) -> None:
    """Kill a cluster's workers, then close the client and the cluster."""
    if cluster is None:
        return
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        with contextlib.suppress(OSError, TypeError):  # the process is gone, or not started yet
            os.kill(nanny.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    with contextlib.suppress(Exception):
        if client is not None:
            client.close()
        cluster.close()


def _outcomes_left(workspace: str, number: int) -> tuple[Outcome, ...] | None:
    """Read the outcomes in the file "done" of a task; None if there is no such file."""
    with (
        contextlib.suppress(OSError),
        open(_mark(workspace, number, "done"), encoding="ascii") as mark,
    ):
        return tuple(Outcome.from_json(text) for text in json.load(mark))
    return None


def _mark(workspace: str, number: int, state: str) -> str:
    return os.path.join(workspace, f"{number}.{state}")


def _ready(completed: Any) -> list[Any]:
    """Return the futures that are done already, without waiting."""
    return [] if completed.is_empty() else list(completed.next_batch(block=False))


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
