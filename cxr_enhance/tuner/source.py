"""`Source`: an image from a file, from the content of a file, or from an array.

`Files` steps through files and the files of folders.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io.dicom.decode import Decoded, StoredFrame, shown_frame
from cxr_enhance.io.folders import walk_folder
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.read import (
    decode_image,
    decode_stored_frame,
    read_if_image,
    read_start,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxr_enhance._types import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One image and its origin.

    Parameters
    ----------
    name : str
        Name that the page shows.
    path : str or None
        Path of the file, or the name of a dropped file; None for an array.
    frame : StoredFrame or None
        The frame of a DICOM file before its VOI transform; None for other sources.
    decoded : Decoded
        The image, read with `options`.
    options : ReadOptions
        Options with which the image was read.
    is_dicom : bool
        Whether the source is a DICOM file, whose VOI transform can be chosen.
    window : (float, float) or None
        Center and width of the first window in the header; None if there is no window.
    values : (float, float) or None
        Least and greatest value that a window can show; None for sources without windows.
    """

    name: str
    path: str | None
    frame: StoredFrame | None
    decoded: Decoded
    options: ReadOptions
    is_dicom: bool
    window: tuple[float, float] | None = None
    values: tuple[float, float] | None = None

    def read_with(self, options: ReadOptions) -> Source:
        """Return the source read with other options; sources other than DICOM do not change."""
        if self.frame is None or options == self.options:
            return self
        with _named(self.name):
            return dataclasses.replace(
                self, decoded=shown_frame(self.frame, options), options=options
            )


def source_of_array(image: Image) -> Source:
    """Return a source that holds a copy of an array; `enhance` must accept the array."""
    flat = image[..., 0] if image.shape[2:] == (1,) else image
    own = np.array(flat, dtype=flat.dtype.newbyteorder("="), order="C")
    return Source(
        name="image", path=None, frame=None, decoded=Decoded(own), options=ReadOptions(),
        is_dicom=False,
    )  # fmt: skip


def source_of_bytes(name: str, content: bytes, options: ReadOptions) -> Source:
    """Decode the content of a file whose path is not known.

    Raises
    ------
    ValueError, ImportError, MemoryError
        As `read_image`.
    """
    return _source(name, name, content, options)


def source_of_file(path: str, options: ReadOptions) -> Source:
    """Read and decode a file.

    Raises
    ------
    ValueError, OSError, ImportError, MemoryError
        As `read_image`.
    """
    return _source_of_read_file(path, read_if_image(path, options), options)


def _source_of_read_file(path: str, content: bytes | None, options: ReadOptions) -> Source:
    """Decode the result of `read_if_image`; None raises the error for a file without an image."""
    return _source(
        os.path.basename(path), path, read_start(path) if content is None else content, options
    )


def _source(name: str, path: str, content: bytes, options: ReadOptions) -> Source:
    with _named(name):
        frame = decode_stored_frame(content, options)
        if frame is None:
            decoded, values = decode_image(content, options), None
        else:
            decoded, values = shown_frame(frame, options), frame.values()
    own = None if frame is None else frame.header.window
    return Source(
        name=name,
        path=path,
        frame=frame,
        decoded=decoded,
        options=options,
        is_dicom=frame is not None,
        window=None if own is None else (own.center, own.width),
        values=values,
    )


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Add the name of the file to the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{error} File: {name!r}.") from error


class Files:
    """A list of files and the position in it.

    Parameters
    ----------
    paths : sequence of str
        Files and folders. A folder stands for all images below it; hidden files and links to
        folders are ignored. A file that is in `paths` itself is never ignored.

    Raises
    ------
    ValueError
        If there is no file.
    FileNotFoundError
        If a path does not exist.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = [file for path in paths for file in _files_of(path)]
        self._named = frozenset(paths)  # these files are opened, or raise an error if not images
        self.index = -1  # index of the file that was opened last
        if paths and not self.paths:
            raise ValueError(f"{paths[0]!r} must hold a file; got an empty folder.")

    def step(self, by: int, options: ReadOptions) -> Source | None:
        """Open the next (`by` 1) or the previous (`by` -1) file that is an image.

        Returns
        -------
        Source or None
            The image; None if there is no further image. The position then does not change.

        Raises
        ------
        ValueError, OSError, ImportError, MemoryError
            As `read_image`, for a file that should be an image, and for a file that cannot be
            read. The position is this file, and the next step continues from there.
        """
        former = self.index
        while 0 <= self.index + by < len(self.paths):
            self.index += by  # before the file is opened, because that may raise
            path = self.paths[self.index]
            content = read_if_image(path, options)
            if content is not None or path in self._named:
                return _source_of_read_file(path, content, options)
        self.index = former
        return None


def _files_of(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        os.stat(path)
        yield path
        return
    for entry in walk_folder(path, skip=lambda entry: entry.name.startswith(".")):
        if entry.kind == "file":
            yield entry.path
