"""Temporary folders of runs, and the temporary folders that killed runs left.

Each run writes its files in its own temporary folder. Until the row of an output is in the
manifest, this folder holds a second hard link to the output. If the run is killed before it writes
the row, the link stays. The link proves to the next run that a run wrote the output, and the next
run writes the output again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io.atomic import is_temporary, temporary_name
from cxr_enhance.io.locks import locked, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = "lock"
_MAKING_TIMEOUT_S = 60.0


class FileId(NamedTuple):
    """The identity of a file, which is the same under all its names."""

    device: int
    inode: int


@contextlib.contextmanager
def workspace(out: str) -> Iterator[str]:
    """Make a temporary folder in `out` for the block; remove folders that killed runs left.

    A run holds the lock of its folder until its process ends. A folder whose lock is free was left
    by a killed run. If the file system has no locks, nothing is removed. Links to outputs that a
    killed run wrote and did not record are kept as long as the outputs exist.
    """
    _remove_abandoned(out)
    folder = os.path.join(out, temporary_name())
    os.mkdir(folder)
    lock = None
    try:
        lock = _make_lock(folder)
        yield folder
    finally:
        _remove(folder)
        if lock is not None:
            os.close(lock)
        with contextlib.suppress(OSError):  # the folder may be gone
            _remove_abandoned(out)


def unrecorded_outputs(out: str) -> set[FileId]:
    """Find the outputs that killed runs wrote and did not record; remove no folder."""
    if not os.path.isdir(out):
        return set()
    outputs: set[FileId] = set()
    for entry in _folders(out):
        with contextlib.suppress(OSError):
            if _is_abandoned(entry):
                outputs.update(_linked_elsewhere(entry.path))
    return outputs


def file_id(path: str) -> FileId | None:
    """Return the identity of a file; None if there is no file at `path`."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return FileId(status.st_dev, status.st_ino)


@contextlib.contextmanager
def locked_folder(folder: str) -> Iterator[None]:
    """Hold the lock of a folder during the block, if the system can lock folders."""
    if os.name == "nt":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with locked(descriptor):
            yield
    finally:
        os.close(descriptor)


def _make_lock(folder: str) -> int | None:
    """Make the lock file of a folder; return the descriptor that holds the lock, or None.

    Without locks the file is closed first, because Windows does not rename or remove an open file.
    """
    unlocked = os.path.join(folder, f"{_LOCK}-not-yet-held")
    descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o666)
    is_held = try_lock(descriptor) is True
    if not is_held:
        os.close(descriptor)
    os.rename(unlocked, os.path.join(folder, _LOCK))  # no process ever sees this lock free
    return descriptor if is_held else None


def _folders(out: str) -> list[os.DirEntry[str]]:
    with os.scandir(out) as entries:
        return [
            entry
            for entry in entries
            if is_temporary(entry.name) and entry.is_dir(follow_symlinks=False)
        ]


def _remove_abandoned(out: str) -> None:
    for entry in _folders(out):
        with contextlib.suppress(OSError):
            if _is_abandoned(entry):
                _remove(entry.path)


def _remove(folder: str) -> None:
    """Remove a run's folder; if outputs depend on its links as proof, keep these and the lock.

    Several runs may remove a folder at once. Of several links to one output, all of them keep the
    same one.
    """
    try:
        kept = {min(paths) for paths in _linked_elsewhere(folder).values()}
        names = os.listdir(folder)
    except OSError:  # whether it holds proof is not known; often it is gone
        return
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in names:
        path = os.path.join(folder, name)
        if name != _LOCK and path not in kept:
            with contextlib.suppress(OSError):  # another run has removed it, or it is a folder
                os.unlink(path)


def _linked_elsewhere(folder: str) -> dict[FileId, list[str]]:
    """Return the paths in a folder of each file that also has a hard link elsewhere."""
    links, names = {}, defaultdict(list)
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = os.lstat(entry.path)  # on Windows, an entry does not know its links
            except FileNotFoundError:  # another run has removed it
                continue
            if not stat.S_ISREG(status.st_mode):
                continue  # a folder has several links of its own
            file = FileId(status.st_dev, status.st_ino)
            links[file] = status.st_nlink
            names[file].append(entry.path)
    return {file: paths for file, paths in names.items() if links[file] > len(paths)}


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    try:
        descriptor = os.open(os.path.join(entry.path, _LOCK), os.O_RDWR)
    except FileNotFoundError:  # the run is making its folder at this moment, or was killed then
        return time.time() - entry.stat().st_mtime > _MAKING_TIMEOUT_S
    try:
        return try_lock(descriptor) is True
    finally:
        os.close(descriptor)
