"""Find the files of samples that must still be written, from the indexes of existing files."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import glob
import os
from array import array
from typing import TYPE_CHECKING, Any

from cxr_enhance._version import __version__
from cxr_enhance.archive.manifest import rows_in_order
from cxr_enhance.archive.outcome import STATUSES, Outcome
from cxr_enhance.archive.planned_files import PlannedFile
from cxr_enhance.archive.samples.containers import ENDINGS
from cxr_enhance.archive.samples.index import check_index_names
from cxr_enhance.archive.samples.plan import SamplePlan
from cxr_enhance.archive.samples.task import (
    PlannedSample,
    PlannedSamples,
    columns_digest,
    file_sha256,
)
from cxr_enhance.archive.workspace import file_id
from cxr_enhance.io.samples import INDEX_ENDING, index_path, read_index

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.workspace import FileId

_FAILED_BEFORE = "failed in an earlier run, whose row in the manifest tells why"


@dataclasses.dataclass(slots=True)
class PendingSamples:
    """The files of samples that must still be written, and the files that earlier runs wrote.

    Parameters
    ----------
    plan : SamplePlan
        All files of samples.
    numbers : array of int
        Numbers of the files of samples to be written, in order.
    replace : bytearray
        For each of `numbers`, whether the file is overwritten.
    pending : array of int
        Indices in the plan of the images to be read.
    settled : array of int
        Indices in the plan of the images in files of samples that need no work.
    settled_as : bytearray
        For each of `settled`, the index of its status in `STATUSES`.
    stale : dict of str to int or None
        Files of samples with images that the plan does not put there, and their numbers in the
        plan; None for a file that the plan lacks.
    other_files : list of str
        Paths at which an index would be written but another file exists.
    left : array of int
        Numbers of the files of samples that changed since a run wrote them, or that no run wrote;
        they are not changed.
    other_options : dict of str to int
        Number of images that were written with other options, by the digest of those options.
        Images that belong to other parts of the plan count too.
    changed : int
        Number of images that have changed since they were read.
    edited : int
        Number of images in files of samples that have changed since a run wrote them.
    unrecorded : int
        Number of images in files of samples that no run wrote.
    known_options : dict of str to dict
        Options by their digest.
    reasons : dict of int to str
        Reason why a settled image was not chosen, by its index in the plan.
    """

    plan: SamplePlan
    numbers: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    replace: bytearray = dataclasses.field(default_factory=bytearray)
    pending: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    settled: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    settled_as: bytearray = dataclasses.field(default_factory=bytearray)
    stale: dict[str, int | None] = dataclasses.field(default_factory=dict)
    other_files: list[str] = dataclasses.field(default_factory=list)
    left: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    other_options: dict[str, int] = dataclasses.field(default_factory=dict)
    changed: int = 0
    edited: int = 0
    unrecorded: int = 0
    known_options: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    reasons: dict[int, str] = dataclasses.field(default_factory=dict)

    def add(self, number: int, *, replace: bool) -> None:
        """Append a file of samples to be written."""
        self.numbers.append(number)
        self.replace.append(replace)
        self.pending.extend(self.plan.indices(number))

    def count_if_other(self, number: int, index: dict[str, Any], job: Job) -> None:
        """Count the images of a file of samples if its options are not those of `job`."""
        digest = str(index.get("params"))
        if digest == job.digest():
            return
        if isinstance(index.get("options"), dict):
            self.known_options[digest] = index["options"]
        count = self.other_options.get(digest, 0) + len(self.plan.indices(number))
        self.other_options[digest] = count

    def settle(self, number: int, statuses: Iterable[str]) -> None:
        """Append the images of a file of samples that needs no work."""
        self.settled.extend(self.plan.indices(number))
        self.settled_as.extend(STATUSES.index(status) for status in statuses)

    @property
    def fresh(self) -> int:
        """Number of images to be read: all images of the files of samples to be written."""
        return len(self.pending)

    def files_to_do(self) -> Iterator[PlannedFile]:
        """Yield the images to be read."""
        for task in self.tasks():
            for sample in task.samples:
                yield PlannedFile(
                    sample.source, task.target, sample.is_named_by_user, replace=task.replace
                )

    def tasks(self) -> Iterator[PlannedSamples]:
        """Yield the tasks for an engine: each file of samples is a task."""
        plan = self.plan
        for number, replace in zip(self.numbers, self.replace, strict=True):
            samples = []
            for index in plan.indices(number):
                file = plan.files[index]
                columns = plan.columns(index)
                samples.append(
                    PlannedSample(file.source, plan.key(index), file.is_named_by_user, columns)
                )
            yield PlannedSamples(
                plan.target(number), plan.options.container, tuple(samples), bool(replace)
            )

    def settled_outcomes(self) -> Iterator[Outcome]:
        """Yield the outcomes of the settled images."""
        for index, status_index in zip(self.settled, self.settled_as, strict=True):
            target = self.plan.target(index // self.plan.options.samples_per_file)
            status = STATUSES[status_index]
            reason = _FAILED_BEFORE if status == "failed" else self.reasons.get(index, "")
            yield Outcome(self.plan.files.source(index), target, status, reason)

    def check(self, *, overwrite: bool) -> None:
        """Refuse a folder that holds samples of another plan, or other files in place of indexes.

        Raises
        ------
        ValueError
            If the folder holds such files; with `overwrite`, if a file of samples that would be
            removed has changed since a run wrote it.
        OSError
            If a file cannot be read.
        """
        check_index_names(self.plan.out, overwrite=overwrite)
        if self.other_files and not overwrite:
            raise ValueError(
                f"`--out` must not hold other files where samples go; got {self.other_files[0]!r}. "
                "Choose another folder."
            )
        if self.stale and not overwrite:
            raise ValueError(
                f"`--out` must hold no samples of other files, or of another --samples-per-file; "
                f"got {len(self.stale)} such files, such as {next(iter(self.stale))!r}. Choose "
                "another folder, or say --overwrite to replace them."
            )
        for path in self.stale:
            index = read_index(index_path(path))
            if index is not None and not _is_as_written(path, index):
                raise ValueError(
                    f"`--out` must hold samples of other files as they were written, to be "
                    f"replaced; got {path!r}, which has changed since. Move it away."
                )

    def remove_stale(self) -> None:
        """Remove the stale files of samples and their indexes.

        Raises
        ------
        OSError
            If a file cannot be removed.
        """
        for path, number in self.stale.items():
            index = read_index(index_path(path))
            if index is None or not _is_stale(path, index, self.plan, number):
                continue  # another part of the run has replaced the file meanwhile
            for name in (path, index_path(path)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)

    def images_left(self) -> int:
        """Count the images in files of samples that still differ from what a run wrote."""
        count = 0
        for number in self.left:
            target = self.plan.target(number)
            index = read_index(index_path(target))
            if index is None or not _is_as_written(target, index):
                count += len(self.plan.indices(number))
        return count


def find_pending_samples(
    plan: SamplePlan,
    manifests: Sequence[str],
    job: Job,
    *,
    overwrite: bool,
    retry_failed: bool,
    unrecorded: Collection[FileId] = (),
) -> PendingSamples:
    """Compare a plan with the files of samples in its folder; change nothing.

    A file of samples is written again if

    - it is missing, or a killed run left it without its index,
    - one of its images, or the columns of an image, have changed since,
    - one of its images failed for a transient reason,
    - one of its images was not chosen, by a criterion that this run does not have,
    - the plan assigns further images to it.

    A file is overwritten only in three cases: its index shows that a run wrote the file and that
    the file has not changed since, a killed run left proof that it wrote the file, or `overwrite`
    is true.

    Parameters
    ----------
    plan : SamplePlan
        The planned files of samples of the folder.
    manifests : sequence of str
        Paths of the manifests of earlier runs.
    job : Job
        Options of this run.
    overwrite : bool
        Whether every file of samples is written again.
    retry_failed : bool
        Whether images are tried again that failed for a reason that is not transient.
    unrecorded : collection of FileId
        Files that killed runs wrote and did not record; they are written again.

    Returns
    -------
    PendingSamples

    Raises
    ------
    OSError
        If an index or a manifest cannot be read.
    """
    work = PendingSamples(plan)
    changed = []
    numbers = {plan.name(number): number for number in range(len(plan))}
    own_numbers = set(plan.numbers())
    for ending in ENDINGS.values():
        for path in sorted(glob.glob(f"{glob.escape(plan.out)}/*{ending}{INDEX_ENDING}")):
            file = path.removesuffix(INDEX_ENDING)
            index, number = read_index(path), numbers.get(os.path.basename(file))
            if index is None:
                if number is not None and os.path.getsize(path):
                    work.other_files.append(path)
            elif _is_stale(file, index, plan, number):
                work.stale[file] = number
            elif number is not None and number not in own_numbers and os.path.lexists(file):
                work.count_if_other(number, index, job)
    for number in plan.numbers():
        target = plan.target(number)
        left_by_killed_run = bool(unrecorded) and file_id(target) in unrecorded
        if overwrite or left_by_killed_run or not os.path.lexists(target):
            work.add(number, replace=overwrite or left_by_killed_run)
        else:
            before = work.changed
            _settle(number, work, job, retry_failed=retry_failed)
            if work.changed > before:
                changed.append(number)
    if changed:
        work.stale |= _of_other_inputs(changed, plan, manifests)
    return work


def _of_other_inputs(
    numbers: Sequence[int], plan: SamplePlan, manifests: Sequence[str]
) -> dict[str, int]:
    """Find the files of samples that were written from other inputs, which still exist.

    The images of such a file have not changed: they are other images of the same names, in another
    folder. An input that does not exist any more may have been moved.
    """
    real = functools.lru_cache(_realpath)
    last_input = dict.fromkeys((real(plan.target(number)) for number in numbers), "")
    for _, _, row in rows_in_order(manifests):
        if row["status"] == "written" and real(row["output"]) in last_input:
            last_input[real(row["output"])] = row["input"]
    others = {}
    for number in numbers:
        target = plan.target(number)
        source = last_input[real(target)]
        planned = {os.path.realpath(plan.files.source(place)) for place in plan.indices(number)}
        if os.path.lexists(source) and _realpath(source) not in planned:
            others[target] = number
    return others


def _realpath(path: str) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:  # an edited row with a name that no file can have
        return path


def _is_stale(file: str, index: dict[str, Any], plan: SamplePlan, number: int | None) -> bool:
    """Return whether a file of samples exists and holds an image that is not planned for it."""
    if not os.path.lexists(file):
        return False
    if number is None:
        return True
    return not {record["key"] for record in _input_records(index)} <= set(plan.keys(number))


def _settle(number: int, work: PendingSamples, job: Job, *, retry_failed: bool) -> None:
    """Decide whether an existing file of samples is written again; add it to `work`."""
    plan, target = work.plan, work.plan.target(number)
    indices = plan.indices(number)
    index = read_index(index_path(target))
    if index is None or not _is_as_written(target, index):
        if index is not None and os.lstat(target).st_size == 0:  # a power cut leaves empty files
            work.add(number, replace=True)
            return
        work.unrecorded += len(indices) * (index is None)
        work.edited += len(indices) * (index is not None)
        work.left.append(number)
        work.settle(number, ["exists"] * len(indices))
        return
    digest = str(index.get("params"))
    if isinstance(index.get("options"), dict):
        work.known_options[digest] = index["options"]
    record_of = {record["key"]: record for record in _input_records(index)}
    records = [record_of.get(key) for key in plan.keys(number)]
    changed = sum(
        record is not None and _has_changed(record, plan.files.source(place))
        for record, place in zip(records, indices, strict=True)
    )
    is_same_run = digest == job.digest() and index.get("version") == __version__
    retries_all = retry_failed or not is_same_run
    retries_any = any(
        record["status"] == "failed" and (retries_all or bool(record.get("retry")))
        for record in records
        if record is not None
    )
    reasons = {
        place: str(record["reason"])
        for record, place in zip(records, indices, strict=True)
        if record is not None and record["status"] == "skipped" and record.get("reason")
    }
    has_newly_chosen = not all(map(job.selection.would_skip_again, reasons.values()))
    columns = columns_digest([plan.columns(place) for place in indices])
    if (
        changed
        or retries_any
        or has_newly_chosen
        or None in records
        or columns != index.get("columns")
    ):
        work.changed += changed
        work.add(number, replace=True)
        return
    work.reasons.update(reasons)
    statuses = (record["status"] for record in records if record is not None)
    work.settle(number, ("exists" if status == "written" else status for status in statuses))
    work.count_if_other(number, index, job)


def _input_records(index: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the valid records of images of an index; people may have edited the index."""
    inputs = index.get("inputs")
    if not isinstance(inputs, list):
        return []
    return [
        record
        for record in inputs
        if isinstance(record, dict)
        and isinstance(record.get("key"), str)
        and record.get("status") in ("written", "skipped", "failed")
    ]


def _is_as_written(path: str, index: dict[str, Any]) -> bool:
    """Compare a file of samples with its index; hash the file only if its time has changed."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    if status.st_size != index.get("bytes"):
        return False
    return status.st_mtime_ns == index.get("mtime_ns") or file_sha256(path) == index.get("sha256")


def _has_changed(record: dict[str, Any], source: str) -> bool:
    try:
        status = os.stat(source)
    except OSError:
        return record.get("input_size") is not None  # None: the input was missing then too
    return (record.get("input_size"), record.get("input_mtime_ns")) != (
        status.st_size,
        status.st_mtime_ns,
    )
