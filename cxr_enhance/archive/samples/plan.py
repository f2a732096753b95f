"""Which sample goes into which file, and under which key: decided before any work starts.

The order of the plan is cut into groups of a stated number, so that neither threads nor chance
take part in it. A group is one file.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.samples.containers import CONTAINERS, ENDINGS, ContainerName
from cxr_enhance.archive.samples.records import Records
from cxr_enhance.archive.task import is_image_name
from cxr_enhance.io.read import is_image_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_enhance.archive.plan import Plan, Shard
    from cxr_enhance.archive.planned_files import PlannedFiles

SAMPLES_PER_FILE = 1000
_DIGITS = 6
_PASSED_OVER = re.compile(r"__[^/]*__(/|$)")  # by webdataset, as being about the others


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOptions:
    """How samples are put into files.

    Parameters
    ----------
    container : {"webdataset", "tfrecord"}
        Tar files, or TFRecord files.
    samples_per_file : int
        Planned files a file of samples; those that cannot be read are missing from it.
    records : Records or None
        What a table says of each file; None for samples without columns.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    container: ContainerName
    samples_per_file: int = SAMPLES_PER_FILE
    records: Records | None = None

    def __post_init__(self) -> None:
        if self.container not in CONTAINERS:
            raise ValueError(
                f"`container` must be one of {', '.join(CONTAINERS)}; got {self.container!r}."
            )
        if self.samples_per_file < 1:
            raise ValueError(
                f"`--samples-per-file` must be at least 1; got {self.samples_per_file}."
            )


class SamplePlan:
    """The files of samples that a plan becomes.

    Parameters
    ----------
    files : PlannedFiles
        Named without an extension.
    out : str
        Folder of the files of samples.
    options : SampleOptions
        Container, number and columns.
    part : Shard or None
        The part of the files of samples to write; None for all.
    without_file_column : bool
        Whether the column that names files is left out of the samples.
    """

    def __init__(
        self,
        files: PlannedFiles,
        out: str,
        options: SampleOptions,
        part: Shard | None = None,
        *,
        without_file_column: bool = False,
    ) -> None:
        self.files, self.out, self.options = files, out, options
        self._part, self._without_file_column = part, without_file_column
        self._lengthened = _meeting_keys(files)

    def __len__(self) -> int:
        """Count the files of samples, those of other parts too."""
        return -(-len(self.files) // self.options.samples_per_file)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of the files of samples to write."""
        if self._part is None:
            yield from range(len(self))
        else:
            yield from range(self._part.number - 1, len(self), self._part.total)

    def name(self, number: int) -> str:
        """Name a file of samples, in the output folder."""
        return f"{number:0{_DIGITS}}{ENDINGS[self.options.container]}"

    def target(self, number: int) -> str:
        """Name a file of samples."""
        return os.path.join(self.out, self.name(number))

    def indices(self, number: int) -> range:
        """Give the places in `files` of what goes into a file of samples."""
        start = number * self.options.samples_per_file
        return range(start, min(start + self.options.samples_per_file, len(self.files)))

    def keys(self, number: int) -> list[str]:
        """Give the keys of a file of samples, in order."""
        return [self.key(index) for index in self.indices(number)]

    def key(self, index: int) -> str:
        """Name a sample: the path of its file, without extension, and without dots in its name."""
        name = self.files.name(index)
        if index in self._lengthened:
            return f"{_key_of(name)}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
        return _key_of(name)

    def columns(self, index: int) -> dict[str, str]:
        """Give the columns of a sample."""
        records = self.options.records
        if records is None:
            return {}
        columns = records.of(self.files.source(index))
        if self._without_file_column:
            del columns[records.file_column]
        return columns


def drop_other_files(plan: Plan) -> None:
    """Move files of a plan that are no images to those that are skipped.

    Those given by name and those whose name is that of an image stay. The others are looked into:
    whatever else lies in a folder would take an image's place in a file of samples.
    """
    files = plan.files
    kept = []
    for index in range(len(files)):
        file = files[index]
        if file.named or is_image_name(file.source) or is_image_file(file.source):
            kept.append(index)
        else:
            plan.skipped.append(Outcome(file.source, "", "skipped", "no image"))
    if len(kept) < len(files):
        files.keep(kept)


def _key_of(name: str) -> str:
    folder, base = os.path.split(name)
    key = os.path.join(folder, base.replace(".", "_")).replace(os.sep, "/")
    return f"x{key}" if _PASSED_OVER.match(key) else key


def _meeting_keys(files: PlannedFiles) -> frozenset[int]:
    """Find the samples whose keys would be those of others.

    Keys that meet are found by their hashes and compared as text, so that a million take little
    memory and chance no part in the result.
    """
    count = len(files)

    def key(index: int) -> str:
        return unicodedata.normalize("NFC", _key_of(files.name(index))).casefold()

    hashes = np.fromiter((hash(key(i)) for i in range(count)), np.int64, count)
    values, counts = np.unique(hashes, return_counts=True)
    suspects = np.flatnonzero(np.isin(hashes, values[counts > 1])).tolist()
    texts = Counter(key(index) for index in suspects)
    return frozenset(index for index in suspects if texts[key(index)] > 1)
