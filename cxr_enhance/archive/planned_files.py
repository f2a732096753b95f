"""The files of a plan, each with the name of its output, in little memory."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import NamedTuple, overload

from cxr_enhance.archive._names import Naming, Origin, distinct_levels, output_name


class PlannedFile(NamedTuple):
    """One file to read, and where its result goes."""

    source: str
    target: str
    named: bool  # given by itself, not found in a folder: being no image is then a failure
    replace: bool = False  # whether an existing output is written over


class PlannedFiles(Sequence[PlannedFile]):
    """The files of a plan; targets are made when asked for, so that millions fit in memory."""

    def __init__(self, out: str, naming: Naming) -> None:
        self._out, self._naming = out, naming
        self._sources: list[str] = []
        self._cuts = array("I")  # where in its source the relative part begins
        self._named = bytearray()
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
        return PlannedFile(self._sources[index], self.target(index), bool(self._named[index]))

    @property
    def extension(self) -> str:
        """Of the outputs, with its dot."""
        return self._naming.extension

    def source(self, index: int) -> str:
        """Name the file to read."""
        return self._sources[index]

    def target(self, index: int) -> str:
        """Name the file to write."""
        return os.path.join(self._out, self.name(index))

    def name(self, index: int) -> str:
        """Name the file to write, below the output folder."""
        return output_name(self.origin(index), self._levels[index], self._naming)

    def origin(self, index: int) -> Origin:
        """Give what the name is made of."""
        source = self._sources[index]
        return Origin(source, source[self._cuts[index] :], self._roots[self._root_of[index]])

    def add(self, source: str, cut: int, root: str, *, named: bool) -> None:
        """Append a file whose relative part begins at `cut`."""
        if not self._roots or self._roots[-1] != root:
            self._roots.append(root)
        self._sources.append(source)
        self._cuts.append(cut)
        self._root_of.append(len(self._roots) - 1)
        self._named.append(named)

    def improve(self, index: int, source: str, cut: int, root: str, *, named: bool) -> None:
        """Note another way to a file that is there: the one that shows most of its tree counts."""
        if len(source) - cut > len(self._sources[index]) - self._cuts[index]:
            self._roots.append(root)
            self._sources[index], self._cuts[index] = source, cut
            self._root_of[index] = len(self._roots) - 1
        self._named[index] |= named

    def settle_names(self) -> None:
        """Decide all names, once every file is there."""
        self._levels = distinct_levels(len(self), self.origin, self._naming)

    def keep(self, indices: Sequence[int]) -> None:
        """Forget all files but those at `indices`; names stay as settled."""
        self._sources = [self._sources[i] for i in indices]
        self._cuts = array("I", (self._cuts[i] for i in indices))
        self._root_of = array("I", (self._root_of[i] for i in indices))
        self._named = bytearray(self._named[i] for i in indices)
        self._levels = bytearray(self._levels[i] for i in indices)
