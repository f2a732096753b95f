"""What engines hand out: one file to enhance, or one file of samples to fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.planned_files import PlannedFile
from cxr_enhance.archive.samples.task import PlannedSamples, outcomes_of_all, process_samples
from cxr_enhance.archive.task import never, process

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance.archive.job import Job

Task: TypeAlias = PlannedFile | PlannedSamples


def carry_out_task(
    task: Task, job: Job, workspace: str | None, stopped: Callable[[], bool] = never
) -> tuple[Outcome, ...] | None:
    """Do a task; one outcome a file that it reads, or None if stopped before the end."""
    if isinstance(task, PlannedSamples):
        return process_samples(task, job, workspace, stopped)
    outcome = process(task, job, workspace, stopped)
    return None if outcome is None else (outcome,)


def failed_task(task: Task, reason: str, **how: Any) -> tuple[Outcome, ...]:
    """Let a task fail with all files that it reads; what ends the run, once."""
    if isinstance(task, PlannedSamples):
        failed = outcomes_of_all(task, status="failed", reason=reason, **how)
        return failed[:1] if failed[0].ends_run else failed
    return (Outcome(task.source, task.target, "failed", reason, **how),)
