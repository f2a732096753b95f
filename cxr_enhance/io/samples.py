"""Read images by name from files of samples; ``000000.tar::p1/0001`` names one in ``000000.tar``.

A file of samples is a tar file or a TFRecord file. Its index, such as ``000000.tar.json``, is in
the same folder. The index holds the offset and size of each image in the file. One image can
therefore be read without the others, and without the library that wrote the file.
"""

from __future__ import annotations

import functools
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

SEPARATOR = "::"
INDEX_ENDING = ".json"
_INDEXES_IN_MEMORY = 256
_RULE = "`source` must name an image in a file of samples as FILE::KEY"


class Member(NamedTuple):
    """An image in a file of samples."""

    file: str
    key: str


class Place(NamedTuple):
    """Offset and size, in bytes, of an image's content in a file of samples."""

    offset: int
    size: int


def index_path(file: str) -> str:
    """Return the path of the index of a file of samples."""
    return f"{file}{INDEX_ENDING}"


def member_name(file: str, key: str) -> str:
    """Return the name FILE::KEY of an image in a file of samples."""
    return f"{file}{SEPARATOR}{key}"


def member_of(path: str | os.PathLike[str]) -> Member | None:
    """Split FILE::KEY into file and key; None if `path` is the name of an ordinary file."""
    name = os.fspath(path)
    if not isinstance(name, str) or SEPARATOR not in name or os.path.lexists(name):
        return None
    file, _, key = name.partition(SEPARATOR)
    while SEPARATOR in key and not os.path.isfile(file):  # a folder's name may hold "::" too
        further, _, key = key.partition(SEPARATOR)
        file = member_name(file, further)
    return Member(file, key) if os.path.isfile(file) else None


def file_behind(path: str) -> str:
    """Return the file that holds an image: `path` itself, or the file of samples of FILE::KEY."""
    member = member_of(path)
    return path if member is None else member.file


def read_member(member: Member) -> bytes:
    """Read the content of one image file out of a file of samples.

    Raises
    ------
    ValueError
        If the index is missing, damaged, or does not hold the key, or if the file ends before the
        image does.
    OSError
        If a file cannot be read.
    """
    path = index_path(member.file)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise ValueError(
            f"{_RULE}, with its index {os.path.basename(path)!r} beside it; got no index. Copy it "
            "along with the file."
        ) from None
    place = _places(path, status.st_mtime_ns, status.st_size).get(member.key)
    if place is None:
        raise ValueError(f"{_RULE}; got {member.key!r}, which is not in the index {path!r}.")
    with open(member.file, "rb") as file:
        end = os.fstat(file.fileno()).st_size  # a hostile index may declare any size
        if place.offset + place.size > end:
            raise ValueError(
                f"{_RULE}, a whole one; got {end} bytes, where the image ends at "
                f"{place.offset + place.size} by its index. Copy both again."
            )
        file.seek(place.offset)
        return file.read(place.size)


def read_index(path: str) -> dict[str, Any] | None:
    """Read the index of a file of samples; None if it is missing, damaged or not an index.

    Raises
    ------
    OSError
        If the file exists and cannot be read.
    """
    try:
        with open(path, "rb") as file:
            index = json.loads(file.read())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return None
    return index if isinstance(index, dict) and places_in(index) is not None else None


def places_in(index: Mapping[str, Any]) -> dict[str, Place] | None:
    """Return the place of each key of an index; None if the index is damaged or hostile."""
    samples = index.get("samples")
    if not isinstance(samples, list):
        return None
    places = {}
    for sample in samples:
        if not isinstance(sample, dict) or not isinstance(sample.get("key"), str):
            return None
        place = Place(sample.get("offset", -1), sample.get("bytes", -1))
        if any(type(number) is not int or number < 0 for number in place):
            return None
        places[sample["key"]] = place
    return places


@functools.lru_cache(maxsize=_INDEXES_IN_MEMORY)
def _places(path: str, mtime_ns: int, size: int) -> Mapping[str, Place]:
    """Read an index; `mtime_ns` and `size` are parts of the cache's key, to notice changes."""
    index = read_index(path)
    if index is None:
        raise ValueError(
            f"{_RULE}, with its index beside it; got {path!r}, which is damaged or another file."
        )
    return places_in(index) or {}
