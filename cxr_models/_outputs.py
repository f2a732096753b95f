"""Rules for replacing an existing file or folder at the path of an output.

An existing path is only replaced with `overwrite`, and only if it is an earlier output of the same
kind. An input of the command is never replaced. The kind of a path is found from its content, not
from its name. Each kind is defined next to the code that writes it.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io.atomic import replace_atomically
from cxr_enhance.io.folders import check_parent_references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_LONGEST_LINE = 1 << 20  # bytes; no output of this package has a longer first line


class Kind(NamedTuple):
    """A kind of output."""

    name: str  # name in error messages, with its article
    # function that returns whether an existing file or folder is of this kind; if it raises OSError
    # or ValueError, the path is not of this kind
    recognises: Callable[[Path], bool]
    # whether the output is a folder; an empty folder then counts as a new path
    folder: bool = False


def check_output(
    path: Path,
    kind: Kind,
    *,
    overwrite: bool,
    inputs: Iterable[str | os.PathLike[str]] = (),
    option: str = "--out",
) -> None:
    """Raise unless `path` may be written.

    Parameters
    ----------
    path : Path
        File or folder to write.
    kind : Kind
        Kind of the output.
    overwrite : bool
        Whether an earlier output of this kind may be replaced.
    inputs : iterable of str or PathLike, optional
        Files that the command reads. They are never replaced, not even through a link.
    option : str, default "--out"
        The option that names `path`, for error messages.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is false.
    ValueError
        If `path` exists and is an input, contains an input, or is not an output of this kind. If
        `path` has ``..`` after a folder that does not exist, or nothing can be written there.
    """
    check_parent_references(path, option)
    _check_folder_of(path, option)
    if not os.path.lexists(path) or (kind.folder and _is_empty_folder(path)):
        return
    if input_path := _input_in(path, inputs):
        raise ValueError(
            f"`{option}` must not replace what this command reads; got {str(path)!r}, which is or "
            f"holds the input {input_path!r}. Choose another name."
        )
    is_earlier_output = _is_earlier(path, kind)
    if path.is_dir() and not is_earlier_output:
        raise ValueError(
            f"`{option}` must not name a folder of other files; got {str(path)!r}. Name "
            f"{'' if kind.folder else 'a file or '}a new folder."
        )
    if not overwrite:
        cure = "Replace it with --overwrite" if is_earlier_output else "Choose another name"
        raise FileExistsError(f"`{option}` must not exist; got {str(path)!r}. {cure}")
    if not is_earlier_output:
        raise ValueError(
            f"`{option}` must be new, or {kind.name}, to be replaced; got {str(path)!r}, which is "
            "neither. Choose another name."
        )


def check_separate(file: Path, folder: Path, *, option: str = "--out", folder_option: str) -> None:
    """Raise ValueError if one output of a command is inside another output, or is the other output.

    Parameters
    ----------
    file : Path
        File to write.
    folder : Path
        Folder to write.
    option, folder_option : str
        The options that name `file` and `folder`, for error messages.
    """
    resolved, inside = file.resolve(), folder.resolve()
    if resolved.is_relative_to(inside) or inside.is_relative_to(resolved):
        other = file.parent / f"{file.stem}-{folder_option.removeprefix('--')}"
        raise ValueError(
            f"`{folder_option}` must be separate from `{option}`; got {str(folder)!r} with "
            f"{str(file)!r}. Name another folder, such as {str(other)!r}."
        )


@contextlib.contextmanager
def replaces_output(
    path: Path,
    kind: Kind,
    *,
    overwrite: bool,
    inputs: Iterable[str | os.PathLike[str]] = (),
    option: str = "--out",
) -> Iterator[Path]:
    """Write to `path` as `replace_atomically` does, with `check_output` before and after the block.

    Missing parent folders are made.

    Raises
    ------
    FileExistsError, ValueError
        If `check_output` raises it.
    OSError
        If `path` cannot be written.
    """

    def check() -> None:
        check_output(path, kind, overwrite=overwrite, inputs=inputs, option=option)

    inputs = list(inputs)
    check()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path) as temporary:
        yield temporary
        check()


def first_line(path: Path) -> bytes:
    """Return the first line of a file without its newline; empty if the line is too long.

    The result is also empty if the line has no newline.
    """
    with path.open("rb") as file:
        line = file.readline(_LONGEST_LINE)
    return line.removesuffix(b"\n") if line.endswith(b"\n") else b""


def first_row(path: Path) -> list[str]:
    """Return the cells of the first row of a CSV file; a cell may have line breaks.

    The result is empty if the file does not begin with a row of UTF-8 text and a newline.
    """
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(_LONGEST_LINE), b"")
        whole = itertools.takewhile(lambda line: line.endswith(b"\n"), lines)
        try:
            return next(csv.reader(line.decode() for line in whole), [])
        except (UnicodeDecodeError, csv.Error):
            return []


def _check_folder_of(path: Path, option: str) -> None:
    """Raise ValueError unless the folder of `path` can be made and written to."""
    folder = path.parent
    while not os.path.lexists(folder) and folder != folder.parent:  # a drive may be missing
        folder = folder.parent
    if not folder.is_dir():
        raise ValueError(
            f"`{option}` must be in a folder, or where folders can be made; got {str(path)!r}, and "
            f"{str(folder)!r} is no folder. Choose another name."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f"`{option}` must be in a folder that you may write to; got {str(path)!r}, and you may "
            f"not write to {str(folder)!r}. Choose another folder."
        )


def _is_earlier(path: Path, kind: Kind) -> bool:
    if not (path.is_file() or path.is_dir()):  # reading a pipe would block
        return False
    try:
        return kind.recognises(path)
    except (OSError, ValueError):
        return False


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _input_in(path: Path, inputs: Iterable[str | os.PathLike[str]]) -> str:
    """Return an input that is `path` or a file in the folder `path`; an empty str without one.

    Files are compared by device and inode, so that links and upper or lower case in names make no
    difference.
    """
    input_of_identity: dict[tuple[int, int], str] = {}
    for name in inputs:
        if identity := _identity(name):
            input_of_identity[identity] = os.fspath(name)
    candidates: Iterable[str | Path] = (path,)
    if path.is_dir():
        candidates = (
            os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names
        )
    return next(
        (
            input_of_identity[identity]
            for identity in map(_identity, candidates)
            if identity in input_of_identity
        ),
        "",
    )


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
