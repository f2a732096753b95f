"""The same work on Dask workers: processes of this machine, or of a cluster's.

Workers may die. Dask runs a dead worker's tasks again elsewhere; a file that was being processed
when a worker died is then processed in a process of its own, and is quarantined if that dies too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import warnings
from typing import TYPE_CHECKING, Any

from cxr_enhance.archive.engines.isolated import process_isolated
from cxr_enhance.archive.outcome import Outcome, reason_of
from cxr_enhance.archive.task import process

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import TypeAlias

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.task import Item

    UnderWay: TypeAlias = dict[Any, tuple[int, Item]]

_TASKS_A_THREAD = 8  # under way at once: enough to keep workers busy, few enough to drop at an end
_CONNECT_SECONDS = "10s"
_GRACE_SECONDS = 0.7


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
        self,
        items: Iterable[Item],
        job: Job,
        workspace: str | None,
        record: Callable[[Outcome], Outcome],
    ) -> Generator[Outcome]:
        """Process `items` and yield each outcome, once recorded, as they come.

        Raises
        ------
        ValueError
            If no scheduler answers at the address.
        """
        under_way: UnderWay = {}
        try:
            with self._client() as client:
                yield from self._run(client, iter(items), job, workspace, record, under_way)
        finally:  # what was done and not come back; none but after an interrupt
            for number, _ in under_way.values():
                outcome = _answer(workspace or "", number)
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
                self._address, set_as_default=False, timeout=_CONNECT_SECONDS
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
            closing = threading.Thread(target=_end, args=(client, cluster), daemon=True)
            closing.start()
            closing.join(_GRACE_SECONDS)
            self.is_busy = closing.is_alive()
            raise
        client.close()
        cluster.close()

    def _run(
        self,
        client: Any,
        items: Iterator[Item],
        job: Job,
        workspace: str | None,
        record: Callable[[Outcome], Outcome],
        under_way: UnderWay,
    ) -> Generator[Outcome]:
        done = self._distributed.as_completed(loop=client.loop)
        numbered = enumerate(items)

        def submit(number: int, item: Item) -> None:
            future = client.submit(_process_on_worker, number, item, job, workspace, pure=False)
            under_way[future] = (number, item)
            done.add(future)

        try:
            while True:
                room = _TASKS_A_THREAD * max(sum(client.nthreads().values()), 1) - len(under_way)
                for _, (number, item) in zip(range(room), numbered, strict=False):
                    submit(number, item)
                if not under_way:
                    return
                for future in (next(done), *_ready(done)):
                    # Lost with its worker before it was fetched; Dask does it again.
                    if future.status in ("lost", "pending"):
                        done.add(future)
                        continue
                    number, item = under_way.pop(future)
                    outcome = self._outcome_of(future, item)
                    if outcome is None:
                        submit(number, item)  # its guilt, if any, is seen to by the worker
                        continue
                    yield record(outcome)
                    with contextlib.suppress(OSError):
                        os.unlink(_mark(workspace or "", number, "done"))
        finally:
            if self._address is not None:  # else the workers end with us
                with contextlib.suppress(Exception):
                    client.cancel(list(under_way), force=True)

    def _outcome_of(self, future: Any, item: Item) -> Outcome | None:
        """Take what came of a file; None where its workers died."""
        try:
            outcome: Outcome = future.result()  # its worker may die even now
        except self._distributed.scheduler.KilledWorker:
            return None
        except Exception as error:
            return _failed(item, error)
        return outcome


def _process_on_worker(number: int, item: Item, job: Job, workspace: str) -> Outcome:
    """Process a file, or, where a worker died over it, have a process of its own do so.

    A mark in the workspace tells the next worker that one died over the file, and whether the
    output was there before; another, once it is done, holds the outcome, which may be lost on its
    way.
    """
    warnings.filterwarnings("ignore", module=r"pydicom\b")  # told by the manifest's notes
    mark, done = _mark(workspace, number, "begun"), _mark(workspace, number, "done")
    known = _answer(workspace, number)
    if known is not None:
        return known
    try:
        with open(mark, "x", encoding="ascii") as file:
            file.write("there" if os.path.lexists(item.target) else "absent")
    except FileExistsError:
        with open(mark, encoding="ascii") as file:
            ours = file.read() == "absent"  # what is there now, the dead worker wrote
        outcome = process_isolated(item._replace(replace=item.replace or ours), job, workspace)
    except OSError as error:
        # Above all: this machine does not see the output folder.
        where = f"Dask workers must see the output folder under the same name: {reason_of(error)}"
        return Outcome(item.source, item.target, "failed", where, passing=True, ends_run=True)
    else:
        result = process(item, job, workspace)
        outcome = _failed(item, None) if result is None else result
    with contextlib.suppress(OSError):  # the first mark stays whole: a worker may die here too
        half = _mark(workspace, number, f"{os.getpid()}.half")
        with open(half, "w", encoding="ascii") as file:
            json.dump(outcome._asdict(), file)
        os.replace(half, done)
        os.unlink(mark)
    return outcome


def _end(client: Any, cluster: Any) -> None:
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


def _answer(workspace: str, number: int) -> Outcome | None:
    """Read what a worker left of a file that it had done."""
    with (
        contextlib.suppress(OSError),
        open(_mark(workspace, number, "done"), encoding="ascii") as file,
    ):
        return Outcome(**json.load(file))
    return None


def _mark(workspace: str, number: int, state: str) -> str:
    return os.path.join(workspace, f"{number}.{state}")


def _ready(done: Any) -> list[Any]:
    """Futures that are done already, without waiting."""
    return [] if done.is_empty() else list(done.next_batch(block=False))


def _failed(item: Item, error: BaseException | None) -> Outcome:
    reason = "not done" if error is None else reason_of(error)
    return Outcome(item.source, item.target, "failed", reason, passing=True)


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
