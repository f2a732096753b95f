"""The files of a folder of explanations: their names, and how such a folder is recognised."""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from cxr_enhance.io.atomic import write_whole
from cxr_models._outputs import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

IMAGES = "images"  # folder of the overlays
LONG_SIDE = 768  # of an image in a picture, in pixels at most
_HEAD = struct.Struct(">16sIIBB")  # signature, length and name of the first chunk; the image's size
_STARTS_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_RGB_OF_8_BITS = (8, 2)
_AFTER_HEAD = 33  # bytes: the signature and the first chunk, which tells the size
_TOLD = b"tEXtSoftware\0cxr-models predict"
_CHUNK = struct.pack(">I", len(_TOLD) - 4) + _TOLD + struct.pack(">I", zlib.crc32(_TOLD))


def overlay_names(names: Sequence[str]) -> dict[str, str]:
    """Name the picture of each image: by its name with ``.png`` in the place of its suffix.

    Parameters
    ----------
    names : sequence of str
        Of images, relative and different.

    Returns
    -------
    dict of str to str
        By image. No two are equal, nor are they where capitals do not count: of ``x.png`` and
        ``x.dcm`` the suffixes are kept, as in ``x-png.png`` and ``x-dcm.png``.
    """
    stems = Counter(os.path.splitext(name)[0].casefold() for name in names)
    found: dict[str, str] = {}
    taken: set[str] = set()
    # Those that keep their names go first, so that none of them depends on the others.
    for name in sorted(names, key=lambda one: stems[os.path.splitext(one)[0].casefold()] > 1):
        stem, suffix = os.path.splitext(name)
        if stems[stem.casefold()] > 1:
            stem += suffix.replace(".", "-")
        free, number = stem, 1
        while free.casefold() in taken:
            number += 1
            free = f"{stem}-{number}"
        taken.add(free.casefold())
        found[name] = f"{free}.png"
    return found


def mean_name(class_name: str) -> str:
    """Return the name of the file of a class's mean."""
    return f"mean-{class_name}.png"


def write_picture(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write a picture as PNG, whole or not at all, that tells who made it.

    Parameters
    ----------
    path : Path
        Where to.
    image : ndarray of shape (H, W, 3), dtype uint8
        RGB.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    _, coded = cv2.imencode(".png", image[..., ::-1])
    png = coded.tobytes()
    write_whole(path, png[:_AFTER_HEAD] + _CHUNK + png[_AFTER_HEAD:])


def _is_picture(path: Path) -> bool:
    """Tell a picture by what it says of itself, or as earlier versions wrote it: by its form."""
    with path.open("rb") as file:
        head = file.read(_AFTER_HEAD + len(_CHUNK))
    if len(head) < _HEAD.size:
        return False
    start, width, height, *colours = _HEAD.unpack_from(head)
    if start == _STARTS_PNG and head[_AFTER_HEAD:] == _CHUNK:
        return True
    return (
        start == _STARTS_PNG
        and max(width, height) <= LONG_SIDE
        and tuple(colours) == _RGB_OF_8_BITS
    )


def _is_folder_of_explanations(path: Path) -> bool:
    """Return whether there are means and overlays or neither, and nothing else, none a link."""
    means = [one for one in path.iterdir() if one.name != IMAGES]
    if not path.is_dir() or not (path / IMAGES).is_dir():
        return False
    if not means and any((path / IMAGES).iterdir()):
        return False
    if any(not one.match(mean_name("*")) for one in means):
        return False
    for folder, folders, names in os.walk(path):
        inside = [Path(folder, name) for name in names]
        if any(one.is_symlink() for one in (*inside, *(Path(folder, name) for name in folders))):
            return False
        if not all(one.is_file() and _is_picture(one) for one in inside):
            return False
    return True


EXPLANATIONS = Kind(
    "a folder of explanations that cxr-models predict wrote",
    _is_folder_of_explanations,
    folder=True,
)
