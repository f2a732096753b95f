"""The manifest: one row for each file with its input, output, status and reason.

Rows are JSON lines. A writer appends each row in one step, under a lock. The next writer removes a
row that a killed run cut short, and readers ignore such a row. Any other text at the end of the
file stays, and gets a line end.

Each row has the time when it was written. The rows of several manifests are put in order by these
times, because a manifest that gets one new row may hold many rows that are older than the rows of
another manifest.
"""

from __future__ import annotations

import errno
import glob
import heapq
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from cxr_enhance._version import __version__
from cxr_enhance.archive._rows import RUN, check_is_manifest, is_incomplete_row, row_of, time_of
from cxr_enhance.io.locks import locked
from cxr_enhance.preparation.transform import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.outcome import Outcome
    from cxr_enhance.archive.plan import Shard

MANIFEST_NAME = "manifest.jsonl"
_TAIL_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 16


def manifest_path(base: str, shard: Shard | None) -> str:
    """Return the manifest of a shard.

    Each shard has its own manifest in the folder of `base`, because appending over NFS is not
    atomic.
    """
    if shard is None or shard.total == 1:
        return base
    stem, extension = os.path.splitext(base)
    return f"{stem}-{shard.number}-of-{shard.total}{extension}"


def manifest_family(base: str) -> list[str]:
    """List the existing manifests: `base` and the manifests of its shards.

    The manifest whose file changed last comes last. This order decides only between rows without a
    time; see `rows_in_order`.
    """
    stem, extension = os.path.splitext(base)
    candidates = [base, *glob.glob(f"{glob.escape(stem)}-*-of-*{glob.escape(extension)}")]
    manifests = [path for path in candidates if os.path.isfile(path)]
    return sorted(manifests, key=lambda path: os.stat(path).st_mtime_ns)


def read_rows(path: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest, including rows of options; skip lines that are not rows.

    Raises
    ------
    OSError
        If the manifest cannot be read.
    """
    for line in _complete_lines(path):
        row = row_of(line)
        if row is not None:
            yield row


def _complete_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, without a last line that has no line end.

    The file is opened for each block anew, because a process may not have a thousand open files,
    and a run may have a thousand manifests.
    """
    offset = 0
    while True:
        with open(path, "rb") as file:
            file.seek(offset)
            lines = file.readlines(_BLOCK_BYTES)
        for line in lines:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield line
        if not lines:
            return


class OrderedRow(NamedTuple):
    """A row with its place in the order of all rows.

    `time_ns` is the latest time of the manifest's rows up to this one, so that rows of one manifest
    keep their order even if a clock was set back; 0 if no row up to this one has a time.
    """

    time_ns: int
    manifest: int  # index of the manifest in the given sequence
    fields: dict[str, Any]


def rows_in_order(manifests: Sequence[str]) -> Iterator[OrderedRow]:
    """Yield the rows of several manifests, in the order in which they were written.

    Rows of older versions have no time. They come first, in the order of `manifests`.

    Raises
    ------
    OSError
        If a manifest cannot be read.
    """
    return heapq.merge(
        *(_rows_of(path, number) for number, path in enumerate(manifests)),
        key=lambda row: row.time_ns,
    )


def _rows_of(path: str, number: int) -> Iterator[OrderedRow]:
    latest = 0
    for fields in read_rows(path):
        latest = max(latest, time_of(fields))
        yield OrderedRow(latest, number, fields)


class ManifestWriter:
    """Appends rows to a manifest; safe in several threads and processes at once.

    Parameters
    ----------
    path : str
        The manifest; made if it does not exist.
    job : Job
        Options of the run; rows contain their digest.
    after_ns : int
        Latest time of the rows that the run has read. The times of new rows are later, even if
        this machine's clock is wrong.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If the file is not a manifest.
    """

    def __init__(self, path: str, job: Job, after_ns: int = 0) -> None:
        self._path, self._digest, self._after_ns = path, job.digest(), after_ns
        self._thread_lock = threading.Lock()
        check_is_manifest(path)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags, 0o666)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._thread_lock:
            os.close(self._file)
            self._file = -1  # the system may give the number to another file

    def add_options(self, job: Job) -> None:
        """Append the row that stores the options of the digest."""
        options = {"status": RUN, "params": self._digest, "version": __version__}
        self._append(lambda: {**options, "options": job.to_dict()})

    def add(self, outcome: Outcome) -> Outcome:
        """Append the row of one file, and return the outcome as it was recorded.

        If another run has written over the output meanwhile, the recorded status is `exists`. The
        row `written` is the other run's, and may precede this row.

        Raises
        ------
        OSError
            If the row cannot be written completely, as on a full disk. No part of the row remains
            in the file.
        """
        recorded = outcome

        def row() -> dict[str, Any]:
            nonlocal recorded
            if outcome.status == "written" and _was_replaced(outcome):
                recorded = outcome._replace(status="exists", output_size=None, transform=None)
            return self._row(recorded)

        self._append(row)
        return recorded

    def _row(self, outcome: Outcome) -> dict[str, Any]:
        transform = outcome.transform
        return {
            "input": outcome.source,
            "output": outcome.target,
            "status": outcome.status,
            "error": outcome.reason,
            "retry": outcome.transient,
            "input_size": outcome.input_size,
            "input_mtime_ns": outcome.input_mtime_ns,
            "output_size": outcome.output_size,
            "params": self._digest,
            "version": __version__,
            "seconds": round(outcome.seconds, 4),
            "notes": "; ".join(filter(None, (outcome.notes, outcome.polarity))),
            "decoder": outcome.decoder,
            **(dict.fromkeys(COLUMNS) if transform is None else transform.to_dict()),
            "time_ns": max(time.time_ns(), self._after_ns + 1),
        }

    def _is_in_place(self) -> bool:
        """Return whether the open file is still the file at the manifest's path."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except OSError:
            return False

    def _append(self, row: Callable[[], dict[str, Any]]) -> None:
        """Append the row that `row` makes; `row` is called under the lock."""
        if self._file < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self._path)
        if not self._is_in_place():
            raise FileNotFoundError(errno.ENOENT, "It was moved or removed", self._path)
        with self._thread_lock, locked(self._file):
            # JSON's escapes keep a name on one line, and keep every byte of it.
            line = json.dumps(row(), separators=(",", ":")).encode("ascii") + b"\n"
            size, end = os.fstat(self._file).st_size, _end_of_whole_lines(self._file)
            if end < size:
                left = _read_at(self._file, end, min(size - end, _TAIL_BYTES << 4))
                if is_incomplete_row(left, needs_second_column=not end):
                    os.ftruncate(self._file, end)
                else:
                    line, end = b"\n" + line, size
            try:
                written = os.write(self._file, line)
                while written < len(line):  # a full disk writes a part, and the next write raises
                    written += os.write(self._file, line[written:])
            except OSError as error:
                os.ftruncate(self._file, end)
                raise OSError(error.errno, error.strerror, self._path) from error


def _was_replaced(outcome: Outcome) -> bool:
    """Return whether another file has replaced the output since it was written."""
    try:
        return bool(outcome.link) and not os.path.samefile(outcome.link, outcome.target)
    except OSError:  # link or output is gone: the next run sees that the output is missing
        return False


def _end_of_whole_lines(descriptor: int) -> int:
    """Find the offset at which the last complete line ends."""
    size = os.fstat(descriptor).st_size
    end = size
    while end:
        start = max(end - (1 if end == size else _TAIL_BYTES), 0)
        part = _read_at(descriptor, start, end - start)
        line_end = part.rfind(b"\n")
        if line_end >= 0:
            return start + line_end + 1
        end = start
    return end


def _read_at(descriptor: int, start: int, length: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)  # O_APPEND writes at the end regardless
    return os.read(descriptor, length)
