"""File names in a manifest, relative to the folder of the manifest."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.records.manifest import Record


def relative(folder: Path, path: str | os.PathLike[str]) -> str:
    """Return `path` relative to `folder`, or absolute if they share only the file system root.

    Links to folders are resolved first, because ``..`` after a link leads to the parent of the
    target of the link.
    """
    place, name = os.path.split(path)
    here = os.getcwd()  # part of the cache key: the working folder may change within a process
    absolute = os.path.join(_resolved(os.path.join(here, place)), name)
    start = _resolved(os.path.join(here, folder))
    try:
        shared = os.path.commonpath((absolute, start))
    except ValueError:  # on different drives
        return absolute
    if shared == os.path.dirname(shared):
        return absolute
    return Path(os.path.relpath(absolute, start)).as_posix()


def names_from(
    out: Path, source: Path, records: Sequence[Record], *, is_inside_source: bool
) -> list[str]:
    """Return the file names of records relative to the folder of the CSV that will list them.

    Parameters
    ----------
    out : Path
        Path of the CSV.
    source : Path
        Folder to which the file names of the records are relative.
    records : sequence of Record
        Records that the CSV will list.
    is_inside_source : bool
        Whether all files with relative names are inside `source` and not under a link to a folder.
        If True, one prefix is computed for all these names, which is faster.

    Returns
    -------
    list of str
        File names in the order of `records`.
    """
    if is_inside_source:
        prefix = relative(out.parent, source / "x")[:-1]
        return [
            relative(out.parent, record.file)
            if os.path.isabs(record.file)
            else prefix + record.file
            for record in records
        ]
    return [relative(out.parent, source / record.file) for record in records]


def records_from(folder: Path, records: Sequence[Record], paths: Sequence[str]) -> list[Record]:
    """Return the records with file names relative to `folder`; `paths` are those of the files."""
    return [
        dataclasses.replace(record, file=relative(folder, path))
        for record, path in zip(records, paths, strict=True)
    ]


@functools.cache
def _resolved(folder: str) -> str:
    return os.path.realpath(folder)
