"""Display of paths in messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.cli import _console

if TYPE_CHECKING:
    from pathlib import Path


def shown(path: Path) -> str:
    """Return a path as printable text on one line."""
    return _console.printable(str(path))
