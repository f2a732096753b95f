"""Find the files of a plan that are still to be enhanced, by the manifests of earlier runs."""

from __future__ import annotations

import dataclasses
import os
import sys
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from cxr_enhance._version import __version__
from cxr_enhance.archive._rows import RUN
from cxr_enhance.archive.equal_options import gives_equal_output
from cxr_enhance.archive.manifest import rows_in_order
from cxr_enhance.archive.other_outputs import OtherOutputs
from cxr_enhance.archive.outcome import STATUSES, Outcome
from cxr_enhance.archive.planned_files import PlannedFiles
from cxr_enhance.archive.recorded_files import RecordedFiles
from cxr_enhance.archive.selection import is_not_chosen
from cxr_enhance.archive.workspace import FileId, file_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.manifest import OrderedRow
    from cxr_enhance.archive.planned_files import PlannedFile
    from cxr_enhance.archive.selection import Selection

_NO_ROW = 255
_MIN_TIME, _MAX_TIME = -(1 << 63), (1 << 63) - 1  # nanoseconds; the maximum is in the year 2262


@dataclasses.dataclass(slots=True)
class PendingWork:
    """The files of a plan that must still be enhanced, and the files that need no work.

    Parameters
    ----------
    files : PlannedFiles
        All files of the plan.
    pending : array of int
        Indices of the files to be enhanced, in order.
    replace : bytearray
        For each of `pending`, whether its output is written over.
    settled : array of int
        Indices of the files that need no work.
    settled_as : bytearray
        For each of `settled`, the index of its status in `STATUSES`.
    reasons : dict of int to str
        Reason why a settled file failed or was not chosen, by its index.
    other_options : dict of str to int
        Number of outputs in the folder that were made with other options, by the digest of those
        options. Outputs of inputs that are not in the plan count too.
    fresh : int
        Number of pending files that are not further attempts at files that failed.
    changed : int
        Number of inputs that have changed since they were read; they are enhanced again.
    edited : int
        Number of outputs whose size has changed since they were written; they are left as they are.
    edited_changed : int
        Number of `edited` outputs whose inputs have changed too.
    unrecorded : int
        Number of outputs that no manifest records as written; they are left as they are.
    unrecorded_changed : int
        Number of `unrecorded` outputs whose inputs changed after a run first found the output.
    known_options : dict of str to dict
        Options by their digest.
    latest_row_ns : int
        Latest time of the rows of earlier runs; 0 if no row has a time.
    """

    files: PlannedFiles
    pending: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    replace: bytearray = dataclasses.field(default_factory=bytearray)
    settled: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    settled_as: bytearray = dataclasses.field(default_factory=bytearray)
    reasons: dict[int, str] = dataclasses.field(default_factory=dict)
    other_options: dict[str, int] = dataclasses.field(default_factory=dict)
    fresh: int = 0
    changed: int = 0
    edited: int = 0
    edited_changed: int = 0
    unrecorded: int = 0
    unrecorded_changed: int = 0
    known_options: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    latest_row_ns: int = 0

    def add(self, index: int, *, replace: bool) -> None:
        """Append a file to be enhanced."""
        self.pending.append(index)
        self.replace.append(replace)

    def files_to_do(self) -> Iterator[PlannedFile]:
        """Yield the pending files."""
        for index, replace in zip(self.pending, self.replace, strict=True):
            yield self.files[index]._replace(replace=bool(replace))

    def tasks(self) -> Iterator[PlannedFile]:
        """Yield the tasks for an engine: each file is a task."""
        return self.files_to_do()

    def settled_outcomes(self) -> Iterator[Outcome]:
        """Yield the outcomes of the settled files."""
        for index, status in zip(self.settled, self.settled_as, strict=True):
            file = self.files[index]
            yield Outcome(file.source, file.target, STATUSES[status], self.reasons.get(index, ""))


class _LastRows:
    """The last row of each planned file, in a few bytes per file.

    Size and options of an output come from its last row `written`, even if a later attempt failed.
    A row `exists` is used only if no run wrote the output.
    """

    def __init__(self, files: PlannedFiles) -> None:
        self._files, count = files, len(files)
        self.status = bytearray([_NO_ROW]) * count
        self.retry = bytearray(count)
        self.input_size, self.input_mtime_ns, self.output_size = (
            array("q", [-1]) * count for _ in range(3)
        )
        self.params, self.written_params = (array("I", bytes(4 * count)) for _ in range(2))
        self.same_version = bytearray(count)
        # For each file whose last row `written` has no time: the number of its manifest plus 1.
        self.undated_in = array("I", bytes(4 * count))
        self.digests: dict[str, int] = {}
        self.reasons: dict[int, str] = {}

    def update(self, index: int, ordered: OrderedRow) -> None:
        row = ordered.fields
        if row["status"] == "exists" and self.was_written(index):
            return
        if row["status"] == "written" and self._is_outdated(index, ordered):
            return
        self.status[index] = STATUSES.index(row["status"])
        self.retry[index] = bool(row.get("retry"))
        self.input_size[index] = _number(row, "input_size", 0, -1)
        self.input_mtime_ns[index] = _number(row, "input_mtime_ns", _MIN_TIME + 1, _MIN_TIME)
        digest = str(row.get("params"))
        self.params[index] = self.digests.setdefault(digest, len(self.digests))
        if row["status"] == "written":
            self.output_size[index] = _number(row, "output_size", 0, -1)
            self.written_params[index] = self.params[index]
            self.undated_in[index] = 0 if ordered.time_ns else ordered.manifest + 1
        self.same_version[index] = row.get("version") == __version__
        self.reasons.pop(index, None)
        reason = str(row.get("error", ""))
        if row["status"] == "failed" or (row["status"] == "skipped" and is_not_chosen(reason)):
            self.reasons[index] = sys.intern(reason)  # one text in memory for many files

    def _is_outdated(self, index: int, ordered: OrderedRow) -> bool:
        """Return whether the output on the disk agrees with the stored row and not with this row.

        This decides between manifests of older versions, whose rows have no time. Rows of one
        manifest are in order.
        """
        if self.undated_in[index] in (0, ordered.manifest + 1):
            return False
        size = _size(self._files.target(index))
        return size == self.output_size[index] != _number(ordered.fields, "output_size", 0, -1)

    def was_written(self, index: int) -> bool:
        """Return whether any run wrote the output, even if a later attempt failed."""
        return self.status[index] == STATUSES.index("written") or self.output_size[index] >= 0


def _number(row: dict[str, Any], name: str, least: int, otherwise: int) -> int:
    value = row.get(name)
    return otherwise if value is None or value < least else min(value, _MAX_TIME)


def find_pending(
    files: PlannedFiles,
    manifests: Sequence[str],
    job: Job,
    *,
    overwrite: bool,
    retry_failed: bool,
    unrecorded: Collection[FileId] = (),
) -> PendingWork:
    """Compare a plan with the rows of earlier runs.

    A file is enhanced again if

    - its output is missing,
    - it failed for a transient reason, with other options, or with another version of this library,
    - an earlier run did not choose it by a criterion that this run does not have,
    - it has changed since it was read.

    An output is overwritten only in three cases: the manifest shows that a run wrote the output and
    the output still has the size that it had then, a killed run left proof that it wrote the
    output, or `overwrite` is true. A change that keeps the size is not noticed.

    Parameters
    ----------
    files : PlannedFiles
        The files of the plan.
    manifests : sequence of str
        Paths of the manifests. The last row of a file counts, by the order of `rows_in_order`.
    job : Job
        Options of this run.
    overwrite : bool
        Whether every file is enhanced again.
    retry_failed : bool
        Whether files are tried again that failed for a reason that is not transient.
    unrecorded : collection of FileId
        Outputs that killed runs wrote and did not record; they are written again.

    Returns
    -------
    PendingWork
    """
    work = PendingWork(files)
    rows = _last_rows(files, manifests, job, work)
    current = _CurrentRun(job.digest(), job.to_dict(), job.selection, retry_failed)
    digests = list(rows.digests)
    for index in range(len(files)):
        left_by_killed_run = bool(unrecorded) and file_id(files.target(index)) in unrecorded
        if overwrite or left_by_killed_run or rows.status[index] == _NO_ROW:
            work.add(index, replace=overwrite or left_by_killed_run)
            work.fresh += 1
            continue
        _settle(index, rows, digests, work, current)
    return work


class _CurrentRun(NamedTuple):
    """Options of this run, which rows of earlier runs are compared with."""

    digest: str
    options: dict[str, Any]
    selection: Selection
    retry_failed: bool


def _last_rows(
    files: PlannedFiles, manifests: Sequence[str], job: Job, work: PendingWork
) -> _LastRows:
    rows = _LastRows(files)
    if not manifests:
        return rows
    recorded_files = RecordedFiles(files)
    others = OtherOutputs(files.out, job, recorded_files)
    for ordered in rows_in_order(manifests):
        row = ordered.fields
        work.latest_row_ns = ordered.time_ns  # the order is that of the times
        if row["status"] == RUN:
            work.known_options[str(row.get("params"))] = row["options"]
            continue
        index = recorded_files.find(row)
        if index is not None:
            rows.update(index, ordered)
        if row["status"] == "written":
            others.update(row, is_planned=index is not None)
    work.other_options.update(others.counts(work.known_options))
    return rows


def _settle(
    index: int, rows: _LastRows, digests: list[str], work: PendingWork, current: _CurrentRun
) -> None:
    """Decide from its last row whether a file is enhanced again, and add the file to `work`."""
    status = STATUSES[rows.status[index]]
    row_digest = digests[rows.params[index]]
    changed = _has_changed(index, rows, work.files.source(index))
    again, replace = False, False
    if status in ("failed", "skipped"):
        is_same_run = row_digest == current.digest and rows.same_version[index]
        is_lasting = is_same_run and not rows.retry[index]
        again = changed or (status == "failed" and (current.retry_failed or not is_lasting))
        if status == "skipped":
            again = again or not current.selection.would_skip_again(rows.reasons.get(index, ""))
        if again and rows.was_written(index):  # an earlier run wrote the output, a later one failed
            replace = _size(work.files.target(index)) == rows.output_size[index]
    else:
        size = _size(work.files.target(index))
        if size is None:
            again = True
        elif status == "written":
            as_written = size == rows.output_size[index]
            lost = size == 0 and not as_written  # a power cut leaves empty files
            again = replace = lost or (changed and as_written)
            is_edited = not as_written and not lost
            work.edited += is_edited
            work.edited_changed += is_edited and changed
        else:
            work.unrecorded += 1
            work.unrecorded_changed += changed
    work.changed += changed and again
    if not again and rows.was_written(index) and _size(work.files.target(index)) is not None:
        made_with = digests[rows.written_params[index]]
        if made_with != current.digest and not gives_equal_output(
            work.known_options.get(made_with, {}), current.options, work.files.target(index)
        ):
            work.other_options[made_with] = work.other_options.get(made_with, 0) + 1
    if again:
        work.add(index, replace=replace)
        work.fresh += status != "failed"
        return
    work.settled.append(index)
    work.settled_as.append(STATUSES.index("exists" if status == "written" else status))
    if index in rows.reasons:
        work.reasons[index] = rows.reasons[index]


def _has_changed(index: int, rows: _LastRows, source: str) -> bool:
    try:
        status = os.stat(source)
    except OSError:
        return rows.input_size[index] != -1  # -1: the input was missing then too
    recorded = (rows.input_size[index], rows.input_mtime_ns[index])
    return recorded != (status.st_size, min(status.st_mtime_ns, _MAX_TIME))


def _size(path: str) -> int | None:
    try:
        return os.lstat(path).st_size
    except OSError:
        return None
