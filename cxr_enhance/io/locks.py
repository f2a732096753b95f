"""Advisory file locks, where the system has them."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator


def try_lock(descriptor: int) -> bool | None:
    """Take the lock of an open file; False if another process holds it, None if not supported."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


@contextlib.contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Hold the lock of an open file during the block, where the file system has locks."""
    held = False
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            held = True
    try:
        yield
    finally:
        if held and sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_UN)
