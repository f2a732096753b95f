"""How a manifest names files from its own folder, and how names are shown."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from cxr_models.cli import _console


def shown(path: Path) -> str:
    """Show a path on one line."""
    return _console.printable(str(path))


def relative(folder: Path, path: str | os.PathLike[str]) -> str:
    """Name `path` from `folder` where they share more than the root of the file system.

    Links to folders are resolved first: ``..`` leads out of where a link leads to.
    """
    place, name = os.path.split(path)
    absolute, start = os.path.join(_resolved(place), name), _resolved(os.fspath(folder))
    try:
        shared = os.path.commonpath((absolute, start))
    except ValueError:  # on different drives
        return absolute
    if shared == os.path.dirname(shared):
        return absolute
    return Path(os.path.relpath(absolute, start)).as_posix()


@functools.cache
def _resolved(folder: str) -> str:
    return os.path.realpath(folder)
