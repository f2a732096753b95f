"""Tasks of engines: one file to enhance, or one file of samples to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.planned_files import PlannedFile
from cxr_enhance.archive.samples.task import PlannedSamples, outcomes_of_all, process_samples
from cxr_enhance.archive.task import never_stopped, process

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance.archive.job import Job

Task: TypeAlias = PlannedFile | PlannedSamples


def carry_out_task(
    task: Task, job: Job, workspace: str | None, stopped: Callable[[], bool] = never_stopped
) -> tuple[Outcome, ...] | None:
    """Carry out a task; return the outcome of each file that it reads, or None if stopped."""
    if isinstance(task, PlannedSamples):
        return process_samples(task, job, workspace, stopped)
    outcome = process(task, job, workspace, stopped)
    return None if outcome is None else (outcome,)


def failed_task(task: Task, reason: str, **fields: Any) -> tuple[Outcome, ...]:
    """Return a failure for each file that a task reads; only the first if it ends the run."""
    if isinstance(task, PlannedSamples):
        failed = outcomes_of_all(task, status="failed", reason=reason, **fields)
        return failed[:1] if failed[0].ends_run else failed
    return (Outcome(task.source, task.target, "failed", reason, **fields),)
