"""Machine code into this process, by LLVM alone: Numba is not imported."""

from __future__ import annotations

import contextlib
import ctypes
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRY = "cxr_enhance_entry"
ALLOCATE, FREE = "cxr_enhance_allocate", "cxr_enhance_free"
OTHER_ARRAYS, OUT_OF_MEMORY = -1, -2  # what an entry gives instead of 0 or 1
_OF_C = ("memcpy", "memmove", "memset")  # what LLVM's own code calls

_engines: list[Any] = []  # own the memory of the code; kept as long as the process


class Code(NamedTuple):
    """An object file with one entry, and what that takes: arrays first, then numbers.

    `numbers` holds a letter of `struct` for each number.
    """

    arrays: int
    numbers: str
    content: bytes


def is_known(symbol: str) -> bool:
    """Tell whether code that calls `symbol` can be loaded."""
    return symbol in (ALLOCATE, FREE, *_OF_C) or symbol.startswith("llvm.")


def load(code: Code, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Load code and return a function that calls it without the GIL.

    Parameters
    ----------
    code : Code
    otherwise : callable
        Called instead where an array has other axes than the code takes, or is not contiguous.
    """
    import llvmlite.binding as llvm

    with contextlib.suppress(
        RuntimeError
    ):  # newer versions initialise themselves and refuse the call
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    _name_symbols(llvm)
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.content))
    engine.finalize_object()
    _engines.append(engine)
    argtypes: list[Any] = [*[ctypes.py_object] * code.arrays, ctypes.c_char_p]
    function = ctypes.CFUNCTYPE(ctypes.c_int, *argtypes)(engine.get_function_address(ENTRY))
    return _caller(function, code.arrays, struct.Struct("=" + code.numbers).pack, otherwise)


def _caller(
    function: Any, arrays: int, pack: Callable[..., bytes], otherwise: Callable[..., Any]
) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        status = function(*arguments[:arrays], pack(*arguments[arrays:]))
        if status >= 0:
            return bool(status)
        if status == OUT_OF_MEMORY:
            raise MemoryError("a kernel could not allocate what it needs")
        return otherwise(*arguments)

    return call


def _name_symbols(llvm: Any) -> None:
    python = ctypes.pythonapi
    addresses = {
        ALLOCATE: _address(python.PyMem_RawMalloc),
        FREE: _address(python.PyMem_RawFree),
        "memcpy": _address(ctypes.memmove),
        "memmove": _address(ctypes.memmove),
        "memset": _address(ctypes.memset),
    }
    for name, address in addresses.items():
        if llvm.address_of_symbol(name) is None:
            llvm.add_symbol(name, address)


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    if address is None:
        raise OSError("a function of Python has no address")
    return address
