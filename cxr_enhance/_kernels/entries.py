"""The kernels as the operations call them; Numba is imported when one must be compiled.

An entry loads the machine code of its kernel when it is first called with a dtype: that packed
with the package, that of the cache, else what it compiles, which it keeps. Kernels are called with
arrays first, then numbers; the dtype of the first array says which compiled form is meant.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import TYPE_CHECKING, Any

from cxr_enhance._kernels import start as start  # looks where the process is
from cxr_enhance._kernels.forking import let_no_fork_happen_during

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Why code could not be made or loaded, by its name; Numba then calls the kernel.
failures: dict[str, str] = {}

_preparing = threading.RLock()
let_no_fork_happen_during(_preparing)


class Entry:
    """A kernel, for Python to call.

    Parameters
    ----------
    module, function : str
        Names of its module in this folder and of the kernel there.
    """

    def __init__(self, module: str, function: str) -> None:
        self._module, self._function = module, function
        self._calls: dict[int, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Call the kernel, without the GIL; it gives True or False, nothing being False."""
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
        # Imported here, as is Numba, because most of the time of an import would be theirs.
        from cxr_enhance._kernels.code_files import alone_at, keep_code, read_code
        from cxr_enhance._kernels.code_loader import load

        try:
            code = read_code(name)
            if code is None:
                with alone_at(name):
                    code = read_code(name)  # another process may have made it
                    if code is None:
                        from cxr_enhance._kernels.code_object import compile_kernel

                        code = compile_kernel(self._by_numba(), arguments)
                        keep_code(name, code)
            return load(code, lambda *arguments: self._by_numba()(*arguments))
        except Exception as error:  # another Numba or LLVM than those known, ...
            failures[name] = f"{type(error).__name__}: {error}"
            return self._by_numba()

    def _by_numba(self) -> Callable[..., Any]:
        module = importlib.import_module(f"{__package__}.{self._module}")
        kernel: Callable[..., Any] = getattr(module, self._function)
        return kernel


balance_u8 = Entry("enhance", "balance_u8")
balance_u16 = Entry("enhance", "balance_u16")
clahe_by_bins_u8 = Entry("enhance", "clahe_by_bins_u8")
enhance_by_bins_u16 = Entry("enhance", "enhance_by_bins_u16")
enhance_u8 = Entry("enhance", "enhance_u8")
enhance_u16 = Entry("enhance", "enhance_u16")
filter_rows = Entry("png_rows", "filter_rows")
gray_image = Entry("enhance", "gray_image")
repeat_gray = Entry("enhance", "repeat_gray")
to_one_channel = Entry("enhance", "to_one_channel")
white_balance_colour = Entry("enhance", "white_balance_colour")
