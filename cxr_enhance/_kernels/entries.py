"""Entries through which operations call kernels; stored code is loaded without importing Numba.

An entry loads the machine code of its kernel at the first call with a dtype. It uses the code that
is packed with the package, or the code in the cache directory. If there is none, it compiles the
kernel with Numba and stores the code in the cache. If this fails, Numba calls the kernel. A kernel
takes arrays first, then numbers. The dtype of the first array selects the compiled form.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import TYPE_CHECKING, Any

from cxr_enhance._kernels import start as start  # records the working directory
from cxr_enhance._kernels.forking import let_no_fork_happen_during

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Reasons why code could not be compiled or loaded, by the name of the code, such as
# ``enhance_u8-uint8``. Numba then calls the kernel.
failures: dict[str, str] = {}

_preparing = threading.RLock()
let_no_fork_happen_during(_preparing)


class KernelEntry:
    """A kernel that Python can call.

    Parameters
    ----------
    module, function : str
        Name of the kernel's module in this folder, and name of the kernel in the module.
    """

    def __init__(self, module: str, function: str) -> None:
        self._module, self._function = module, function
        self._calls: dict[int, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Call the kernel without the GIL and return its bool.

        The result of a kernel that returns nothing is False, or None if Numba calls the kernel.
        Arrays of another number of axes, and arrays that are not contiguous and aligned, are
        passed on to Numba. The dtypes of the arrays after the first one are not checked; a wrong
        dtype can damage memory.

        Raises
        ------
        MemoryError
            If the kernel cannot allocate its scratch memory.
        """
        call = self._calls.get(arguments[0].dtype.num)
        if call is None:
            call = self._prepare(arguments)
        return call(*arguments)

    def _prepare(self, arguments: Sequence[Any]) -> Callable[..., Any]:
        dtype = arguments[0].dtype
        with _preparing:
            if dtype.num not in self._calls:
                self._calls[dtype.num] = self._make(f"{self._function}-{dtype.name}", arguments)
            return self._calls[dtype.num]

    def _make(self, name: str, arguments: Sequence[Any]) -> Callable[..., Any]:
        if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
            return self._by_numba()
        # Imported here, as Numba is, because they would take most of the package's import time.
        from cxr_enhance._kernels.code_files import compile_lock, keep_code, read_code
        from cxr_enhance._kernels.code_loader import load

        try:
            code = read_code(name)
            if code is None:
                with compile_lock(name):
                    code = read_code(name)  # another process may have compiled it meanwhile
                    if code is None:
                        from cxr_enhance._kernels.code_object import compile_kernel

                        code = compile_kernel(self._by_numba(), arguments)
                        keep_code(name, code)
            return load(code, lambda *arguments: self._by_numba()(*arguments))
        except Exception as error:  # such as an unknown version of Numba or LLVM
            failures[name] = f"{type(error).__name__}: {error}"
            return self._by_numba()

    def _by_numba(self) -> Callable[..., Any]:
        module = importlib.import_module(f"{__package__}.{self._module}")
        kernel: Callable[..., Any] = getattr(module, self._function)
        return kernel


balance_u8 = KernelEntry("enhance", "balance_u8")
balance_u16 = KernelEntry("enhance", "balance_u16")
clahe_by_bins_u8 = KernelEntry("enhance", "clahe_by_bins_u8")
enhance_by_bins_u16 = KernelEntry("enhance", "enhance_by_bins_u16")
enhance_u8 = KernelEntry("enhance", "enhance_u8")
enhance_u16 = KernelEntry("enhance", "enhance_u16")
filter_rows = KernelEntry("png_rows", "filter_rows")
gray_image = KernelEntry("enhance", "gray_image")
repeat_gray = KernelEntry("enhance", "repeat_gray")
to_one_channel = KernelEntry("enhance", "to_one_channel")
white_balance_colour = KernelEntry("enhance", "white_balance_colour")
