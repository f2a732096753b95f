"""A complete run over an archive: plan files, compare with earlier runs, enhance, write rows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cxr_enhance.archive._rows import check_is_manifest
from cxr_enhance.archive.engines.local import LocalEngine
from cxr_enhance.archive.identifying_names import IdentifyingNames, find_identifying_names
from cxr_enhance.archive.manifest import (
    MANIFEST_NAME,
    ManifestWriter,
    manifest_family,
    manifest_path,
)
from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.plan import Plan, plan_files
from cxr_enhance.archive.recorder import Recorder
from cxr_enhance.archive.resume import PendingWork, find_pending
from cxr_enhance.archive.samples.index import write_index
from cxr_enhance.archive.samples.plan import SampleOptions, SamplePlan, drop_other_files
from cxr_enhance.archive.samples.resume import PendingSamples, find_pending_samples
from cxr_enhance.archive.settings import Settings
from cxr_enhance.archive.task import is_image_name
from cxr_enhance.archive.workspace import unrecorded_outputs, workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cxr_enhance.archive.engines.tasks import Task
    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.outcome import Record
    from cxr_enhance.archive.planned_files import PlannedFiles


class Engine(Protocol):
    """Threads or processes that carry out tasks; `LocalEngine` documents the members."""

    is_busy: bool

    def run(self, tasks: Iterable[Task], job: Job, workspace: str | None, record: Record) -> None:
        """Carry out `tasks` and `record` each outcome; return early if `record` returns True."""


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run that is planned but not started.

    Parameters
    ----------
    settings : Settings
        Options of the run.
    plan : Plan
        All files, and the inputs that cannot be read.
    work : PendingWork or PendingSamples
        The files of the plan that must still be enhanced, and the results of earlier runs.
    manifest : str
        Path of the manifest to which rows are written.
    """

    settings: Settings
    plan: Plan
    work: PendingWork | PendingSamples
    manifest: str

    @property
    def is_empty(self) -> bool:
        """Whether there is no file and no output folder, for instance after a typing error."""
        has_files = self.plan.files or self.plan.skipped or self.plan.linked_folders
        return not has_files and not os.path.isdir(self.settings.out)

    def check(self) -> None:
        """Refuse a wrong manifest, samples of another run, and outputs with different options.

        The method writes nothing.

        Raises
        ------
        OSError
            If the manifest or the folder cannot be read.
        ValueError
            If the manifest is an input or an output, or a file that is not a manifest. If new
            outputs would be made with other options than the existing outputs; failed files may be
            tried again with other options. For samples, see `PendingSamples.check`.
        """
        if isinstance(self.work, PendingSamples):
            self.work.check(overwrite=self.settings.overwrite)
        adds_outputs = self.work.fresh and not self.settings.overwrite
        if adds_outputs and (others := self.other_options()):
            raise ValueError(
                f"`--out` must not hold outputs of other options than those of the "
                f"{self.work.fresh} to be made; got {', '.join(others)}. Give the options of the "
                "earlier run to go on with it, choose another folder, or say --overwrite to make "
                "all outputs of this run's inputs again; it leaves those of other inputs."
            )
        if self.settings.manifest is not None:
            _check_apart(self.manifest, self.plan.files)
        check_is_manifest(self.manifest)

    def identifying_names(self) -> IdentifyingNames:
        """Count the output names that may identify a patient although --strip-identity is set.

        The number is 0 without --strip-identity and with flat names.
        """
        if not self.settings.job.strip_identity or self.settings.flat_names:
            return IdentifyingNames(0, "")
        return find_identifying_names(self.plan.files)

    def other_options(self) -> list[str]:
        """Describe which options of existing outputs differ from those of this run.

        Each text begins with the number of these outputs.
        """
        new = self.settings.job.to_dict()
        sentences = []
        for digest, count in self.work.other_options.items():
            old = self.work.known_options.get(digest, {})
            differing = [
                f"{name} {old.get(name)!r}, now {new.get(name)!r}"
                for name in sorted({*new, *old})
                if new.get(name) != old.get(name)
            ]
            options = "; ".join(differing) if old else f"options {digest}"
            sentences.append(f"{count} with {options}")
        return sentences


def prepare(settings: Settings) -> PreparedRun:
    """Plan a run and compare the plan with earlier runs; write nothing.

    Raises
    ------
    OSError
        If a manifest cannot be read.
    """
    base = settings.manifest or os.path.join(settings.out, MANIFEST_NAME)
    samples = settings.samples
    plan = plan_files(
        settings.inputs,
        settings.out,
        settings.job.extension if samples is None else "",
        listed=settings.listed,
        shard=settings.shard if samples is None else None,
        flat_names=settings.flat_names,
        name_key=settings.job.pseudonym_key,
    )
    work: PendingWork | PendingSamples
    if samples is None:
        work = find_pending(
            plan.files,
            manifest_family(base),
            settings.job,
            overwrite=settings.overwrite,
            retry_failed=settings.retry_failed,
            unrecorded=unrecorded_outputs(settings.out),
        )
    else:
        work = _prepare_samples(settings, samples, plan, manifest_family(base))
    return PreparedRun(settings, plan, work, manifest_path(base, settings.shard))


def _prepare_samples(
    settings: Settings, samples: SampleOptions, plan: Plan, manifests: Sequence[str]
) -> PendingSamples:
    drop_other_files(plan)
    plan.report_in_first_shard(settings.shard)
    return find_pending_samples(
        SamplePlan(
            plan.files,
            settings.out,
            samples,
            settings.shard,
            without_file_column=settings.flat_names,
        ),
        manifests,
        settings.job,
        overwrite=settings.overwrite,
        retry_failed=settings.retry_failed,
        unrecorded=unrecorded_outputs(settings.out),
    )


def _check_apart(manifest: str, files: PlannedFiles) -> None:
    """Refuse a manifest whose path is also an input image or an output.

    A manifest of an earlier run may be in an input folder; it is skipped there because it is not an
    image.
    """
    names = {os.path.basename(manifest), os.path.basename(os.path.realpath(manifest))}
    resolved = os.path.realpath(manifest)
    may_be_output = os.path.splitext(manifest)[1] == files.extension
    for index in range(len(files)):
        source = files.source(index)
        is_input = os.path.basename(source) in names and os.path.realpath(source) == resolved
        if is_input and (files[index].is_named_by_user or is_image_name(source)):
            raise ValueError(f"`--manifest` must not be an input; got {manifest!r}.")
        if may_be_output and os.path.realpath(files.target(index)) == resolved:
            raise ValueError(f"`--manifest` must not be an output; got {manifest!r}.")


def make_engine(settings: Settings) -> Engine:
    """Return the engine that the settings select.

    Raises
    ------
    ImportError
        If the engine's library is not installed.
    """
    if settings.engine == "dask":
        from cxr_enhance.archive.engines.cluster import DaskEngine

        return DaskEngine(settings.scheduler, settings.num_workers)
    return LocalEngine(settings.num_workers)


def carry_out(run: PreparedRun, engine: Engine, report: Callable[[Outcome], None]) -> None:
    """Enhance the pending files, and report each outcome once its row is in the manifest.

    Inputs that cannot be read and files that are skipped are reported first. Files that need no
    work after earlier runs are not reported. The run ends early if all further files would fail;
    the last outcome gives the reason. A run without any file makes no manifest.

    `report` may be called from any thread. After an interrupt, it is still called for tasks that
    were running.

    Raises
    ------
    OSError
        If the manifest or the run's folder cannot be made.
    ValueError
        If the manifest's path is that of another file, or no scheduler answers.
    """
    settings, plan, work = run.settings, run.plan, run.work
    if run.is_empty:
        for outcome in plan.problems:
            report(outcome)
        return
    after_ns = 0 if isinstance(work, PendingSamples) else work.latest_row_ns
    with ManifestWriter(run.manifest, settings.job, after_ns) as manifest:
        record = Recorder(manifest, plan.roots, report)
        if settings.job.digest() not in work.known_options:
            manifest.add_options(settings.job)
        for path in plan.linked_folders:
            manifest.add(Outcome(path, "", "skipped", "link to a folder, not followed"))
        for outcome in (*plan.skipped, *plan.problems):
            if record(outcome):
                return
        if isinstance(work, PendingSamples):
            work.remove_stale()
        if work.pending:
            with workspace(settings.out) as folder:
                engine.run(work.tasks(), settings.job, os.path.abspath(folder), record)
        if isinstance(work, PendingSamples) and not record.has_ended_run:
            write_index(work.plan, overwrite=settings.overwrite)
