"""Choose a distinct output name for each input; the names depend on the set of all inputs."""

from __future__ import annotations

import hashlib
import hmac
import os
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

_FLAT_DIGITS = 32
_MAX_FOLDERS = 30  # folders that are added to a hash one by one; after them, all folders at once


class Origin(NamedTuple):
    """The parts of an input's path that the name of its output is made of."""

    source: str
    relative: str  # path below the input folder, with the source's own extension
    root: str  # name of the input folder


class Naming(NamedTuple):
    """Options of output names."""

    extension: str
    flat: bool = False  # hashes instead of the inputs' names
    key: bytes | None = None  # key of the hashes: without the key nobody can guess a hashed name


def distinct_levels(count: int, origin: Callable[[int], Origin], naming: Naming) -> bytearray:
    """Return how many times each of `count` output names must be lengthened to be distinct.

    Hashes of names are compared first, because hashes of a million names need little memory. Names
    with equal hashes are compared as text, so that equal hashes of different names do no harm.
    """
    levels = bytearray(count)
    folders = set()  # not needed for flat names: their folders never have the name of a file
    if not naming.flat:
        relative = {os.path.dirname(origin(i).relative) for i in range(count)}
        folders = {key(folder) for folder in relative}
    folders |= {parent for folder in folders for parent in _parents(folder)}

    def name(index: int) -> str:
        return key(output_name(origin(index), levels[index], naming))

    hashes: npt.NDArray[np.int64] = np.fromiter(
        (hash(name(i)) for i in range(count)), np.int64, count
    )
    while True:
        suspects = _doubled(hashes) | np.isin(hashes, [hash(folder) for folder in folders])
        indices_of = defaultdict(list)
        for index in np.flatnonzero(suspects).tolist():
            indices_of[name(index)].append(index)
        clashing = [
            index
            for text, indices in indices_of.items()
            if len(indices) > 1 or text in folders
            for index in indices
        ]
        if not clashing:
            return levels
        for index in clashing:
            levels[index] += 1
        for index in clashing:
            hashes[index] = hash(name(index))


def output_name(origin: Origin, level: int, naming: Naming) -> str:
    """Name an output below the output folder, lengthened `level` times."""
    if naming.flat:
        return _flat_name(origin, level, naming)
    stem, old = os.path.splitext(origin.relative)
    parts = [stem]
    if level >= 1 and old:
        parts.append(old[1:])
    if level >= 2:
        parts.append(origin.root)
    if level >= 3:
        parts.append(_digits(origin, level - 3))
    return "_".join(parts) + naming.extension


def _flat_name(origin: Origin, level: int, naming: Naming) -> str:
    """Hash an input's name below its folder; from level 1 on, the folder's name too."""
    parts = [origin.relative.replace(os.sep, "/")]
    if level >= 1:
        parts.append(origin.root)
    if level >= 2:
        parts.append(_digits(origin, level - 2))
    text = os.fsencode("\0".join(parts))
    if naming.key is None:
        digest = hashlib.sha256(text).hexdigest()
    else:
        digest = hmac.new(naming.key, text, hashlib.sha256).hexdigest()
    return os.path.join(digest[:2], digest[:_FLAT_DIGITS] + naming.extension)


def _digits(origin: Origin, folders: int) -> str:
    """Hash the path below the input folder, with the names of `folders` folders above it.

    No more folders are hashed than names need, so that output names do not depend on where the
    archive lies on a disk.
    """
    names = os.path.abspath(origin.source).split(os.sep)
    count = len(origin.relative.split(os.sep)) + folders
    if folders > _MAX_FOLDERS:
        count += len(names)
    text = os.sep.join(names[-count:])
    more = max(count - len(names), 0)  # longer hashes, in case short ones are equal
    return hashlib.sha256(os.fsencode(text)).hexdigest()[: 8 * (1 + more)]


def key(path: str) -> str:
    """Return the same text for all paths that some file system treats as the same name."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", path).casefold()


def _doubled(hashes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Mark the entries whose value occurs more than once."""
    order = np.argsort(hashes, kind="stable")
    sorted_hashes = hashes[order]
    same = sorted_hashes[1:] == sorted_hashes[:-1]
    marks = np.zeros(len(hashes), bool)
    marks[order[1:][same]] = True
    marks[order[:-1][same]] = True
    return marks


def _parents(path: str) -> Iterable[str]:
    while path := os.path.dirname(path):
        yield path
