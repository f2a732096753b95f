"""A run's own folder for files being written, and the removal of those that killed runs left."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING

from cxr_enhance.archive._locks import try_lock
from cxr_enhance.io._atomic import is_temporary, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = "lock"
_BEING_MADE_SECONDS = 60.0


@contextlib.contextmanager
def workspace(out: str) -> Iterator[str]:
    """Make a folder in `out` for the block, after removing those of runs that are no more.

    A run holds the lock of its folder as long as it lives, however it ends; a folder whose lock
    is free was left by a killed one. Where the file system has no locks nothing is removed.
    """
    _remove_abandoned(out)
    folder = os.path.join(out, temporary_name())
    os.mkdir(folder)
    unlocked = os.path.join(folder, f"{_LOCK}-not-yet-held")
    descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try_lock(descriptor)
        os.rename(unlocked, os.path.join(folder, _LOCK))  # nobody sees it free
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_abandoned(out: str) -> None:
    with os.scandir(out) as entries:
        folders = [
            entry
            for entry in entries
            if is_temporary(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    for entry in folders:
        with contextlib.suppress(OSError):
            if _is_abandoned(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    try:
        descriptor = os.open(os.path.join(entry.path, _LOCK), os.O_RDWR)
    except FileNotFoundError:  # killed, or at this moment, between its first two steps
        return time.time() - entry.stat().st_mtime > _BEING_MADE_SECONDS
    try:
        return try_lock(descriptor) is True
    finally:
        os.close(descriptor)
