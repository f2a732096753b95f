"""Which files of samples are still to be written, given the indexes beside those that are there."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import os
from array import array
from typing import TYPE_CHECKING, Any

from cxr_enhance._version import __version__
from cxr_enhance.archive.outcome import STATUSES, Outcome
from cxr_enhance.archive.plan import PlannedFile
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
    from collections.abc import Collection, Iterable, Iterator

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.workspace import FileId

_FAILED_BEFORE = "failed in an earlier run, whose row in the manifest tells why"


@dataclasses.dataclass(slots=True)
class PendingSamples:
    """The files of samples that are to be written, and what earlier runs did with the others.

    Parameters
    ----------
    plan : SamplePlan
        All of them.
    numbers : array of int
        Those to be written, in order.
    replace : bytearray
        For each of `numbers`, whether it is written over.
    pending, settled : array of int
        Images to be read, and those in files of samples that need nothing, by their places in the
        plan.
    settled_as : bytearray
        For each of `settled`, the place of its status in the tuple of statuses.
    stale : dict of str to int or None
        Files of samples that hold images they are not to hold, and their numbers in this plan.
    taken : list of str
        Names of indexes under which other files lie.
    left : array of int
        Files of samples that are not as a run wrote them; they are left.
    other_options : dict of str to int
        How many images were written with other options, by the options' digest.
    changed, edited, unrecorded : int
        Images that changed since; those in files that changed since, and in files no run wrote.
    known_options : dict of str to dict
        Options by their digest.
    reasons : dict of int to str
        Why settled images were not chosen, by their places in the plan.
    """

    plan: SamplePlan
    numbers: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    replace: bytearray = dataclasses.field(default_factory=bytearray)
    pending: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    settled: array[int] = dataclasses.field(default_factory=lambda: array("I"))
    settled_as: bytearray = dataclasses.field(default_factory=bytearray)
    stale: dict[str, int | None] = dataclasses.field(default_factory=dict)
    taken: list[str] = dataclasses.field(default_factory=list)
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

    def settle(self, number: int, statuses: Iterable[str]) -> None:
        """Append the images of a file of samples that needs nothing."""
        self.settled.extend(self.plan.indices(number))
        self.settled_as.extend(STATUSES.index(status) for status in statuses)

    def files_to_do(self) -> Iterator[PlannedFile]:
        """Yield the images that are to be read."""
        for task in self.tasks():
            for sample in task.samples:
                yield PlannedFile(sample.source, task.target, sample.named, replace=task.replace)

    def tasks(self) -> Iterator[PlannedSamples]:
        """Yield the work for an engine: a file of samples is a task."""
        plan = self.plan
        for number, replace in zip(self.numbers, self.replace, strict=True):
            samples = []
            for index in plan.indices(number):
                file = plan.files[index]
                columns = plan.columns(index)
                samples.append(PlannedSample(file.source, plan.key(index), file.named, columns))
            yield PlannedSamples(
                plan.target(number), plan.options.container, tuple(samples), bool(replace)
            )

    def settled_outcomes(self) -> Iterator[Outcome]:
        """Yield what is known already."""
        for index, place in zip(self.settled, self.settled_as, strict=True):
            target = self.plan.target(index // self.plan.options.samples_per_file)
            status = STATUSES[place]
            reason = _FAILED_BEFORE if status == "failed" else self.reasons.get(index, "")
            yield Outcome(self.plan.files.source(index), target, status, reason)

    def check(self, *, overwrite: bool) -> None:
        """Refuse a folder whose files this run must not touch, or would leave beside its own.

        Raises
        ------
        ValueError
            If it holds files of samples of another plan, or other files under the names of indexes;
            with `overwrite`, if what is to be removed is not as a run wrote it.
        OSError
            If a file cannot be read.
        """
        check_index_names(self.plan.out, overwrite=overwrite)
        if self.taken and not overwrite:
            raise ValueError(
                f"`--out` must not hold other files where samples go; got {self.taken[0]!r}. "
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
        """Remove files of samples that hold images they are not to hold, and their indexes.

        Raises
        ------
        OSError
            If one cannot be removed.
        """
        for path, number in self.stale.items():
            index = read_index(index_path(path))
            if index is None or not _is_stale(path, index, self.plan, number):
                continue  # another part of the run has replaced it meanwhile
            for name in (path, index_path(path)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)

    def images_left(self) -> int:
        """Count the images whose files of samples are still not as a run wrote them."""
        count = 0
        for number in self.left:
            target = self.plan.target(number)
            index = read_index(index_path(target))
            if index is None or not _is_as_written(target, index):
                count += len(self.plan.indices(number))
        return count


def find_pending_samples(
    plan: SamplePlan,
    job: Job,
    *,
    overwrite: bool,
    retry_failed: bool,
    unrecorded: Collection[FileId] = (),
) -> PendingSamples:
    """Compare a plan with the files of samples in its folder; changes nothing.

    Written again is what is missing, what a killed run left without its index, and what holds an
    image or columns that changed since, an image that failed for a transient reason or was left out
    by a choice that is no longer made, or fewer files than are planned for it now. A file is
    written over only where its index shows that a run wrote it as it is now, where a killed run
    left proof of that, or with `overwrite`.

    Parameters
    ----------
    plan : SamplePlan
        What there is to be.
    job : Job
        Options of this run.
    overwrite : bool
        Whether everything is written again.
    retry_failed : bool
        Whether lasting failures are tried again.
    unrecorded : collection of FileId
        Files that killed runs wrote and did not record; they are written again.

    Returns
    -------
    PendingSamples

    Raises
    ------
    OSError
        If an index cannot be read.
    """
    work = PendingSamples(plan)
    numbers = {plan.name(number): number for number in range(len(plan))}
    for ending in ENDINGS.values():
        for path in sorted(glob.glob(f"{glob.escape(plan.out)}/*{ending}{INDEX_ENDING}")):
            file = path.removesuffix(INDEX_ENDING)
            index, number = read_index(path), numbers.get(os.path.basename(file))
            if index is not None and _is_stale(file, index, plan, number):
                work.stale[file] = number
            elif index is None and number is not None and os.path.getsize(path):
                work.taken.append(path)
    for number in plan.numbers():
        target = plan.target(number)
        left_by_killed_run = bool(unrecorded) and file_id(target) in unrecorded
        if overwrite or left_by_killed_run or not os.path.lexists(target):
            work.add(number, replace=overwrite or left_by_killed_run)
        else:
            _settle(number, work, job, retry_failed=retry_failed)
    return work


def _is_stale(file: str, index: dict[str, Any], plan: SamplePlan, number: int | None) -> bool:
    """Tell whether a file of samples is there and holds any that it is not to hold."""
    if not os.path.lexists(file):
        return False
    return number is None or not {one["key"] for one in _inputs(index)} <= set(plan.keys(number))


def _settle(number: int, work: PendingSamples, job: Job, *, retry_failed: bool) -> None:
    """Decide about a file of samples that is there."""
    plan, target = work.plan, work.plan.target(number)
    indices = plan.indices(number)
    index = read_index(index_path(target))
    if index is None or not _is_as_written(target, index):
        if index is not None and os.lstat(target).st_size == 0:  # what a power cut leaves
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
    inputs = {one["key"]: one for one in _inputs(index)}
    known = [inputs.get(key) for key in plan.keys(number)]
    changed = sum(
        one is not None and _has_changed(one, plan.files.source(place))
        for one, place in zip(known, indices, strict=True)
    )
    same = digest == job.digest() and index.get("version") == __version__
    again = retry_failed or not same
    failed = any(
        one["status"] == "failed" and (again or bool(one.get("retry")))
        for one in known
        if one is not None
    )
    reasons = {
        place: str(one["reason"])
        for one, place in zip(known, indices, strict=True)
        if one is not None and one["status"] == "skipped" and one.get("reason")
    }
    left_out = not all(map(job.selection.stands_by, reasons.values()))
    columns = columns_digest([plan.columns(place) for place in indices])
    if changed or failed or left_out or None in known or columns != index.get("columns"):
        work.changed += changed
        work.add(number, replace=True)
        return
    work.reasons.update(reasons)
    work.settle(number, (
        "exists" if one is None or one["status"] == "written" else one["status"] for one in known
    ))  # fmt: skip
    if digest != job.digest():
        work.other_options[digest] = work.other_options.get(digest, 0) + len(indices)


def _inputs(index: dict[str, Any]) -> list[dict[str, Any]]:
    """Give what an index tells of images; it may have been edited by anybody."""
    inputs = index.get("inputs")
    if not isinstance(inputs, list):
        return []
    return [
        one
        for one in inputs
        if isinstance(one, dict)
        and isinstance(one.get("key"), str)
        and one.get("status") in ("written", "skipped", "failed")
    ]


def _is_as_written(path: str, index: dict[str, Any]) -> bool:
    """Compare a file of samples with its index; read it only where it was copied since."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    if status.st_size != index.get("bytes"):
        return False
    return status.st_mtime_ns == index.get("mtime_ns") or file_sha256(path) == index.get("sha256")


def _has_changed(known: dict[str, Any], source: str) -> bool:
    try:
        status = os.stat(source)
    except OSError:
        return known.get("input_size") is not None  # it was there
    return (known.get("input_size"), known.get("input_mtime_ns")) != (
        status.st_size,
        status.st_mtime_ns,
    )
