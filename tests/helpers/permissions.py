"""Whether file permissions restrict this process; they do not restrict root or Windows users."""

from __future__ import annotations

import functools
import os
import tempfile

import pytest


@functools.cache
def permissions_bind():
    """Return whether reading a file without read permission fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "closed")
        with open(path, "wb"):
            os.chmod(path, 0)
        try:
            with open(path, "rb"):
                return False
        except PermissionError:
            return True


needs_permissions = pytest.mark.skipif(
    not permissions_bind(), reason="file permissions do not bind this user"
)
