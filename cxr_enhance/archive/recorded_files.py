"""Find the planned file that a row of an earlier run describes, whatever names the run used.

Rows hold names as they were given. A later run may name the same folders otherwise: with another
working folder, as absolute paths, or through a symbolic link. The folder that holds inputs and
outputs may also have been moved.
"""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxr_enhance.archive.manifest import OrderedRow
    from cxr_enhance.archive.planned_files import PlannedFiles


class RecordedFiles:
    """Finds planned files by the rows of manifests.

    Parameters
    ----------
    files : PlannedFiles
        The files of the plan.
    manifests : sequence of str
        Paths of the manifests.
    """

    def __init__(self, files: PlannedFiles, manifests: Sequence[str]) -> None:
        self._files = files
        self._out = os.path.abspath(files.out)
        self._resolved_folder = functools.cache(_resolved_folder)
        self._moved_folder = functools.cache(self._folder_seen_from_out)
        out = self._resolved_folder(self._out)
        self._outputs_begin_with = os.path.join(out, "")
        # Numbers of the manifests in the output folder, which are moved together with it.
        self._manifests_in_out = {
            number
            for number, path in enumerate(manifests)
            if self._resolved_folder(os.path.dirname(path) or ".") == out
        }
        self._former_out: dict[int, str] = {}  # former path of the output folder, by manifest
        self._index_of: dict[str, int] = {}
        for index in range(len(files)):
            source = files.source(index)
            path = os.path.abspath(source)
            self._index_of[source if path == source else path] = index

    def find(self, ordered: OrderedRow) -> int | None:
        """Return the index of the planned file with the input and the output of a row, or None.

        A row without an output is found by its input.
        """
        source, target = ordered.fields["input"], ordered.fields["output"]
        index = self._match(os.path.abspath(source), target)
        if index is not None or ordered.manifest not in self._manifests_in_out:
            return index
        if os.path.isabs(target or source) != os.path.isabs(source):
            return None  # the former working folder is not known
        source, target = os.path.abspath(source), target and os.path.abspath(target)
        former = self._former_out.get(ordered.manifest)
        if target and (former is None or not target.startswith(os.path.join(former, ""))):
            former = self._find_former_out(ordered.manifest, source, target)
        return None if former is None else self._match_moved(source, target, former)

    def _match(self, source: str, target: str) -> int | None:
        """Return the index of the planned file at the absolute path `source`, under any name."""
        for index in self._with_source(source):
            planned = self._files.target(index)
            if target in ("", planned) or self._resolved(target) == self._resolved(planned):
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

    def _resolved(self, path: str) -> str:
        folder, name = os.path.split(path)
        return os.path.join(self._resolved_folder(folder or "."), name)

    def _find_former_out(self, manifest: int, source: str, target: str) -> str | None:
        """Find the output folder's path at the time of a row, if the folder has been moved since.

        The path is known if a planned file has the same places, seen from the output folder of
        today, as the row's input and output, seen from the former output folder.
        """
        if self._resolved(target).startswith(self._outputs_begin_with):
            return None  # not moved: the row is about a file that is not planned
        former, folder = target, os.path.dirname(target)
        while folder != former:
            former, folder = folder, os.path.dirname(folder)
            if self._match_moved(source, target, former) is not None:
                self._former_out[manifest] = former
                return former
        return None

    def _match_moved(self, source: str, target: str, former: str) -> int | None:
        return self._match(self._moved(source, former), target and self._moved(target, former))

    def _moved(self, path: str, former: str) -> str:
        folder, name = os.path.split(path)
        return os.path.join(self._moved_folder(folder, former), name)

    def _folder_seen_from_out(self, folder: str, former: str) -> str:
        try:
            return os.path.normpath(os.path.join(self._out, os.path.relpath(folder, former)))
        except ValueError:  # another drive of Windows, which was not moved
            return folder


def _resolved_folder(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except ValueError:  # a name that no folder can have, in a row that someone has edited
        return folder
