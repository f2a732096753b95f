"""The working directory of the process at the time when it imported the package."""

from __future__ import annotations

import contextlib
import os


def _working_directory() -> str | None:
    with contextlib.suppress(OSError):  # the directory was removed
        return os.getcwd()
    return None


STARTED_IN = _working_directory()  # None if the directory did not exist
