"""A fork beside a thread that compiles.

The child would hold a copy of locks that no thread of its own releases, and of a compiler stopped
in the middle of its work. So a fork waits until nothing is being compiled.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from llvmlite.binding import ffi
from numba.core.compiler_lock import global_compiler_lock

_held: list[contextlib.ExitStack] = []


def wait_for_compilers_before_forks() -> None:
    """Hold Numba's and LLVM's lock during every fork of this process from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_release)


def _hold() -> None:
    llvm_lock: Any = getattr(ffi.lib, "_lock", contextlib.nullcontext())
    with contextlib.ExitStack() as locks:
        locks.enter_context(global_compiler_lock)  # in the order in which a compiler takes them
        locks.enter_context(llvm_lock)
        _held.append(locks.pop_all())


def _release() -> None:
    if _held:  # a program in C may announce to the child alone that it has forked
        _held.pop().close()
