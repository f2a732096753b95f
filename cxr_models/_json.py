"""Reading of JSON from untrusted files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; raise ValueError if it is invalid or nested too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_json(path: Path) -> Any:
    """Read a JSON file; raise ValueError if it is not JSON, not UTF-8, or nested too deep."""
    return parse_json(path.read_text(encoding="utf-8"))
