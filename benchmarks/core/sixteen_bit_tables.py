"""The tables of docs/sixteen-bit.md, from the results of `benchmarks.core.sixteen_bit`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.tables.formatting import markdown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _radiographs(stored: Path) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = json.loads(stored.read_text(encoding="utf-8"))
    return images


def limits_table(stored: Path) -> str:
    """Return a table of local contrast and gray levels for each radiograph, limit and way."""
    rows, ways = [], []
    for image in _radiographs(stored):
        for cell in image["by_limit"]:
            ways = list(cell["ways"])
            values = [f"{way['contrast']:.3f} ({way['levels']:,})" for way in cell["ways"].values()]
            rows.append((_name(image), f"{cell['limit']:g}", *values))
    return markdown(["radiograph", "limit", *ways], rows, 2)


def depths_table(stored: Path) -> str:
    """Return a table of local contrast and gray levels of each radiograph at several depths."""
    rows, depths = [], []
    for image in _radiographs(stored):
        depths = [f"{cell['bits']} bits" for cell in image["by_depth"]]
        values = [f"{cell['contrast']:.3f} ({cell['levels']:,})" for cell in image["by_depth"]]
        rows.append((_name(image), *values))
    return markdown(["radiograph", *depths], rows, 1)


def floats_table(stored: Path) -> str:
    """Return a table of the largest differences of floats to the uint8 image, in uint8 levels."""
    rows = [
        (
            _name(image),
            f"{row['what']}, limit {row['limit']:g}",
            f"{row['every value']:.1f}",
            f"{row['256 bins']:.2f}",
        )
        for image in _radiographs(stored)
        for row in image["floats"]
    ]
    return markdown(["radiograph", "what", "every value", "256 bins"], rows, 2)


def _name(image: dict[str, Any]) -> str:
    return f"{image['name']}, {image['height']} x {image['width']}"


TABLES: dict[str, Callable[[Path], str]] = {
    "sixteen-bit-limits": limits_table,
    "sixteen-bit-depths": depths_table,
    "sixteen-bit-floats": floats_table,
}
