"""The files below a folder, in a fixed order: a folder's files by name, then its subfolders.

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
"""The suffixes of image files, in lower case; DICOM files often have no suffix."""


class FolderEntry(NamedTuple):
    """An entry below a folder: a file, or a folder that is not listed.

    Parameters
    ----------
    kind : {"file", "special", "linked folder", "unlistable"}
        "file": a file, or a link to a file, also a broken link, which fails when it is read.
        "special": a pipe, socket or device. "linked folder": a link to a folder, not followed.
        "unlistable": a folder that cannot be listed.
    path : str
        Path, which begins with the path of the top folder.
    name : str
        Last part of `path`.
    reason : str
        The system's message why a folder cannot be listed; empty for other entries.
    is_link : bool
        Whether the entry is a symbolic link.
    """

    kind: EntryKind
    path: str
    name: str
    reason: str = ""
    is_link: bool = False


def walk_folder(top: str, skip: Callable[[os.DirEntry[str]], bool]) -> Iterator[FolderEntry]:
    """Yield the entries below `top`, subfolders of any depth included.

    Parameters
    ----------
    top : str
        Folder; if it cannot be listed, it is itself the only entry.
    skip : callable
        Called with each file and folder; True leaves the entry out, a folder with all it holds.

    Yields
    ------
    FolderEntry
    """
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or str(error)
            yield FolderEntry("unlistable", folder, os.path.basename(folder), reason)
            continue
        inner = []
        for entry in entries:
            if skip(entry):
                continue
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.path)
            else:
                yield FolderEntry(_kind(entry), entry.path, entry.name, is_link=entry.is_symlink())
        folders.extend(reversed(inner))


def check_parent_references(path: str | os.PathLike[str], option: str) -> None:
    """Refuse a path with ``..`` after a folder that does not exist.

    Writing to such a path would make the missing folder.

    Raises
    ------
    ValueError
        If `path` is such a path; the message names `option`.
    """
    target = Path(path)
    for step in [step for step in (target, *target.parents) if step.name == ".."]:
        if not step.parent.is_dir():
            raise ValueError(
                f"`{option}` must go through folders that exist where it goes up again; got "
                f"{os.fspath(path)!r}, and there is no folder {str(step.parent)!r}."
            )


def _kind(entry: os.DirEntry[str]) -> EntryKind:
    if entry.is_file(follow_symlinks=False):  # the usual case first
        return "file"
    if os.path.isdir(entry.path):
        return "linked folder"
    return "file" if entry.is_symlink() else "special"
