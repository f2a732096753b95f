"""A disk on which no file grows beyond a size."""

from __future__ import annotations

import contextlib

import pytest


@contextlib.contextmanager
def full_disk(size=1000):
    """Let no file grow beyond `size` bytes; what is refused is an error of the system's."""
    resource = pytest.importorskip("resource", reason="no limits of this kind here")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
