"""The files of a plan, each with the name of its output, in little memory."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import NamedTuple, overload

from cxr_enhance.archive._names import Naming, Origin, distinct_levels, output_name


class PlannedFile(NamedTuple):
    """One file to read, and the path of its output."""

    source: str
    target: str
    is_named_by_user: bool  # True: fails if it is not an image. False: found in a folder
    replace: bool = False  # whether an existing output is overwritten


class PlannedFiles(Sequence[PlannedFile]):
    """The files of a plan; targets are made on demand, so that millions of files fit in memory."""

    def __init__(self, out: str, naming: Naming) -> None:
        self._out, self._naming = out, naming
        self._sources: list[str] = []
        self._cuts = array("I")  # for each source, the index at which its relative part begins
        self._named_by_user = bytearray()
        self._root_of = array("I")
        self._roots: list[str] = []
        self._levels = bytearray()

    def __len__(self) -> int:
        return len(self._sources)

    @overload
    def __getitem__(self, index: int) -> PlannedFile: ...
    @overload
    def __getitem__(self, index: slice) -> list[PlannedFile]: ...
    def __getitem__(self, index: int | slice) -> PlannedFile | list[PlannedFile]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return PlannedFile(
            self._sources[index], self.target(index), bool(self._named_by_user[index])
        )

    @property
    def extension(self) -> str:
        """Extension of the outputs, with its dot."""
        return self._naming.extension

    @property
    def out(self) -> str:
        """Folder of the outputs."""
        return self._out

    def source(self, index: int) -> str:
        """Return the path of the file to read."""
        return self._sources[index]

    def target(self, index: int) -> str:
        """Return the path of the file to write."""
        return os.path.join(self._out, self.name(index))

    def name(self, index: int) -> str:
        """Return the path of the file to write, relative to the output folder."""
        return output_name(self.origin(index), self._levels[index], self._naming)

    def origin(self, index: int) -> Origin:
        """Return the parts of the input's path that the output's name is made of."""
        source = self._sources[index]
        return Origin(source, source[self._cuts[index] :], self._roots[self._root_of[index]])

    def add(self, source: str, cut: int, root: str, *, is_named_by_user: bool) -> None:
        """Append a file whose relative part begins at `cut`."""
        if not self._roots or self._roots[-1] != root:
            self._roots.append(root)
        self._sources.append(source)
        self._cuts.append(cut)
        self._root_of.append(len(self._roots) - 1)
        self._named_by_user.append(is_named_by_user)

    def add_path(
        self, index: int, source: str, cut: int, root: str, *, is_named_by_user: bool
    ) -> None:
        """Record another path of a planned file; keep the path with the longer relative part."""
        if len(source) - cut > len(self._sources[index]) - self._cuts[index]:
            self._roots.append(root)
            self._sources[index], self._cuts[index] = source, cut
            self._root_of[index] = len(self._roots) - 1
        self._named_by_user[index] |= is_named_by_user

    def choose_names(self) -> None:
        """Choose all output names; must be called once, after the last file was added."""
        self._levels = distinct_levels(len(self), self.origin, self._naming)

    def keep(self, indices: Sequence[int]) -> None:
        """Remove all files except those at `indices`; output names do not change."""
        self._sources = [self._sources[i] for i in indices]
        self._cuts = array("I", (self._cuts[i] for i in indices))
        self._root_of = array("I", (self._root_of[i] for i in indices))
        self._named_by_user = bytearray(self._named_by_user[i] for i in indices)
        self._levels = bytearray(self._levels[i] for i in indices)
