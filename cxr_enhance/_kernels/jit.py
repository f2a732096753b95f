"""The decorators that compile kernels with Numba.

No other module calls ``numba.njit``. The options are fixed. ``nogil`` is set, because the callers
of kernels run threads over images. ``parallel`` is off, because with Numba's workqueue layer, the
process aborts if two Python threads enter a parallel kernel. ``fastmath`` is off, because it
changes results.

These decorators do not cache compiled code. `code_files` stores the machine code of kernels in a
directory that `code_directory` chooses, in a form that is loaded without Numba. Numba's own cache
is not used for two reasons. It raises at import if it finds no writable directory. It checks only
one source file for changes, while kernels inline functions of several files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` as a kernel that runs without the GIL.

    Python calls the kernel through the object of the same name in `entries`.
    """
    return numba.njit(  # type: ignore[no-any-return]
        nogil=True, fastmath=False, parallel=False, error_model="numpy"
    )(function)


def inline_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` as a part of the kernels that call it; it is not stored on its own.

    Compiled code can call it, but Python cannot, unless ``NUMBA_DISABLE_JIT`` is set. Without the
    wrapper for Python, the time until the first image is a sixth shorter.
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
    """Copy the body of `function` into each kernel that calls it, before the compilation.

    This is for long functions that one or two kernels call directly. An `inline_kernel` would be
    optimised and emitted twice: by itself, with all functions that it calls, and again inside its
    caller.
    """
    return numba.njit(  # type: ignore[no-any-return]
        nogil=True, fastmath=False, parallel=False, error_model="numpy", inline="always"
    )(function)
