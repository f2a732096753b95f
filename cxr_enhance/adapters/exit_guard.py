"""Leaving Python while TensorFlow still reads ahead, without waiting for it forever.

A dataset that is alive at the end of the interpreter is destroyed by it, and waits there for its
calls into Python, which can no longer run. So from the end of the program on calls return at once,
and the interpreter goes when none is under way.
"""

from __future__ import annotations

import atexit
import threading
import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_PAUSE = 0.05  # seconds without a call, after which none is to come

_lock = threading.Lock()
_leaving = threading.Event()
_counts = {"begun": 0, "ended": 0}


def refused_at_exit(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function that raises RuntimeError once the program is at its end."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with _lock:
            _counts["begun"] += 1
        try:
            if _leaving.is_set():
                raise RuntimeError("the program is at its end")
            return function(*args, **kwargs)
        finally:
            with _lock:
                _counts["ended"] += 1

    return call


@atexit.register
def _wait_for_calls() -> None:
    _leaving.set()
    before = -1
    while _counts["begun"] != before or _counts["begun"] != _counts["ended"]:
        before = _counts["begun"]
        if before == 0:
            return
        time.sleep(_PAUSE)
