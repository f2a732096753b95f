"""The name of this version of the kernels, which changes whenever their machine code could.

Taken from what Python runs, wherever it lies: source files, bytecode without sources, an archive,
an executable that holds them all.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import pkgutil
import sys
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import TYPE_CHECKING, Any

import llvmlite
import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

_PACKAGE = __name__.rpartition(".")[0]
_UNCHECKED_BYTECODE = (1).to_bytes(4, "little")  # PEP 552: run even where the source has changed


@functools.cache
def sources_stamp() -> str | None:
    """Name the versions of Python, Numba and the kernels; None where the kernels cannot be read."""
    digest = hashlib.sha256(f"{llvmlite.__version__} {np.__version__}\n".encode())
    names = set()
    try:
        for spec in _module_specs():
            names.add(spec.name)
            digest.update(spec.name.encode() + b"\0" + _content(spec) + b"\0")
    except Exception:  # a loader of any kind may fail in any way
        return None
    if __name__ not in names:  # a loader that cannot list its modules
        return None
    version = f"py{sys.version_info[0]}{sys.version_info[1]}-numba{numba.__version__}"
    return f"{version}-{digest.hexdigest()[:16]}"


def _module_specs() -> Iterator[ModuleSpec]:
    package = sys.modules[_PACKAGE]
    for module in sorted(
        pkgutil.iter_modules(package.__path__, f"{_PACKAGE}."), key=lambda m: m.name
    ):
        finder: Any = module.module_finder
        yield finder.find_spec(module.name, None)


def _content(spec: ModuleSpec) -> bytes:
    """Read the source of a module where Python runs that, else hash its bytecode."""
    loader: Any = spec.loader
    if type(loader) is SourceFileLoader and not _is_bytecode_unchecked(spec.cached):
        return bytes(loader.get_data(loader.path))
    digest = hashlib.sha256()
    _add_code(digest, loader.get_code(spec.name))
    return digest.digest()


def _is_bytecode_unchecked(path: str | None) -> bool:
    try:
        with open(path or "", "rb") as file:
            head = file.read(8)
    except OSError:  # there is none
        return False
    return head[:4] == importlib.util.MAGIC_NUMBER and head[4:] == _UNCHECKED_BYTECODE


def _add_code(digest: Any, code: CodeType) -> None:
    # Not marshal's bytes: those depend on how often an object is referred to.
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_kwonlyargcount, code.co_firstlineno, code.co_flags)
    digest.update(repr((names, counts, len(code.co_consts))).encode() + code.co_code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add_code(digest, constant)
        elif isinstance(constant, frozenset):  # in an order of its own in each process
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(repr(constant).encode() + b"\0")
