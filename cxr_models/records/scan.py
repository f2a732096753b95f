"""The radiographs under a folder: by suffix, or as DICOM by what the file begins with.

Hidden files and folders are passed over. Links to files are followed, those to folders are not, so
that no loop is entered; they are told of, as are folders that cannot be read and all other files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".dcm", ".dicom"}
)
_DICOM_MARK = (128, b"DICM")


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
    images: list[str] = []
    unentered: list[tuple[str, str]] = []
    others: list[str] = []

    def refused(error: OSError) -> None:
        name = os.path.relpath(error.filename, folder).replace(os.sep, "/")
        unentered.append((name, error.strerror or str(error)))

    for place, folders, files in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        within = os.path.relpath(place, folder)

        def named(name: str, within: str = within) -> str:
            return os.path.normpath(os.path.join(within, name)).replace(os.sep, "/")

        for name in folders:
            if os.path.islink(os.path.join(place, name)):
                unentered.append((named(name), "a link to a folder, not followed"))
        for name in sorted(files):
            if not name.startswith("."):
                kind = images if _is_image(os.path.join(place, name)) else others
                kind.append(named(name))
    return Found(images=tuple(images), unentered=tuple(unentered), others=tuple(others))


def _is_image(path: str) -> bool:
    suffixed = os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES
    if not os.path.isfile(path):  # a pipe would be waited for; a link to nothing is no image yet
        return suffixed and not os.path.exists(path)
    if suffixed:
        return True
    place, mark = _DICOM_MARK
    try:
        with open(path, "rb") as file:
            return file.read(place + len(mark))[place:] == mark
    except OSError:
        return True  # whoever reads it is told what keeps it from being read
