"""The files of a folder of explanations: their names, their format, and tests of such a folder."""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from cxr_enhance.io.atomic import write_content_atomically
from cxr_models._outputs import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

IMAGES = "images"  # folder of the overlays
LONG_SIDE = 768  # maximum length of the longer side of an image in a picture, in pixels
_HEAD = struct.Struct(">16sIIBB")  # signature, length and name of the first chunk; the image's size
_STARTS_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_RGB_OF_8_BITS = (8, 2)
_AFTER_HEAD = 33  # length in bytes of the PNG signature and the first chunk, which has the size
_TOLD = b"tEXtSoftware\0cxr-models predict"
_CHUNK = struct.pack(">I", len(_TOLD) - 4) + _TOLD + struct.pack(">I", zlib.crc32(_TOLD))


def overlay_names(names: Sequence[str]) -> dict[str, str]:
    """Return the picture name of each image: its name with the suffix ``.png``.

    Parameters
    ----------
    names : sequence of str
        Relative names of the images, all different.

    Returns
    -------
    dict of str to str
        Picture names by image name. All picture names differ, even without regard to case. If two
        images differ only in the suffix, the suffix is kept: ``x.png`` and ``x.dcm`` give
        ``x-png.png`` and ``x-dcm.png``.
    """
    stems = Counter(os.path.splitext(name)[0].casefold() for name in names)
    pictures: dict[str, str] = {}
    used: set[str] = set()
    # Images that keep their names come first, so that these names do not depend on other images.
    for name in sorted(names, key=lambda name: stems[os.path.splitext(name)[0].casefold()] > 1):
        stem, suffix = os.path.splitext(name)
        if stems[stem.casefold()] > 1:
            stem += suffix.replace(".", "-")
        free, number = stem, 1
        while free.casefold() in used:
            number += 1
            free = f"{stem}-{number}"
        used.add(free.casefold())
        pictures[name] = f"{free}.png"
    return pictures


def mean_name(class_name: str) -> str:
    """Return the file name of the mean picture of a class."""
    return f"mean-{class_name}.png"


def write_picture(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write a picture as PNG, atomically, with this program's name in its metadata.

    Parameters
    ----------
    path : Path
        File to write.
    image : ndarray of shape (H, W, 3), dtype uint8
        RGB image.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    _, coded = cv2.imencode(".png", image[..., ::-1])
    png = coded.tobytes()
    write_content_atomically(path, png[:_AFTER_HEAD] + _CHUNK + png[_AFTER_HEAD:])


def _is_picture(path: Path) -> bool:
    """Return whether a file is a picture that `write_picture` wrote.

    A picture has the program's name in its metadata. Pictures of earlier versions lack the name,
    and are recognised as 8-bit RGB images of at most `LONG_SIDE` pixels.
    """
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
    """Return whether a folder has only explanations, without links.

    If there are overlays, there must also be means.
    """
    means = [file for file in path.iterdir() if file.name != IMAGES]
    if not path.is_dir() or not (path / IMAGES).is_dir():
        return False
    if not means and any((path / IMAGES).iterdir()):
        return False
    if any(not file.match(mean_name("*")) for file in means):
        return False
    for folder, folders, names in os.walk(path):
        inside = [Path(folder, name) for name in names]
        if any(p.is_symlink() for p in (*inside, *(Path(folder, name) for name in folders))):
            return False
        if not all(file.is_file() and _is_picture(file) for file in inside):
            return False
    return True


EXPLANATIONS = Kind(
    "a folder of explanations that cxr-models predict wrote",
    _is_folder_of_explanations,
    folder=True,
)
