"""The content of a file, read in pieces on demand, so that a header is read without the rest."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Any

from cxr_enhance.io._signatures import RULE

if TYPE_CHECKING:
    import io
    import os
    from collections.abc import Iterator

_PAGE_BYTES = 1 << 16


class _PageOfFile:
    """An open file, of which the last piece that was read stays in memory."""

    def __init__(self, file: io.FileIO) -> None:
        self.file = file
        self._start, self._page = 0, b""

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`, or to the end of the file."""
        if not self._start <= start <= stop <= self._start + len(self._page):
            self.file.seek(start)
            self._page, self._start = self._read(max(stop - start, _PAGE_BYTES)), start
        return self._page[start - self._start : stop - self._start]

    def _read(self, count: int) -> bytes:
        """Read `count` bytes, or all up to the end of the file; one call may read fewer."""
        page = self.file.read(count) or b""
        while len(page) < count and (more := self.file.read(count - len(page))):
            page += more
        return page


class FileBytes:
    """An open file, or a part of it, that can be sliced like bytes; slicing reads the file.

    The file is not mapped into memory. An unreadable sector of a mapped file, or a file that is cut
    during the call, would end the process instead of raising an error. Of a file that is cut during
    the call, slices are shorter than their bounds.

    Parameters
    ----------
    page : _PageOfFile
        The open file; all its parts use one page.
    first, stop : int
        Offsets of the part in the file.
    """

    def __init__(self, page: _PageOfFile, first: int, stop: int) -> None:
        self._page, self._first, self._size = page, first, stop - first

    @classmethod
    def of(cls, file: io.FileIO) -> FileBytes:
        """Return all of an open file."""
        return cls(_PageOfFile(file), 0, file.seek(0, 2))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, where: slice) -> bytes:
        start, stop, _ = where.indices(self._size)
        return self._page.read(self._first + start, self._first + max(start, stop))

    def part(self, start: int, stop: int) -> FileBytes:
        """Return the bytes from `start` to `stop` as an object of this class; read nothing."""
        start, stop, _ = slice(start, stop).indices(self._size)
        return FileBytes(self._page, self._first + start, self._first + max(start, stop))

    def whole_file(self) -> bytes:
        """Read the whole file, of which this may be a part."""
        self._page.file.seek(0)
        return self._page.file.readall()


Content = bytes | FileBytes


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Content]:
    """Open a file to be read in pieces; a pipe, or a file without a size, is read at once."""
    with open(path, "rb", buffering=0) as file:
        content = FileBytes.of(file) if file.seekable() else b""
        yield content if len(content) else file.readall()


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
