"""Search for radiographs under a folder, by suffix, or by the first bytes of DICOM files.

Hidden files and folders are skipped. Links to files are followed. Links to folders are not
followed, so that the search cannot enter a loop. `FolderListing` lists these links, unreadable
folders and all other files, too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cxr_enhance.io.folders import IMAGE_SUFFIXES, FolderEntry, walk_folder

_SUFFIXES = tuple(IMAGE_SUFFIXES)  # a tuple, because `str.endswith` accepts tuples only
_NO_DICOM = tuple(IMAGE_SUFFIXES - {".dcm", ".dicom"})
_DICOM_MARK = (128, b"DICM")
_TEXTS = (".txt", ".csv", ".tsv", ".json", ".xml", ".gz", ".xlsx", ".npz")
NO_TEXT = "a name that is no UTF-8"
_DIRECTORY = "DICOMDIR"  # directory of a DICOM export: a DICOM file without an image
_RESOURCE_FORKS = "__MACOSX"  # folder that macOS adds to archives; contains no images


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderListing:
    """Files and folders under a folder, by their names relative to it, with ``/`` as separator.

    Files of a folder come before files of its subfolders.

    Parameters
    ----------
    images : tuple of str
        Files that are images by suffix or first bytes, and files that cannot be opened.
    unentered : tuple of (str, str)
        Folders that were not entered, each with the reason.
    other_files : tuple of str
        All other files.
    """

    images: tuple[str, ...]
    unentered: tuple[tuple[str, str], ...]
    other_files: tuple[str, ...]


def find_images(folder: str | os.PathLike[str]) -> FolderListing:
    """List the images and other files in `folder` and its subfolders."""
    top = os.fspath(folder)
    prefix_length = len(os.path.join(top, ""))
    images: list[str] = []
    other_files: list[str] = []
    unentered: list[tuple[str, str]] = []
    for entry in walk_folder(top, _is_passed_over):
        name = entry.path[prefix_length:].replace(os.sep, "/")
        if entry.kind == "unlistable":
            unentered.append((name or ".", entry.reason))
        elif entry.kind == "linked folder":
            unentered.append((name, "a link to a folder, not followed"))
        else:
            (images if _is_image(entry) else other_files).append(name)
    return FolderListing(
        images=tuple(images), unentered=tuple(unentered), other_files=tuple(other_files)
    )


def _is_passed_over(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") or (
        entry.name == _RESOURCE_FORKS and entry.is_dir(follow_symlinks=False)
    )


def as_text(name: str) -> str:
    """Return a file name as text for a CSV; bytes that are not UTF-8 are written as hex codes."""
    if name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def may_be_dicom(file: str) -> bool:
    """Return whether an image file can be DICOM by its name; DICOM files may have no suffix."""
    return not file.lower().endswith(_NO_DICOM)


def _is_image(entry: FolderEntry) -> bool:
    name = entry.name.lower()
    has_image_suffix = name.endswith(_SUFFIXES)
    # A broken link with the suffix of an image counts as an image: reading it reports the error.
    if entry.is_link and not os.path.isfile(entry.path):
        return has_image_suffix and not os.path.exists(entry.path)
    if entry.kind != "file":  # opening a pipe would block
        return False
    if has_image_suffix or name.endswith(_TEXTS) or entry.name == _DIRECTORY:
        return has_image_suffix
    place, mark = _DICOM_MARK
    try:
        with open(entry.path, "rb") as file:
            return file.read(place + len(mark))[place:] == mark
    except OSError:
        return True  # reading the image later raises the error
