"""Delay forks of the process while a thread compiles or loads code.

Otherwise the child would have copies of held locks, which no thread of the child releases, and a
copy of a compiler in the middle of its work. A fork therefore waits until no thread compiles or
loads code.
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
    """Hold `lock`, and the locks of Numba and LLVM, during all later forks of this process."""
    # Python calls the hooks before a fork in the reverse order of their registration. A compiler
    # uses `logging`, whose lock must not be held while this module waits for the compiler. The
    # module imports `logging` first, so that its own hook is called before that of `logging`.
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
    if _held:  # empty if a C program calls only the hook for the child
        _held.pop().close()
