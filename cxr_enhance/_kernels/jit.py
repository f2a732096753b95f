"""The one decorator of every kernel: how it is compiled, and where the result is kept.

No other module calls ``numba.njit`` or ``numba.cfunc``. The options are fixed: ``nogil`` because
threads run over images above the kernels, no ``parallel`` because entering such a kernel from two
Python threads aborts the process under Numba's workqueue layer, no ``fastmath`` because it changes
bytes.

Compiled code is kept on disk, in a directory chosen here rather than by Numba: Numba raises at
import where it finds no writable place, and its staleness check sees one source file while
kernels inline helpers from several. A cache that cannot be read or written is never an error; the
kernel is then compiled in memory.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on first call, without the GIL, and keep the result on disk."""
    dispatcher = numba.njit(nogil=True, fastmath=False, parallel=False, error_model="numpy")(
        function
    )
    if not numba.config.DISABLE_JIT and cache_directory() is not None:
        dispatcher._cache = _KernelCache(function)
    return dispatcher  # type: ignore[no-any-return]


def inline_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into the kernels that call it; it has no file of its own on disk.

    Compiled code can call it and Python cannot: leaving out what Python would need saves a sixth
    of the time until the first image.
    """
    return numba.njit(  # type: ignore[no-any-return]
        nogil=True,
        fastmath=False,
        parallel=False,
        error_model="numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
    )(function)


def spliced_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Copy the body of `function` into the one kernel that calls it, before that is compiled.

    For long functions one level below a kernel. As inline kernels they would be optimised and
    emitted with all they call, and then again within their caller.
    """
    return numba.njit(  # type: ignore[no-any-return]
        nogil=True, fastmath=False, parallel=False, error_model="numpy", inline="always"
    )(function)


def function_for_c(function: Callable[P, R], signature: object) -> Any:
    """Compile `function` for a library in C to call; the result has its `address`.

    Not kept on disk: such functions hold addresses of this process.
    """
    return numba.cfunc(signature)(function)


@functools.cache
def cache_directory() -> Path | None:
    """Directory of the compiled kernels, created if need be; None where nothing is kept.

    The first of these that is private to the user and writable: ``NUMBA_CACHE_DIR`` where set, the
    user's cache directory, a per-user directory under the system's temporary directory.
    ``CXR_ENHANCE_CACHE=0`` turns keeping off. The last component names the version of the sources,
    of Numba and of Python, so that installs of different versions never read each other's code.
    """
    if os.environ.get("CXR_ENHANCE_CACHE") == "0":
        return None
    for base in _candidate_directories():
        directory = base / _sources_stamp()
        if _is_private_and_writable(directory):
            return directory
    return None


def _candidate_directories() -> list[Path]:
    candidates = []
    if os.environ.get("NUMBA_CACHE_DIR"):
        candidates.append(Path(os.environ["NUMBA_CACHE_DIR"]) / "cxr-enhance")
    if sys.platform == "win32":
        user_cache = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        user_cache = os.path.expanduser("~/Library/Caches")
    else:
        user_cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if user_cache and os.path.isabs(user_cache):
        candidates.append(Path(user_cache) / "cxr-enhance")
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    with contextlib.suppress(FileNotFoundError):  # no temporary directory is usable either
        candidates.append(Path(tempfile.gettempdir()) / f"cxr-enhance-{user}")
    return candidates


@functools.cache
def _sources_stamp() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    version = f"py{sys.version_info[0]}{sys.version_info[1]}-numba{numba.__version__}"
    return f"{version}-{digest.hexdigest()[:16]}"


def _is_private_and_writable(directory: Path) -> bool:
    # Cached code is loaded and run, so a directory that others can write to is not used.
    others_may_write = stat.S_IWGRP | stat.S_IWOTH
    try:
        directory.parent.parent.mkdir(parents=True, exist_ok=True)
        for part in (directory.parent, directory):
            part.mkdir(mode=0o700, exist_ok=True)
            status = part.stat()
            if hasattr(os, "getuid") and status.st_uid != os.getuid():
                return False
            if status.st_mode & others_may_write and os.name == "posix":
                part.chmod(stat.S_IMODE(status.st_mode) & ~others_may_write)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except (OSError, RuntimeError):
        return False


class _Locator(_CacheLocator):  # type: ignore[misc]
    """Tells Numba our directory; its name already holds the version of the sources."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(cache_directory())

    def get_source_stamp(self) -> str:
        return _sources_stamp()

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Callable[..., object], _file: str) -> _Locator:
        return cls(function)


class _CacheImpl(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_Locator,)


class _KernelCache(FunctionCache):  # type: ignore[misc]
    """Numba's function cache in our directory; a file it cannot use counts as a miss."""

    _impl_class = _CacheImpl

    def load_overload(self, sig: object, target_context: object) -> object:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # truncated or foreign pickle, vanished file, full file table, ...
            self._start_anew()
            return None

    def save_overload(self, sig: object, data: object) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:  # disk full, quota, read-only since the check, damaged index, ...
            self._start_anew()

    def _start_anew(self) -> None:
        with contextlib.suppress(Exception):
            self.flush()
