"""A CSV of the fingerprints of image files, found by path, size and time of last change.

The CSV is in the folder of the manifest. Each decoded image adds a row, so that a stopped run of
``cxr-models index`` can continue without decoding the same images again.
"""

from __future__ import annotations

import csv
import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io.samples import file_behind
from cxr_models._cells import CsvWriter, escape_formula, original_cell
from cxr_models._outputs import Kind, first_line
from cxr_models.records.fingerprints import Fingerprint, fingerprint_of_columns

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TextIO

COLUMNS = ("file", "bytes", "changed", "pixels", "hash")
HASHES = Kind(
    "hashes of images that cxr-models index keeps",
    lambda path: first_line(path) == ",".join(COLUMNS).encode(),
)


class _Version(NamedTuple):
    file: str
    size: str
    changed: str


class KeptHashes:
    """Fingerprints of image files, stored in a CSV; a context manager.

    Parameters
    ----------
    path : Path
        The CSV. If it exists, it is read on entry, and new rows are appended to it. Incomplete
        rows, from a run that was stopped, are ignored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fingerprints: dict[_Version, Fingerprint] = {}
        self._lock = threading.Lock()
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path.exists():
            self._fingerprints = self._read()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def get(self, path: str) -> Fingerprint | None:
        """Return the fingerprint of a file; None if it is not stored or the file has changed."""
        return self._fingerprints.get(_version(path))

    def add(self, path: str, fingerprint: Fingerprint) -> None:
        """Store the fingerprint of a file and write it to the CSV at once; thread-safe."""
        cells = (*_version(path), *fingerprint.columns().values())
        with self._lock:
            if self._file is None:
                self._file = self._opened()
            CsvWriter(self._file).writerow(map(escape_formula, cells))
            self._file.flush()

    def _opened(self) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a", encoding="utf-8", newline="")
        # A line break ends a row that a stopped run left incomplete. Empty rows are ignored.
        file.write("\n" if file.tell() else ",".join(COLUMNS) + "\n")
        return file

    def _read(self) -> dict[_Version, Fingerprint]:
        fingerprints = {}
        with self._path.open(encoding="utf-8", errors="replace", newline="") as file:
            for row in csv.reader(file):
                if len(row) == len(COLUMNS):
                    fingerprint = fingerprint_of_columns(*row[3:])
                    if fingerprint is not None:
                        fingerprints[_Version(*map(original_cell, row[:3]))] = fingerprint
        return fingerprints


def _version(path: str) -> _Version:
    status = os.stat(file_behind(path))
    return _Version(os.path.abspath(path), str(status.st_size), str(status.st_mtime_ns))
