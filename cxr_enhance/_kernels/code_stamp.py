"""The key of compiled code: all versions and digests on which the machine code of kernels depends.

The digest of the kernels is computed from the code that Python runs: source files, bytecode without
sources, a zip archive, or an executable that contains the modules. The module imports Numba only if
it cannot read Numba's version from a file.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import pkgutil
import re
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

_PACKAGE = __name__.rpartition(".")[0]
_UNCHECKED_BYTECODE = (1).to_bytes(4, "little")  # PEP 552: runs even if the source has changed
# Settings of Numba that change machine code, by the end of their names in the environment.
_SETTINGS = (
    "CPU_NAME",
    "CPU_FEATURES",
    "ENABLE_AVX",
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "BOUNDSCHECK",
    "DEBUGINFO",
)


class CodeKey(NamedTuple):
    """Versions of the compilers, digest of the kernels' sources, and digest of the processor.

    The digest of the processor includes the settings of Numba that change machine code.
    """

    python: str
    numpy: str
    numba: str
    llvmlite: str
    kernels: str
    processor: str

    def __str__(self) -> str:
        return "-".join(self)


@functools.cache
def code_key() -> CodeKey | None:
    """Return the key of code that this process compiles; None if it cannot be computed."""
    kernels = sources_digest()
    if kernels is None:
        return None
    import llvmlite

    return CodeKey(
        f"py{sys.version_info[0]}{sys.version_info[1]}",
        f"numpy{np.__version__}",
        f"numba{_numba_version()}",
        f"llvmlite{llvmlite.__version__}",
        kernels,
        _processor_digest(),
    )


@functools.cache
def sources_digest() -> str | None:
    """Return 16 hex digits of a hash of all modules of this folder; None if it cannot be computed.

    ``__init__`` contains no code and is not hashed.
    """
    digest = hashlib.sha256()
    names = set()
    try:
        for spec in _module_specs():
            names.add(spec.name)
            digest.update(spec.name.encode() + b"\0" + _content(spec) + b"\0")
    except Exception:  # a loader of any kind may fail in any way
        return None
    if __name__ not in names:  # a loader that cannot list its modules
        return None
    return digest.hexdigest()[:16]


def _processor_digest() -> str:
    import llvmlite.binding as llvm

    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:  # LLVM does not know this system's way to ask
        features = ""
    name = llvm.get_host_cpu_name()
    settings = [os.environ.get(f"NUMBA_{setting}", "") for setting in _SETTINGS]
    what = (llvm.get_process_triple(), name, features, object.__basicsize__, settings)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]


def _numba_version() -> str:
    """Return the version of Numba, read from a file if possible.

    An import of Numba would take a third of a second.
    """
    if "numba" not in sys.modules:
        spec = importlib.util.find_spec("numba")
        if spec is not None and spec.origin is not None:
            try:
                text = Path(spec.origin).with_name("_version.py").read_text(encoding="utf-8")
            except OSError:  # an archive, an executable
                text = ""
            found = re.search(r'"version": "([^"]+)"', text)
            if found is not None:
                return found[1]
    import numba

    return str(numba.__version__)


def _module_specs() -> Iterator[ModuleSpec]:
    package = sys.modules[_PACKAGE]
    for module in sorted(
        pkgutil.iter_modules(package.__path__, f"{_PACKAGE}."), key=lambda m: m.name
    ):
        finder: Any = module.module_finder
        yield finder.find_spec(module.name, None)


def _content(spec: ModuleSpec) -> bytes:
    """Return the source of a module if Python runs the source, else a hash of its bytecode."""
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
    except OSError:  # there is no such file
        return False
    return head[:4] == importlib.util.MAGIC_NUMBER and head[4:] == _UNCHECKED_BYTECODE


def _add_code(digest: Any, code: CodeType) -> None:
    # The bytes of `marshal` are not used, because they depend on reference counts.
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_kwonlyargcount, code.co_firstlineno, code.co_flags)
    digest.update(repr((names, counts, len(code.co_consts))).encode() + code.co_code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add_code(digest, constant)
        elif isinstance(constant, frozenset):  # its order differs between processes
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(repr(constant).encode() + b"\0")
