"""JSON from files that may come from strangers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; raise ValueError, not RecursionError, where it is nested too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_json(path: Path) -> Any:
    """Read a file of JSON; ValueError where it is none, is no UTF-8, or is nested too deep."""
    return parse_json(path.read_text(encoding="utf-8"))
