"""Let the interpreter exit while TensorFlow still prefetches, without a deadlock.

The interpreter destroys living datasets when it exits. A dataset then waits for its calls into
Python, which can no longer run. From the start of the exit, this module therefore makes these calls
fail at once, and delays the exit until no call is running.
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

_PAUSE = 0.05  # seconds; after this time without a new call, no more calls are expected

_lock = threading.Lock()
_leaving = threading.Event()
_counts = {"begun": 0, "ended": 0}


def refused_at_exit(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap `function` so that it raises RuntimeError once the program has begun to exit."""

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
