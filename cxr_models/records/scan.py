"""The radiographs under a folder: by suffix, or as DICOM by what the file begins with.

Hidden files and folders are passed over. Links to files are followed, those to folders are not, so
that no loop is entered; they are told of, as are folders that cannot be read and all other files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from operator import attrgetter

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".dcm", ".dicom"}
)
_SUFFIXES = tuple(IMAGE_SUFFIXES)  # of which `str.endswith` takes several at once
_NO_DICOM = tuple(IMAGE_SUFFIXES - {".dcm", ".dicom"})
_DICOM_MARK = (128, b"DICM")
_TEXTS = (".txt", ".csv", ".tsv", ".json", ".xml", ".gz", ".xlsx", ".npz")
NO_TEXT = "a name that is no UTF-8"
_NAME = attrgetter("name")
_DIRECTORY = "DICOMDIR"  # of an export: a DICOM file that holds no image
_RESOURCE_FORKS = "__MACOSX"  # what the archiver of macOS adds; never an image


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Names relative to a folder, ``/`` between their parts: files of a folder, then its folders'.

    Parameters
    ----------
    images : tuple of str
        Files that are images to all appearance, and those that cannot be opened to tell.
    unentered : tuple of (str, str)
        Folders that were not looked into, and why.
    others : tuple of str
        All other files.
    """

    images: tuple[str, ...]
    unentered: tuple[tuple[str, str], ...]
    others: tuple[str, ...]


def find_images(folder: str | os.PathLike[str]) -> Found:
    """Look through `folder` and the folders in it."""
    found: dict[str, list[str]] = {"images": [], "others": []}
    unentered: list[tuple[str, str]] = []
    waiting = [("", os.fspath(folder))]
    while waiting:
        within, place = waiting.pop()
        try:
            with os.scandir(place) as scanned:
                entries = list(scanned)
        except OSError as error:
            unentered.append((within or ".", error.strerror or str(error)))
            continue
        if len(entries) > 1:
            entries.sort(key=_NAME)
        folders = []
        top = f"{within}/" if within else ""
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = top + entry.name
            if not entry.is_dir():
                found["images" if _is_image(entry) else "others"].append(name)
            elif entry.is_symlink():
                unentered.append((name, "a link to a folder, not followed"))
            elif entry.name != _RESOURCE_FORKS:
                folders.append((name, entry.path))
        waiting += reversed(folders)
    return Found(
        images=tuple(found["images"]), unentered=tuple(unentered), others=tuple(found["others"])
    )


def as_text(name: str) -> str:
    """Return a name as a CSV can hold it; bytes that are no UTF-8 are written as numbers."""
    if name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def may_be_dicom(file: str) -> bool:
    """Tell whether an image file can be DICOM by its name, which needs no suffix."""
    return not file.lower().endswith(_NO_DICOM)


def _is_image(entry: os.DirEntry[str]) -> bool:
    name = entry.name.lower()
    suffixed = name.endswith(_SUFFIXES)
    if not entry.is_file():  # a pipe would be waited for; a link to nothing is no image yet
        return suffixed and not os.path.exists(entry.path)
    if suffixed or name.endswith(_TEXTS) or entry.name == _DIRECTORY:
        return suffixed
    place, mark = _DICOM_MARK
    try:
        with open(entry.path, "rb") as file:
            return file.read(place + len(mark))[place:] == mark
    except OSError:
        return True  # whoever reads it is told what keeps it from being read
