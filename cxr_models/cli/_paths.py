"""How names of files are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.cli import _console

if TYPE_CHECKING:
    from pathlib import Path


def shown(path: Path) -> str:
    """Show a path on one line."""
    return _console.printable(str(path))
