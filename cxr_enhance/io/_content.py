"""The content of a file, read in pieces on demand, so that a header is read without the rest."""

from __future__ import annotations

import contextlib
import mmap
import struct
from typing import TYPE_CHECKING, Any

from cxr_enhance.io._signatures import RULE

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

_PAGE_BYTES = 1 << 16


class FileBytes:
    """An open file that can be sliced like bytes; slicing reads the file.

    The file is not mapped into memory. An unreadable sector of a mapped file, or a file that is cut
    during the call, would end the process instead of raising an error.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self._start, self._page = 0, b""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, where: slice) -> bytes:
        start, stop, _ = where.indices(self._size)
        if not self._start <= start <= stop <= self._start + len(self._page):
            self._file.seek(start)
            self._page = self._file.read(max(stop - start, _PAGE_BYTES))
            self._start = start
        return self._page[start - self._start : max(stop, start) - self._start]

    def mapped(self) -> bytes | mmap.mmap:
        """Map the file into memory, or read all of it if it cannot be mapped."""
        return mapped_file(self._file)


def mapped_file(file: io.FileIO) -> bytes | mmap.mmap:
    """Map an open file into memory, or read all of it if mapping fails, as for an empty file."""
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        file.seek(0)
        return file.readall()


Content = bytes | mmap.mmap | FileBytes


class Cut(Exception):  # noqa: N818 - never seen by callers of this package
    """The content ends before the requested bytes."""


def unpack(code: str, content: Content, position: int) -> tuple[Any, ...]:
    """Unpack the values at `position`, which may lie beyond the end in a damaged file.

    Raises
    ------
    Cut
        If the content ends before the values do.
    """
    part = content[position : position + struct.calcsize(code)]
    try:
        return struct.unpack(code, part)
    except struct.error:
        raise Cut from None


@contextlib.contextmanager
def documented_errors() -> Iterator[None]:
    """Convert exceptions to those that `read_image` and `image_info` document.

    Hostile files can cause other exceptions in decoders and parsers. Such an exception becomes a
    ValueError about the file, with the exception as its cause.
    """
    try:
        yield
    except (ValueError, OSError, ImportError, MemoryError):
        raise
    except Exception as error:
        description = f"{type(error).__name__}: {error}".strip(": ")
        raise ValueError(f"{RULE}; got a file that cannot be decoded ({description}).") from error
