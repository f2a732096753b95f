"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def replaces_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, with its suffix, and rename it at the end of the block.

    Whatever fails, what was at `path` stays and the temporary is removed. A file that is replaced
    keeps its permissions.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`.
    """
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    former = path.with_name(f".{os.getpid()}-former-{path.name}")
    try:
        yield temporary
        if temporary.is_dir() and os.path.lexists(path):  # cannot be renamed onto something
            path.rename(former)
        if temporary.is_file() and path.is_file():
            shutil.copymode(path, temporary)
        try:
            temporary.replace(path)
        except OSError:
            if os.path.lexists(former):
                former.rename(path)
            raise
    except OSError as error:
        # The user knows `path`, not our temporary name; and a full disk names nothing.
        if error.errno is not None and error.filename in (None, str(temporary), temporary):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        for leftover in (temporary, former):
            _remove(leftover)


def file_behind(path: str) -> str:
    """Name the file that holds an image: the image's own, or the file of samples in FILE::KEY.

    See `cxr_enhance.read_image`, which reads both.
    """
    parts = path.split("::")
    if len(parts) == 1 or os.path.lexists(path):
        return path
    files = ("::".join(parts[:count]) for count in range(1, len(parts)))
    return next((file for file in files if os.path.isfile(file)), path)


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; of what is nested too deep raise a ValueError too, not a RecursionError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_json(path: Path) -> Any:
    """Read a file of JSON; ValueError where it is none, is no UTF-8, or is nested too deep."""
    return parse_json(path.read_text(encoding="utf-8"))


def write_whole(path: Path, content: str | bytes) -> None:
    """Write one file, text as UTF-8; see `replaces_whole`."""
    with replaces_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
