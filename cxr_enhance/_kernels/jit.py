"""The one decorator of every kernel: how it is compiled.

No other module calls ``numba.njit``. The options are fixed: ``nogil`` because
threads run over images above the kernels, no ``parallel`` because entering such a kernel from two
Python threads aborts the process under Numba's workqueue layer, no ``fastmath`` because it changes
bytes.

Nothing is kept here: `entries` keeps the code of whole kernels, without what only Numba can load,
in a directory chosen by `code_directory`. Numba's own cache raises at import where it finds no
writable place, and its staleness check sees one source file while kernels inline helpers from
several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function`, without the GIL, for the entry of its name in `entries`."""
    return numba.njit(  # type: ignore[no-any-return]
        nogil=True, fastmath=False, parallel=False, error_model="numpy"
    )(function)


def inline_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into the kernels that call it; it has no code of its own on disk.

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
