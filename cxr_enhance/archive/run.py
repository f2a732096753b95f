"""A whole run over an archive: plan, compare with earlier runs, carry out, keep the manifest."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from cxr_enhance.archive._rows import check_is_manifest
from cxr_enhance.archive.engines.local import LocalEngine
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.manifest import (
    NAME,
    ManifestWriter,
    manifest_family,
    manifest_path,
)
from cxr_enhance.archive.outcome import Outcome, reason_of
from cxr_enhance.archive.plan import Plan, PlannedFiles, Shard, plan_files
from cxr_enhance.archive.resume import Todo, sort_out
from cxr_enhance.archive.task import is_image_name
from cxr_enhance.archive.telling_names import TellingNames, find_telling_names
from cxr_enhance.archive.workspace import unrecorded_outputs, workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from cxr_enhance.archive.task import Item

EngineName: TypeAlias = Literal["local", "dask"]


class Engine(Protocol):
    """Who does the work; `LocalEngine` documents it."""

    is_busy: bool

    def run(
        self,
        items: Iterable[Item],
        job: Job,
        workspace: str | None,
        record: Callable[[Outcome], Outcome],
    ) -> Generator[Outcome]:
        """Process `items`, `record` each outcome and yield what that returns, as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run reads, where it writes and who works; `job` says what is done.

    Parameters
    ----------
    inputs, listed : sequence of str
        Files and folders; files of a list.
    out : str
        Folder of the outputs.
    job : Job
        What is done to each file.
    num_workers : int
        Threads of the local engine, processes of a Dask cluster of its own.
    engine : {"local", "dask"}
        Who works.
    scheduler : str or None
        Address of a Dask scheduler.
    overwrite, retry_failed : bool
        See `sort_out`.
    manifest : str or None
        The file; None for one in `out`.
    shard : Shard or None
        The part to do.
    flat_names : bool
        Whether outputs are named by hashes; see `plan_files`.
    """

    inputs: Sequence[str]
    out: str
    job: Job
    num_workers: int
    listed: Sequence[str] = ()
    engine: EngineName = "local"
    scheduler: str | None = None
    overwrite: bool = False
    retry_failed: bool = False
    manifest: str | None = None
    shard: Shard | None = None
    flat_names: bool = False


@dataclass(slots=True)
class Prepared:
    """A run about to begin: everything is decided, nothing is done."""

    settings: Settings
    plan: Plan
    todo: Todo
    manifest: str

    @property
    def finds_nothing(self) -> bool:
        """Whether there is no file at all, as after a slip of the keyboard, and no folder yet."""
        plan = self.plan
        is_empty = not (plan.files or plan.skipped or plan.linked_folders)
        return is_empty and not os.path.isdir(self.settings.out)

    def check_manifest(self) -> None:
        """Refuse a manifest that is something else; writes nothing.

        Raises
        ------
        OSError
            If it cannot be read.
        ValueError
            If it is an input or an output, or a file that holds anything else than rows.
        """
        if self.settings.manifest is not None:
            _check_apart(self.manifest, self.plan.files)
        check_is_manifest(self.manifest)

    def telling_names(self) -> TellingNames:
        """Count the outputs whose names may tell what --strip-identity takes out of them."""
        if not self.settings.job.strip_identity or self.settings.flat_names:
            return TellingNames(0, "")
        return find_telling_names(self.plan.files)

    def other_options(self) -> list[str]:
        """Name how existing outputs were made, where that is otherwise than this run would."""
        mine = self.settings.job.to_dict()
        found = []
        for digest, count in self.todo.other_options.items():
            theirs = self.todo.known_options.get(digest, {})
            differing = [
                f"{name} {theirs.get(name)!r}, now {mine.get(name)!r}"
                for name in sorted({*mine, *theirs})
                if mine.get(name) != theirs.get(name)
            ]
            said = "; ".join(differing) if theirs else f"options {digest}"
            found.append(f"{count} with {said}")
        return found


def prepare(settings: Settings) -> Prepared:
    """Plan a run and compare it with earlier ones; writes nothing.

    Raises
    ------
    OSError
        If a manifest cannot be read.
    """
    base = settings.manifest or os.path.join(settings.out, NAME)
    plan = plan_files(
        settings.inputs,
        settings.out,
        settings.job.extension,
        listed=settings.listed,
        shard=settings.shard,
        flat_names=settings.flat_names,
        name_key=settings.job.pseudonym_key,
    )
    todo = sort_out(
        plan.files,
        manifest_family(base),
        settings.job,
        overwrite=settings.overwrite,
        retry_failed=settings.retry_failed,
        unrecorded=unrecorded_outputs(settings.out),
    )
    return Prepared(settings, plan, todo, manifest_path(base, settings.shard))


def _check_apart(manifest: str, files: PlannedFiles) -> None:
    """Refuse a manifest that is itself to be read as an image, or written as one.

    One of an earlier run, in a folder that is read, is neither.
    """
    names = {os.path.basename(manifest), os.path.basename(os.path.realpath(manifest))}
    place = os.path.realpath(manifest)
    may_be_output = os.path.splitext(manifest)[1] == files.extension
    for index in range(len(files)):
        source = files.source(index)
        is_input = os.path.basename(source) in names and os.path.realpath(source) == place
        if is_input and (files[index].named or is_image_name(source)):
            raise ValueError(f"`--manifest` must not be an input; got {manifest!r}.")
        if may_be_output and os.path.realpath(files.target(index)) == place:
            raise ValueError(f"`--manifest` must not be an output; got {manifest!r}.")


def make_engine(settings: Settings) -> Engine:
    """Choose who works.

    Raises
    ------
    ImportError
        If the engine's library is not installed.
    """
    if settings.engine == "dask":
        from cxr_enhance.archive.engines.cluster import DaskEngine

        return DaskEngine(settings.scheduler, settings.num_workers)
    return LocalEngine(settings.num_workers)


def carry_out(
    prepared: Prepared, engine: Engine, seen: Callable[[Outcome], None]
) -> Generator[Outcome]:
    """Do what is to be done and yield each outcome as it comes, those that need no work first.

    What was settled by earlier runs is left out; ends early, after the outcome that tells why, when
    no further file could be written. Where nothing is found no manifest is begun.

    `seen` is called with each outcome as soon as its row is written, from any thread: also with
    those that an interrupted consumer is not given any more.

    Raises
    ------
    OSError
        If the manifest or the run's folder cannot be made.
    ValueError
        If the manifest's name is that of another file, or no scheduler answers.
    """
    settings, plan, todo = prepared.settings, prepared.plan, prepared.todo
    if prepared.finds_nothing:
        for outcome in _without_work(plan):
            seen(outcome)
            yield outcome
        return
    roots = [folder for folder in plan.roots if _holds_anything(folder)]
    with ManifestWriter(prepared.manifest, settings.job) as manifest:

        def record(outcome: Outcome) -> Outcome:
            outcome = _lost_with_its_folder(outcome, roots)
            try:
                outcome = manifest.add(outcome)
            except OSError as error:  # no further file makes sense
                reason = f"the manifest cannot be written: {reason_of(error)}"
                _take_back(outcome)
                outcome = outcome._replace(
                    status="failed", reason=reason, passing=True, ends_run=True
                )
            else:
                _drop_link(outcome)
            seen(outcome)
            return outcome

        if settings.job.digest() not in todo.known_options:
            manifest.add_options(settings.job)
        for path in plan.linked_folders:
            manifest.add(Outcome(path, "", "skipped", "link to a folder, not followed"))
        for outcome in map(record, _without_work(plan)):
            yield outcome
            if outcome.ends_run:
                return
        if not todo.todo:
            return
        with workspace(settings.out) as folder:
            work = engine.run(todo.items(), settings.job, os.path.abspath(folder), record)
            with contextlib.closing(work):
                for outcome in work:
                    yield outcome
                    if outcome.ends_run:
                        return


def _without_work(plan: Plan) -> Generator[Outcome]:
    for path in plan.skipped:
        yield Outcome(path, "", "skipped", "neither a file nor a folder")
    for problem in plan.problems:
        yield Outcome(problem.path, "", "failed", problem.reason, passing=True)


def _lost_with_its_folder(outcome: Outcome, roots: Sequence[str]) -> Outcome:
    """Let the run end where a file is gone because its whole input folder is.

    What is left of a disk that was unmounted is an empty folder.
    """
    if outcome.status != "failed" or outcome.input_size is not None:  # it was there
        return outcome
    place = os.path.abspath(outcome.source)
    for folder in roots:
        below = os.path.join(os.path.abspath(folder), "")
        if place.startswith(below) and not _holds_anything(folder):
            reason = f"the input folder {folder!r} is gone or empty: {outcome.reason}"
            return outcome._replace(reason=reason, passing=True, ends_run=True)
    return outcome


def _holds_anything(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _take_back(outcome: Outcome) -> None:
    """Remove an output that no row will tell of, if it is surely this run's."""
    with contextlib.suppress(OSError):
        if outcome.link and os.path.samefile(outcome.link, outcome.target):
            os.unlink(outcome.target)
    _drop_link(outcome)


def _drop_link(outcome: Outcome) -> None:
    if outcome.link:
        with contextlib.suppress(OSError):
            os.unlink(outcome.link)


def absolute(settings: Settings) -> Settings:
    """Name all files in full, as workers with another working folder need it."""
    return dataclasses.replace(
        settings,
        inputs=[os.path.abspath(path) for path in settings.inputs],
        listed=[os.path.abspath(path) for path in settings.listed],
        out=os.path.abspath(settings.out),
    )
