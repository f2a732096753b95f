"""The files of a folder of explanations: their names, and how such a folder is recognised."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from cxr_models._outputs import Kind

IMAGES = "images"  # folder of the overlays
LONG_SIDE = 768  # of overlays and means, in pixels at most
_HEAD = struct.Struct(">16sIIBB")  # signature, length and name of the first chunk; the image's size
_STARTS_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_RGB_OF_8_BITS = (8, 2)


def mean_name(class_name: str) -> str:
    """Return the name of the file of a class's mean."""
    return f"mean-{class_name}.png"


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return False
    start, width, height, *colours = _HEAD.unpack(head)
    return (
        start == _STARTS_PNG
        and max(width, height) <= LONG_SIDE
        and tuple(colours) == _RGB_OF_8_BITS
    )


def _is_folder_of_explanations(path: Path) -> bool:
    """Return whether there are means, and nothing but them and overlays, none a link."""
    means = [one for one in path.iterdir() if one.name != IMAGES]
    if not path.is_dir() or not means or not (path / IMAGES).is_dir():
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
