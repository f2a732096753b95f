"""Atomic writes: a file or folder appears with all of its content, or does not appear."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFIX = ".cxr-enhance-"
_SUFFIX = ".tmp"


def is_temporary(name: str) -> bool:
    """Return whether `name` is a temporary name of this module.

    Files that are being written have such names, and files that a killed process left.
    """
    return name.startswith(_PREFIX) and _SUFFIX in name


def temporary_name(suffix: str = "") -> str:
    """Return a new temporary name; `suffix` is for libraries that need the suffix of a format."""
    return f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}{suffix}"


def write_atomically(
    path: str,
    write: Callable[[BinaryIO], object],
    *,
    overwrite: bool,
    temporary_folder: str | None = None,
    link: str | None = None,
) -> None:
    """Call `write` with an open temporary file, then rename the file to `path` in one step.

    See `fill_atomically`, which this function calls.
    """

    def fill(temporary: str) -> None:
        with open(temporary, "wb") as file:
            write(file)

    fill_atomically(path, fill, overwrite=overwrite, temporary_folder=temporary_folder, link=link)


def fill_atomically(
    path: str,
    fill: Callable[[str], object],
    *,
    overwrite: bool,
    temporary_folder: str | None = None,
    link: str | None = None,
) -> None:
    """Call `fill` with the name of a temporary file, then rename the file to `path` in one step.

    The temporary file is made in `temporary_folder`, if this is given and is on the file system of
    `path`: a killed process then leaves no temporary file among the outputs. Otherwise the
    temporary file is made in the folder of `path`.

    After a failure or an interrupt at any moment, `path` has either its former content or all of
    the new content, and the temporary file is removed. A symbolic link at `path` is replaced, not
    followed. Nothing is forced to the disk: after a power cut the newest files may be lost.

    `link`, a path in `temporary_folder`, becomes a second name of the written file; the caller
    removes it. No link is made where `temporary_folder` lies on another file system than `path`, or
    where the file system has no hard links.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is false, even if `path` was made during the write.
    ValueError
        If `path` exists and is neither a file nor a directory, such as a device or a pipe.
    OSError
        If the file cannot be written.
    """
    mode = _mode_of_existing(path, overwrite=overwrite)
    beside = os.path.dirname(path)
    if temporary_folder is None or not _same_device(temporary_folder, beside):
        temporary_folder, link = beside, None
    temporary = os.path.join(temporary_folder, temporary_name())
    try:
        # os.open, unlike the tempfile module, gives the permissions that the umask allows.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        os.close(os.open(temporary, flags, 0o666))
        fill(temporary)
        if mode is not None:
            with contextlib.suppress(PermissionError):  # another user's file in a shared folder
                os.chmod(temporary, mode)
        if link is not None:
            with contextlib.suppress(OSError):
                os.link(temporary, link)
        if overwrite:
            os.replace(temporary, path)
        else:
            _link_or_claim(temporary, path)
    except BaseException as error:
        if link is not None:
            with contextlib.suppress(OSError):
                os.unlink(link)
        if not isinstance(error, OSError):
            raise
        _name_output(error, temporary, path)
        raise
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


@contextlib.contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` after the block.

    The temporary path has the suffixes of `path`.

    Other libraries write a file or a folder to the temporary path. After a failure, the former
    content of `path` stays and the temporary file or folder is removed. A replaced file keeps its
    permissions.

    If a folder was moved aside and cannot be moved back, it stays under its temporary name.

    Raises
    ------
    OSError
        If the content cannot be written; the error names `path`, or a folder that cannot be moved
        back.
    """
    temporary = path.with_name(temporary_name("".join(path.suffixes)))
    former = path.with_name(temporary_name())
    try:
        yield temporary
        if temporary.is_file() and path.is_file():
            shutil.copymode(path, temporary)
        try:
            # No folder can be renamed onto a path that exists.
            if temporary.is_dir() and os.path.lexists(path):
                path.rename(former)
            temporary.replace(path)
        except BaseException:  # an interrupt too
            if os.path.lexists(former) and not os.path.lexists(path):
                former.rename(path)
            raise
    except OSError as error:
        _name_output(error, str(temporary), str(path))
        raise
    finally:
        # The former content goes only once the new content has taken its place.
        if os.path.lexists(path) and not os.path.lexists(temporary):
            _remove(former)
        _remove(temporary)


def write_content_atomically(path: Path, content: str | bytes, *, overwrite: bool = True) -> None:
    """Write one file atomically; encode text as UTF-8; replace an existing file.

    See `write_atomically`.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is false.
    OSError
        If the file cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    write_atomically(os.fspath(path), lambda file: file.write(data), overwrite=overwrite)


def _name_output(error: OSError, temporary: str, path: str) -> None:
    """Set the file name of an error to `path`.

    Users do not know the temporary name, and the error about a full disk has no file name.
    """
    if error.errno is not None and error.filename in (None, temporary, Path(temporary)):
        error.filename = path
        del error.filename2  # None would be shown as a second name


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _same_device(first: str, second: str) -> bool:
    return os.stat(first).st_dev == os.stat(second or ".").st_dev


def _mode_of_existing(path: str, *, overwrite: bool) -> int | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        raise ValueError(
            f"`path` must name a regular file; got {path!r}, a device, pipe or socket."
        )
    if not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else None


def _link_or_claim(temporary: str, path: str) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
    except OSError:  # a file system without hard links: claim the name, then take it
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            os.replace(temporary, path)
        except BaseException:
            os.unlink(path)
            raise
