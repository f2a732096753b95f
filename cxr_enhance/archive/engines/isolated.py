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
    from cxr_enhance.archive.task import Item

_MOST_SECONDS = 600


def process_isolated(item: Item, job: Job, workspace: str | None) -> Outcome:
    """Process a file in a child process; its death is the file's failure."""
    command = [sys.executable, "-m", "cxr_enhance.archive.engines.isolated"]
    question = pickle.dumps((item, job, workspace))
    try:
        # The child's words go nowhere: they might name what is in the file.
        done = subprocess.run(
            command,
            input=question,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        end = f"took more than {_MOST_SECONDS} s"
    else:
        if done.returncode == 0:
            outcome: Outcome = pickle.loads(done.stdout)
            return outcome
        end = f"ended with status {done.returncode}"
    reason = f"quarantined: its worker died, and a process of its own {end}."
    return Outcome(item.source, item.target, "failed", reason)


if __name__ == "__main__":
    answer = process(*pickle.loads(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(pickle.dumps(answer))
