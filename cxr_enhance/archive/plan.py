"""Which files are read and where each result goes; nothing is decoded or written here.

Names are decided before any work starts, from the whole set of inputs, so that they do not depend
on the order of the inputs or on which image is done first.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io._atomic import is_temporary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class PlannedFile(NamedTuple):
    """One file to read, and where its result goes."""

    source: str
    target: str
    named: bool  # given by itself, not found in a folder


class Problem(NamedTuple):
    """Something that was asked for and cannot be read."""

    path: str
    reason: str


@dataclasses.dataclass(slots=True)
class Plan:
    """Everything a run is to do.

    Parameters
    ----------
    files : list of PlannedFile
        In the order of the inputs, within a folder sorted by name.
    problems : list of Problem
        Inputs that do not exist, folders that cannot be listed, targets that are inputs.
    skipped : list of str
        Pipes, sockets and devices found in folders.
    linked_folders : list of str
        Symbolic links to folders found in folders; they are not entered, so that no loop is
        possible and nothing outside the inputs is read.
    """

    files: list[PlannedFile] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)
    linked_folders: list[str] = dataclasses.field(default_factory=list)


class _Found(NamedTuple):
    source: str
    relative: str  # below the output folder, still with the source's own extension
    root: str  # name of the folder that was given
    named: bool


def plan_files(inputs: Sequence[str], out: str, extension: str) -> Plan:
    """Plan the enhancement of `inputs`, files or folders, into the folder `out`.

    A file ``name.ext`` goes to ``out/name`` with the new `extension`, a folder's tree is kept below
    `out`. Where several inputs would meet in one name (compared without case, as some file systems
    do), each of them gets its old extension into the name: ``a.jpg`` and ``a.png`` become
    ``a_jpg.png`` and ``a_png.png``. Those that still meet get the name of the folder that was
    given as well, and at last a few digits of a hash of their path.

    Parameters
    ----------
    inputs : sequence of str
        Files and folders; folders are read with all they hold, except `out` itself. A file that
        is reached twice is planned once.
    out : str
        Output folder; need not exist.
    extension : str
        Of the outputs, with its dot.

    Returns
    -------
    Plan
    """
    plan = Plan()
    found: dict[str, _Found] = {}
    for path in inputs:
        for item in _find(path, out, plan):
            _keep_outermost(found, item)
    files = list(found.values())
    own_places = {_place(item.source) for item in files}
    for item, name in zip(files, _distinct_names(files, extension), strict=True):
        target = os.path.join(out, name)
        if _place(target) in own_places:
            reason = f"the output {target!r} would replace an input. Choose another output folder."
            plan.problems.append(Problem(item.source, reason))
        else:
            plan.files.append(PlannedFile(item.source, target, item.named))
    return plan


def _find(path: str, out: str, plan: Plan) -> Iterator[_Found]:
    if os.path.isdir(path):
        root = os.path.basename(os.path.abspath(path))
        for source in _walk(path, out, plan):
            yield _Found(source, os.path.relpath(source, path), root, named=False)
    elif os.path.isfile(path):
        folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
        yield _Found(path, os.path.basename(path), folder, named=True)
    elif os.path.exists(path):
        plan.problems.append(Problem(path, "is neither a file nor a folder."))
    else:
        plan.problems.append(Problem(path, "does not exist."))


def _walk(top: str, out: str, plan: Plan) -> Iterator[str]:
    """Yield the files below `top`, sorted within each folder, and report the rest to `plan`."""
    out_status = os.stat(out) if os.path.isdir(out) else None
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            plan.problems.append(Problem(folder, f"cannot be listed: {error.strerror}."))
            continue
        inner = []
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                if out_status is None or not os.path.samestat(entry.stat(), out_status):
                    inner.append(entry.path)
            elif os.path.isdir(entry.path):
                plan.linked_folders.append(entry.path)
            elif not entry.is_symlink() and not entry.is_file():
                plan.skipped.append(entry.path)
            elif not is_temporary(entry.name):  # a broken link goes on, to fail as unreadable
                yield entry.path
        folders.extend(reversed(inner))


def _keep_outermost(found: dict[str, _Found], item: _Found) -> None:
    """Of several ways to one file keep the one that shows most of its tree."""
    key = os.path.abspath(item.source)
    known = found.get(key)
    if known is None:
        found[key] = item
        return
    longer = max(known, item, key=lambda each: len(each.relative))
    found[key] = longer._replace(named=known.named or item.named)


def _distinct_names(files: Sequence[_Found], extension: str) -> list[str]:
    """Name each output, lengthening the names of those that meet until none do."""
    levels = [0] * len(files)
    folders = {folder for item in files for folder in _parents(_key(item.relative))}
    while True:
        names = [_name(item, level, extension) for item, level in zip(files, levels, strict=True)]
        users = defaultdict(list)
        for index, name in enumerate(names):
            users[_key(name)].append(index)
        meeting = [
            index
            for key, indices in users.items()
            if len(indices) > 1 or key in folders
            for index in indices
        ]
        if not meeting:
            return names
        for index in meeting:
            levels[index] += 1


def _name(item: _Found, level: int, extension: str) -> str:
    stem, old = os.path.splitext(item.relative)
    parts = [stem]
    if level >= 1 and old:
        parts.append(old[1:])
    if level >= 2:
        parts.append(item.root)
    if level >= 3:
        digest = hashlib.sha256(os.fsencode(os.path.abspath(item.source))).hexdigest()
        parts.append(digest[: 8 * (level - 2)])
    return "_".join(parts) + extension


def _parents(path: str) -> Iterable[str]:
    while path := os.path.dirname(path):
        yield path


def _key(path: str) -> str:
    """Make equal what some file system takes for the same name."""
    return unicodedata.normalize("NFC", path).casefold()


def _place(path: str) -> str:
    """Where a name lies once links in its folders, but not in itself, are resolved."""
    folder, name = os.path.split(os.path.abspath(path))
    return _key(os.path.join(_resolved(folder), name))


@functools.lru_cache(maxsize=65_536)
def _resolved(folder: str) -> str:
    return os.path.realpath(folder)
