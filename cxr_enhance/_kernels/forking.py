"""A fork beside a thread that compiles or loads code.

The child would hold a copy of locks that no thread of its own releases, and of a compiler stopped
in the middle of its work. So a fork waits until nothing is being compiled or loaded.
"""

from __future__ import annotations

import contextlib
import logging as logging  # registers a hook for forks; see `let_no_fork_happen_during`
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading

_ours: list[threading.RLock] = []
_held: list[contextlib.ExitStack] = []


def let_no_fork_happen_during(lock: threading.RLock) -> None:
    """Hold `lock`, and Numba's and LLVM's own, during every fork of this process from now on."""
    # Hooks registered last are called first. A compiler logs, so the lock of `logging` must not be
    # held while one is waited for: this module imports it first.
    _ours.append(lock)
    if len(_ours) == 1 and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_release)


def _hold() -> None:
    nothing = contextlib.nullcontext()
    numba: Any = sys.modules.get("numba.core.compiler_lock")
    llvm: Any = sys.modules.get("llvmlite.binding.ffi")
    with contextlib.ExitStack() as locks:
        for lock in _ours:  # in the order in which a compiler takes them
            locks.enter_context(lock)
        locks.enter_context(getattr(numba, "global_compiler_lock", nothing))
        locks.enter_context(getattr(getattr(llvm, "lib", None), "_lock", nothing))
        _held.append(locks.pop_all())


def _release() -> None:
    if _held:  # a program in C may announce to the child alone that it has forked
        _held.pop().close()
