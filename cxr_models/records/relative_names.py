"""How a manifest names files from its own folder."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.records.manifest import Record


def relative(folder: Path, path: str | os.PathLike[str]) -> str:
    """Name `path` from `folder` where they share more than the root of the file system.

    Links to folders are resolved first: ``..`` leads out of where a link leads to.
    """
    place, name = os.path.split(path)
    here = os.getcwd()  # part of what is remembered: it may change within a process
    absolute = os.path.join(_resolved(os.path.join(here, place)), name)
    start = _resolved(os.path.join(here, folder))
    try:
        shared = os.path.commonpath((absolute, start))
    except ValueError:  # on different drives
        return absolute
    if shared == os.path.dirname(shared):
        return absolute
    return Path(os.path.relpath(absolute, start)).as_posix()


def names_from(out: Path, source: Path, records: Sequence[Record], *, walked: bool) -> list[str]:
    """Name the files of records from the folder of the CSV that will list them.

    Parameters
    ----------
    out : Path
        The CSV.
    source : Path
        Folder that the files are named from.
    records : sequence of Record
        What it will list.
    walked : bool
        Whether all but those with absolute names lie in `source`, under no link to a folder; then
        they are named together.
    """
    if walked:
        prefix = relative(out.parent, source / "x")[:-1]
        return [
            relative(out.parent, record.file)
            if os.path.isabs(record.file)
            else prefix + record.file
            for record in records
        ]
    return [relative(out.parent, source / record.file) for record in records]


@functools.cache
def _resolved(folder: str) -> str:
    return os.path.realpath(folder)
