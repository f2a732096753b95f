"""Assign each image to a file of samples and give it a key, before any work starts.

The images of a plan are divided, in their order, into groups of equal number. Each group becomes
one file of samples. The result therefore does not depend on threads.
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
_IGNORED_KEY = re.compile(r"__[^/]*__(/|$)")  # webdataset reads such members as metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOptions:
    """Options of files of samples.

    Parameters
    ----------
    container : {"webdataset", "tfrecord"}
        Format of the files of samples: "webdataset" writes tar files, "tfrecord" TFRecord files.
    samples_per_file : int
        Number of planned images in each file of samples; the file lacks images that cannot be read.
    records : Records or None
        Table whose columns are stored in the samples; None makes samples without columns.

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
    """The assignment of the images of a plan to files of samples.

    Parameters
    ----------
    files : PlannedFiles
        The images, whose output names have no extension.
    out : str
        Folder of the files of samples.
    options : SampleOptions
        Container, samples per file and table of columns.
    part : Shard or None
        Part of the files of samples to write; None writes all.
    without_file_column : bool
        True leaves the column of file names out of the samples.
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
        self._clashing = _clashing_keys(files)

    def __len__(self) -> int:
        """Count the files of samples of all parts."""
        return -(-len(self.files) // self.options.samples_per_file)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of the files of samples to write."""
        if self._part is None:
            yield from range(len(self))
        else:
            yield from range(self._part.number - 1, len(self), self._part.total)

    def name(self, number: int) -> str:
        """Return the name of a file of samples, without its folder."""
        return f"{number:0{_DIGITS}}{ENDINGS[self.options.container]}"

    def target(self, number: int) -> str:
        """Return the path of a file of samples."""
        return os.path.join(self.out, self.name(number))

    def indices(self, number: int) -> range:
        """Return the indices in `files` of the images of a file of samples."""
        start = number * self.options.samples_per_file
        return range(start, min(start + self.options.samples_per_file, len(self.files)))

    def keys(self, number: int) -> list[str]:
        """Return the keys of a file of samples, in order."""
        return [self.key(index) for index in self.indices(number)]

    def key(self, index: int) -> str:
        """Return the key of a sample: the path of its image, without extension or dots."""
        name = self.files.name(index)
        if index in self._clashing:
            return f"{_key_of(name)}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
        return _key_of(name)

    def columns(self, index: int) -> dict[str, str]:
        """Return the columns of a sample."""
        records = self.options.records
        if records is None:
            return {}
        columns = records.of(self.files.source(index))
        if self._without_file_column:
            del columns[records.file_column]
        return columns


def drop_other_files(plan: Plan) -> None:
    """Move the files of a plan that are not images to the skipped files.

    Files that the user named, and files whose name is that of an image, are kept. The first bytes
    of all other files are read, because a file that is not an image would reduce the number of
    images in a group.
    """
    files = plan.files
    kept = []
    for index in range(len(files)):
        file = files[index]
        if file.is_named_by_user or is_image_name(file.source) or is_image_file(file.source):
            kept.append(index)
        else:
            plan.skipped.append(Outcome(file.source, "", "skipped", "no image"))
    if len(kept) < len(files):
        files.keep(kept)


def _key_of(name: str) -> str:
    folder, base = os.path.split(name)
    key = os.path.join(folder, base.replace(".", "_")).replace(os.sep, "/")
    return f"x{key}" if _IGNORED_KEY.match(key) else key


def _clashing_keys(files: PlannedFiles) -> frozenset[int]:
    """Find the samples whose keys would equal the keys of other samples.

    Hashes of keys are compared first, because hashes of a million keys need little memory. Keys
    with equal hashes are compared as text, so that equal hashes of different keys do no harm.
    """
    count = len(files)

    def key(index: int) -> str:
        return unicodedata.normalize("NFC", _key_of(files.name(index))).casefold()

    hashes = np.fromiter((hash(key(i)) for i in range(count)), np.int64, count)
    values, counts = np.unique(hashes, return_counts=True)
    suspects = np.flatnonzero(np.isin(hashes, values[counts > 1])).tolist()
    texts = Counter(key(index) for index in suspects)
    return frozenset(index for index in suspects if texts[key(index)] > 1)
