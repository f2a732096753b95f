"""The files below a folder, in one order: those of a folder by name, then those of its folders.

Links to folders are not followed, so that no loop is entered and nothing outside is read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EntryKind: TypeAlias = Literal["file", "special", "linked folder", "unlistable"]

IMAGE_SUFFIXES = frozenset((
    ".bmp", ".dcm", ".dicom", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
))  # fmt: skip
"""What names of image files end in, in lower case; DICOM files often have no suffix."""


class Entry(NamedTuple):
    """Something below a folder.

    Parameters
    ----------
    kind : {"file", "special", "linked folder", "unlistable"}
        A file or a link to one, also a broken link, which fails when it is read; a pipe, socket or
        device; a link to a folder, not followed; a folder that cannot be listed.
    path : str
        The folder's name and what is below it.
    name : str
        Last part of `path`.
    reason : str
        Why a folder cannot be listed, in the system's words.
    is_link : bool
        Whether it is a link to what `kind` says.
    """

    kind: EntryKind
    path: str
    name: str
    reason: str = ""
    is_link: bool = False


def walk_folder(top: str, skip: Callable[[os.DirEntry[str]], bool]) -> Iterator[Entry]:
    """Yield what is below `top`.

    Parameters
    ----------
    top : str
        Folder; one that cannot be listed is the only entry.
    skip : callable
        Tells of each file and folder whether it is passed over with all it holds.

    Yields
    ------
    Entry
    """
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or str(error)
            yield Entry("unlistable", folder, os.path.basename(folder), reason)
            continue
        inner = []
        for entry in entries:
            if skip(entry):
                continue
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.path)
            else:
                yield Entry(_kind(entry), entry.path, entry.name, is_link=entry.is_symlink())
        folders.extend(reversed(inner))


def check_way(path: str | os.PathLike[str], option: str) -> None:
    """Refuse a name that goes up again from a folder that does not exist: it would be made.

    Raises
    ------
    ValueError
        In the words of `option`, if it does.
    """
    way = Path(path)
    for step in [step for step in (way, *way.parents) if step.name == ".."]:
        if not step.parent.is_dir():
            raise ValueError(
                f"`{option}` must go through folders that exist where it goes up again; got "
                f"{os.fspath(path)!r}, and there is no folder {str(step.parent)!r}."
            )


def _kind(entry: os.DirEntry[str]) -> EntryKind:
    if entry.is_file(follow_symlinks=False):  # nearly always
        return "file"
    if os.path.isdir(entry.path):
        return "linked folder"
    return "file" if entry.is_symlink() else "special"
