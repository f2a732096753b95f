"""Read and write files of machine code, packed with the package or in the cache directory.

A file begins with the SHA-256 digest of its other bytes. It is read completely and compared with
the digest, because LLVM ends the process if an object file is damaged. Files packed with the
package are trusted like its source files. Files of the cache are trusted only if nobody but the
user and root can change them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_enhance._kernels.code_directory import cache_directory, only_we_can_change
from cxr_enhance._kernels.code_loader import Code
from cxr_enhance._kernels.code_stamp import CodeKey, code_key

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKED = Path(__file__).parents[1] / "_compiled"
SUFFIX = ".code"
_PATIENCE = 60.0  # seconds that a process waits for another to compile
_PAUSE = 0.02


def packed_directory() -> Path | None:
    """Return the folder of the packed code with this process's key; None if there is none."""
    key = code_key()
    directory = PACKED / str(key)
    return directory if key is not None and directory.is_dir() else None


def why_not_packed() -> str:
    """Return the reason why there is no packed code with this process's key.

    The function must be called only if `packed_directory` returns None.
    """
    key = code_key()
    if key is None:
        return "the version of the kernels cannot be told here"
    try:
        packed = [path.name.split("-") for path in PACKED.iterdir() if path.is_dir()]
    except OSError:
        packed = []
    for parts in packed:
        if len(parts) == len(key):
            return "; ".join(_differences(CodeKey(*parts), key))
    return "nothing was compiled when the package was installed"


def damaged_files() -> list[str]:
    """Return the names of packed files with this process's key that are damaged and not used."""
    directory = packed_directory()
    paths = sorted(directory.glob(f"*{SUFFIX}")) if directory is not None else []
    return [path.name for path in paths if _read(path) is None]


def _differences(packed: CodeKey, here: CodeKey) -> Iterator[str]:
    names = {"python": "Python", "numpy": "NumPy", "numba": "Numba", "llvmlite": "llvmlite"}
    for field, name in names.items():
        theirs, ours = getattr(packed, field), getattr(here, field)
        if theirs != ours:
            yield f"it was compiled with {name} {_version(theirs)}, here is {_version(ours)}"
    if packed.kernels != here.kernels:
        yield "the sources of the kernels have changed"
    if packed.processor != here.processor:
        yield "it was compiled for another CPU or with other settings of Numba"


def _version(part: str) -> str:
    return part.lstrip("abcdefghijklmnopqrstuvwxyz")


def read_code(name: str) -> Code | None:
    """Read the code of this name from the package, else from the cache; None if there is none."""
    packed, kept = packed_directory(), cache_directory()
    code = None if packed is None else _read(packed / (name + SUFFIX))
    if code is None and kept is not None and only_we_can_change(path := kept / (name + SUFFIX)):
        code = _read(path)
    return code


def keep_code(name: str, code: Code) -> None:
    """Write code to the cache directory atomically; do nothing if that is not possible."""
    directory = cache_directory()
    if directory is None:
        return
    body = f"{code.arrays} {code.numbers}\n".encode() + code.content
    beside = directory / f"{name}.tmp.{os.urandom(8).hex()}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(beside, flags, 0o600), "wb") as file:
            file.write(hashlib.sha256(body).digest() + body)
        os.replace(beside, directory / (name + SUFFIX))
    except OSError:  # disk full, quota, read-only since the check, ...
        pass
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)


def _read(path: Path) -> Code | None:
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, body = stored[:32], stored[32:]
    if hashlib.sha256(body).digest() != digest:
        return None
    head, _, content = body.partition(b"\n")
    arrays, _, numbers = head.decode().partition(" ")
    return Code(int(arrays), numbers, content)


@contextlib.contextmanager
def compile_lock(name: str) -> Iterator[None]:
    """Hold a lock on the code of this name during the block, so that one process compiles it.

    Other processes wait for a minute at most; then they run the block without the lock. If files
    cannot be locked, or if there is no cache directory, no process waits. The system releases a
    lock when its process ends, even if the process is killed.
    """
    directory = cache_directory()
    if directory is None:
        yield
        return
    try:
        lock = os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        until = time.monotonic() + _PATIENCE
        while not _try_lock(lock) and time.monotonic() < until:
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(lock)


def _try_lock(descriptor: int) -> bool:
    """Take the lock of an open file; False if another process holds it, True without locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True
