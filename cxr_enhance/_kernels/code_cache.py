"""Numba's cache of compiled functions in our directory; a file it cannot use counts as a miss."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import IO, TYPE_CHECKING, Any

from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    _CacheLocator,
)

from cxr_enhance._kernels.code_directory import cache_directory, only_we_can_change
from cxr_enhance._kernels.code_stamp import sources_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Locator(_CacheLocator):  # type: ignore[misc]
    """Tells Numba our directory; its name already holds the version of the sources."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(cache_directory())

    def get_source_stamp(self) -> str:
        return str(sources_stamp())

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Callable[..., object], _file: str) -> _Locator:
        return cls(function)


class _CacheImpl(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_Locator,)


class _OwnFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Files that only the user can change. Both kinds are pickles, which run code when read."""

    def _load_index(self) -> Any:
        return super()._load_index() if only_we_can_change(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        if not only_we_can_change(self._data_path(name)):
            raise FileNotFoundError(name)  # a miss, to Numba
        return super()._load_data(name)

    @contextlib.contextmanager
    def _open_for_write(self, path: str) -> Iterator[IO[bytes]]:
        beside = f"{path}.tmp.{uuid.uuid4().hex[:16]}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with open(os.open(beside, flags, 0o600), "wb") as file:
                yield file
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise


class KernelCache(FunctionCache):  # type: ignore[misc]
    """What Numba asks for a function's machine code, and gives it to."""

    _impl_class = _CacheImpl

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        self._cache_file = _OwnFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: object, target_context: object) -> object:
        """Load what was compiled for `sig`; None where that cannot be."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # truncated or foreign pickle, vanished file, full file table, ...
            self._start_anew()
            return None

    def save_overload(self, sig: object, data: object) -> None:
        """Keep what was compiled for `sig`, where that can be."""
        try:
            super().save_overload(sig, data)
        except Exception:  # disk full, quota, read-only since the check, damaged index, ...
            self._start_anew()

    def _start_anew(self) -> None:
        with contextlib.suppress(Exception):
            self.flush()
