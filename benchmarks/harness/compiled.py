"""Compilation of kernels for calls from Python; only compiled code can call inline kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` with the options of the library's kernels."""
    return numba.njit(nogil=True, error_model="numpy")(function)


def callable_kernel(kernel: Callable[P, R]) -> Callable[P, R]:
    """Return a compiled function that calls the inline kernel `kernel`."""
    return compiled(lambda *arguments: kernel(*arguments))
