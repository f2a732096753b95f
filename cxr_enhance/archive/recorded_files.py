"""Find the planned file that a row of an earlier run describes, whatever names the run used.

Rows hold names as they were given. A later run may name the same folders otherwise: as relative or
absolute paths, or through a symbolic link. A relative name means nothing without the working folder
of its run, which rows do not hold. It counts as the name of a file only if the plan has the very
same name, or if the row's output is a name below the working folder too and is, seen from the
working folder of today, the output that is planned for the file.
"""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cxr_enhance.archive.planned_files import PlannedFiles

_KEPT_FOLDERS = 4096  # number of folders whose resolved paths stay in memory
_MAX_LEVELS = 100  # number of folders above a folder; deeper folders are resolved in one step


class RecordedFiles:
    """Finds planned files by the rows of manifests.

    Parameters
    ----------
    files : PlannedFiles
        The files of the plan.
    """

    def __init__(self, files: PlannedFiles) -> None:
        self._files = files
        self._resolved_folder = _resolver()
        self._index_of: dict[str, int] = {}
        for index in range(len(files)):
            source = files.source(index)
            path = os.path.abspath(source)
            self._index_of[source if path == source else path] = index

    def find(self, row: Mapping[str, Any]) -> int | None:
        """Return the index of the planned file with the input and the output of a row, or None.

        A row without an output is found by its input.
        """
        source, target = row["input"], row["output"]
        is_known = os.path.isabs(source) or _is_below_working_folder(target)
        for index in self._with_source(os.path.abspath(source)):
            planned = self._files.target(index)
            if not is_known and self._files.source(index) != source:
                continue
            if target in ("", planned) or self.resolved(target) == self.resolved(planned):
                return index
        return None

    def _with_source(self, path: str) -> Iterator[int]:
        index = self._index_of.get(path)
        if index is not None:
            yield index
        folder, name = os.path.split(path)
        for other in self._folders_at.get(self._resolved_folder(folder), ()):
            index = self._index_of.get(os.path.join(other, name))
            if index is not None and other != folder:
                yield index

    @functools.cached_property
    def _folders_at(self) -> dict[str, list[str]]:
        """Absolute folders of the planned inputs, by their paths with all links resolved."""
        folders_at = defaultdict(list)
        for folder in dict.fromkeys(map(os.path.dirname, self._index_of)):
            folders_at[self._resolved_folder(folder)].append(folder)
        return folders_at

    def resolved(self, path: str) -> str:
        """Return an absolute path of a file, with all links to its folder resolved."""
        folder, name = os.path.split(path)
        return os.path.join(self._resolved_folder(folder or "."), name)


def _is_below_working_folder(name: str) -> bool:
    return bool(name) and not os.path.isabs(name) and os.path.normpath(name)[:2] != ".."


def _resolver() -> Callable[[str], str]:
    """Return a function like `os.path.realpath` that looks up each folder only once."""

    @functools.lru_cache(_KEPT_FOLDERS)
    def resolved(folder: str) -> str:
        parent, name = os.path.split(folder)
        if _needs_realpath(folder, name):
            return _realpath(folder)
        return os.path.join(resolved(parent or "."), name)

    return resolved


def _needs_realpath(folder: str, name: str) -> bool:
    """Return whether a folder's resolved path may be other than `name` in the resolved parent."""
    is_special = name in ("", os.curdir, os.pardir) or os.path.islink(folder)
    is_deep = folder.count(os.sep) > _MAX_LEVELS  # each level is a recursive call
    return is_special or is_deep or os.name == "nt"  # on Windows, junctions and short names


def _realpath(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except ValueError:  # a name that no folder can have, in a row that someone has edited
        return folder
