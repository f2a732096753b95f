"""One file processed in a process of its own, which it may take down alone."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.task import process

if TYPE_CHECKING:
    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.plan import PlannedFile

_TIMEOUT_S = 600


def process_isolated(file: PlannedFile, job: Job, workspace: str | None) -> Outcome:
    """Process a file in a child process; its death is the file's failure."""
    command = [sys.executable, "-m", "cxr_enhance.archive.engines.isolated"]
    arguments = pickle.dumps((file, job, workspace))
    try:
        # What the child prints goes nowhere: it might name what is in the file.
        child = subprocess.run(
            command,
            input=arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        end = f"took more than {_TIMEOUT_S} s"
    else:
        if child.returncode == 0:
            outcome: Outcome = pickle.loads(child.stdout)
            return outcome
        end = f"ended with status {child.returncode}"
    reason = f"quarantined: its worker died, and a process of its own {end}."
    return Outcome(file.source, file.target, "failed", reason)


if __name__ == "__main__":
    result = process(*pickle.loads(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(pickle.dumps(result))
