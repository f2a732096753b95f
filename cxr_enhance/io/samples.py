"""Images inside files of samples, by name: ``000000.tar::p1/0001`` is one of `000000.tar`.

A file of samples is a tar file or a TFRecord file. The index beside it, ``000000.tar.json``, tells
where in the file each image lies, so that one image is read without the others and without the
library that wrote the file.
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
    """Where in a file of samples the content of an image file lies."""

    offset: int
    size: int


def index_path(file: str) -> str:
    """Name the index of a file of samples."""
    return f"{file}{INDEX_ENDING}"


def member_name(file: str, key: str) -> str:
    """Name an image in a file of samples."""
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
        If the index beside the file is missing, damaged, or holds no such key, or the file ends
        before the image does.
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
    """Read the index of a file of samples; None if it is missing, damaged or another file.

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
    """Map the keys of an index to places; None if it is damaged: an index may be hostile."""
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
    """Read an index; `mtime_ns` and `size` make a changed index a new entry of the cache."""
    index = read_index(path)
    if index is None:
        raise ValueError(
            f"{_RULE}, with its index beside it; got {path!r}, which is damaged or another file."
        )
    return places_in(index) or {}
