"""Carry out one task in a child process, so that a crash ends only the child."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from cxr_enhance.archive.engines.tasks import Task, carry_out_task, failed_task
from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.samples.task import PlannedSamples, process_samples
from cxr_enhance.archive.task import EncodedOutput, make_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.planned_files import PlannedFile

_TIMEOUT_S = 600
# The child imports modules from the same folders as this process, and not from its working folder,
# which may be an archive of files that strangers wrote.
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from cxr_enhance.archive.engines.isolated import answer; answer()"
)
_IMAGES_IN_TIME = 100  # images in one timeout; larger files of samples get longer timeouts


class _ChildDiedError(Exception):
    """The child ended without an answer, or was ended after the timeout."""


def carry_out_isolated(task: Task, job: Job, workspace: str | None) -> tuple[Outcome, ...]:
    """Carry out a task in a child process; if the child dies, the file that it read fails.

    If the child dies while it makes a file of samples, each image is read again in a separate
    child, so that only the image that kills its child fails.
    """
    images = len(task.samples) if isinstance(task, PlannedSamples) else 1
    timeout = _TIMEOUT_S * max(images / _IMAGES_IN_TIME, 1)
    try:
        outcomes: tuple[Outcome, ...] = _in_child(carry_out_task, (task, job, workspace), timeout)
    except _ChildDiedError as error:
        if isinstance(task, PlannedSamples):
            return process_samples(task, job, workspace, make=_make_isolated) or ()
        return failed_task(task, str(error))
    return outcomes


def _make_isolated(
    file: PlannedFile, job: Job, _stopped: Callable[[], bool]
) -> EncodedOutput | None:
    try:
        made: EncodedOutput | None = _in_child(make_output, (file, job), _TIMEOUT_S)
    except _ChildDiedError as error:
        return EncodedOutput(Outcome(file.source, file.target, "failed", str(error)), None)
    return made


def _in_child(function: Callable[..., Any], arguments: tuple[Any, ...], timeout: float) -> Any:
    """Call a function in a child process.

    Raises
    ------
    _ChildDiedError
        If the child does not answer.
    """
    try:
        # The child's own prints are dropped: they might quote a patient's data.
        child = subprocess.run(
            [sys.executable, "-P", "-c", _CHILD, json.dumps(list(map(str, sys.path)))],
            input=pickle.dumps((function, arguments)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        end = f"took more than {timeout:.0f} s"
    else:
        if child.returncode == 0:
            return pickle.loads(child.stdout)
        end = f"ended with status {child.returncode}"
    raise _ChildDiedError(f"quarantined: its worker died, and a process of its own {end}.")


def answer() -> None:
    """Call the function on standard input, in the child; write its result to standard output."""
    function, arguments = pickle.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(pickle.dumps(function(*arguments)))
