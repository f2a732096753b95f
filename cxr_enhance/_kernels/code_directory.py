"""Choose the directory of compiled kernels; only the user and root may be able to change it.

The files of the directory are loaded and run. Therefore nobody else may be able to write to it, and
nobody else may own or be able to rename a directory or link on its path. The module does not change
the permissions of an unsafe directory, because it may already contain files of others. On Windows,
owners and permissions are not checked.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from cxr_enhance._kernels.code_stamp import code_key
from cxr_enhance._kernels.start import STARTED_IN

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS = 40  # Linux follows as many
_HAS_OWNERS = os.name == "posix"


class CacheChoice(NamedTuple):
    """The directory of compiled kernels, and the reasons why other directories are not used.

    If `directory` is None, kernels are not stored, and `reasons` says why.
    """

    directory: Path | None
    reasons: tuple[str, ...] = ()


def cache_directory() -> Path | None:
    """Return the directory of compiled kernels; None if kernels are not stored.

    The directory is made if it does not exist. Candidates are ``NUMBA_CACHE_DIR`` if set, the
    user's cache directory, and a per-user directory in the system's temporary directory. The first
    candidate that can be written and that only the user and root can change is used.
    ``CXR_ENHANCE_CACHE=0`` turns storing off. The last component of the path is the key of the code
    (`code_stamp`). Different versions of the package, and different processors with a shared home
    directory, therefore use different directories.
    """
    return choose_cache().directory


@functools.cache
def choose_cache() -> CacheChoice:
    """Choose the directory once for the process.

    Later changes of environment variables and of the working directory have no effect.
    """
    if os.environ.get("CXR_ENHANCE_CACHE") == "0":
        return CacheChoice(None, ("CXR_ENHANCE_CACHE=0 turns it off",))
    key = code_key()
    if key is None:
        return CacheChoice(None, ("the version of the kernels cannot be told here",))
    reasons: list[str] = []
    for base in _candidate_directories():
        reason = _reason_against(base / str(key))
        if reason is None:
            return CacheChoice(base / str(key), tuple(reasons))
        reasons.append(reason)
    return CacheChoice(None, tuple(reasons))


def only_we_can_change(path: str | Path) -> bool:
    """Return whether `path` is a regular file that only the user or root owns and can write.

    The result is False for a link. On Windows, the owner and the permissions are not checked.
    """
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and _belongs_to_us(status, _OTHERS_MAY_WRITE)


def _candidate_directories() -> list[Path]:
    candidates = []
    if os.environ.get("NUMBA_CACHE_DIR"):
        numba_directory = Path(os.environ["NUMBA_CACHE_DIR"])
        if STARTED_IN is not None or numba_directory.is_absolute():
            candidates.append(Path(STARTED_IN or "", numba_directory, "cxr-enhance"))
    if sys.platform == "win32":
        user_cache = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        user_cache = os.path.expanduser("~/Library/Caches")
    else:
        user_cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if user_cache and os.path.isabs(user_cache):
        candidates.append(Path(user_cache) / "cxr-enhance")
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    with contextlib.suppress(FileNotFoundError):  # no temporary directory is usable either
        candidates.append(Path(tempfile.gettempdir()) / f"cxr-enhance-{user}")
    return candidates


def _reason_against(directory: Path) -> str | None:
    """Return why kernels cannot be stored in `directory`; None if they can.

    The directory is made if it does not exist.
    """
    try:
        _make(directory)
        # Others must not be able to write to these directories. The sticky bit is not enough here,
        # because others could still add files.
        for part in (directory.parent, directory):
            if _HAS_OWNERS and not _belongs_to_us(part.stat(), _OTHERS_MAY_WRITE):
                return f"others can write to {part}, or own it"
        changeable = _changeable_by_others(directory) if _HAS_OWNERS else None
        if changeable is not None:
            return f"others can rename what is in {changeable}, or own it"
        with tempfile.TemporaryFile(dir=directory):
            return None
    except (OSError, RuntimeError, ValueError) as error:
        return f"{directory} cannot be written: {error}"


def _make(directory: Path) -> None:
    """Make `directory` and its missing parents with permissions for the user only."""
    missing = []
    while not directory.is_dir():
        missing.append(directory)
        directory = directory.parent
        if directory == directory.parent:
            break
    for part in reversed(missing):
        part.mkdir(mode=0o700, exist_ok=True)


def _changeable_by_others(path: Path, links: int = _MOST_LINKS) -> Path | None:
    """Return the first directory or link on the path of `path`, included, that is unsafe.

    A directory is unsafe if another user owns it or can rename its entries. A link is unsafe if
    another user owns it, or if more than `links` links were followed. The result is None if the
    whole path is safe.
    """
    above = path.parent
    if above != path:
        found = _changeable_by_others(above, links)
        if found is not None:
            return found
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        if not links or not _belongs_to_us(status, 0):
            return path
        return _changeable_by_others(above / os.readlink(path), links - 1)
    # In a directory with the sticky bit, only owners can rename entries.
    is_sticky = status.st_mode & stat.S_ISVTX
    return None if _belongs_to_us(status, 0 if is_sticky else _OTHERS_MAY_WRITE) else path


def _belongs_to_us(status: os.stat_result, forbidden: int) -> bool:
    if not _HAS_OWNERS:
        return True
    return status.st_uid in (os.getuid(), 0) and not status.st_mode & forbidden
