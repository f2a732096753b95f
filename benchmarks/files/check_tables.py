"""The tables of docs/archives.md on `cxr-enhance check`, from the results of `check_figures`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.tables.formatting import markdown
from cxr_enhance.archive.findings import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SETS = {"drawn": "drawn radiographs", "public": "public radiographs"}
# findings that need more than the pixels of one image
_OF_FILES = ("unreadable", "lateral", "other-modality", "equal-pixels")


def planted_table(stored: Path) -> str:
    """Return a table of the number of faults that were planted and that were found."""
    sets = json.loads(stored.read_text(encoding="utf-8"))
    counts = {
        name: {(row["finding"], row["fault"]): row for row in values["planted"]}
        for name, values in sets.items()
    }
    faults = list(dict.fromkeys(fault for rows in counts.values() for fault in rows))
    faults.sort(key=lambda fault: KINDS.index(fault[0]))
    rows, former = [], ""
    for finding, fault in faults:
        cells = [
            f"{row['found']:,} of {row['planted']:,}" if (row := rows.get((finding, fault))) else ""
            for rows in counts.values()
        ]
        rows.append(["" if finding == former else f"`{finding}`", fault, *cells])
        former = finding
    return markdown(["finding", "planted", *(_SETS[name] for name in counts)], rows, 2)


def untouched_table(stored: Path) -> str:
    """Return a table of the number of unchanged images with each finding about pixels."""
    sets = json.loads(stored.read_text(encoding="utf-8"))
    rows = [
        [f"`{kind}`", *(f"{values['found'].get(kind, 0):,}" for values in sets.values())]
        for kind in KINDS
        if kind not in _OF_FILES
    ]
    one_level = [
        f"{values['clean'] - values['told_apart_by_one_level']:,} of {values['clean']:,}"
        for values in sets.values()
    ]
    rows.append(["`equal-pixels`, of images that differ in one pixel by one level", *one_level])
    heads = (f"{values['images']:,} {_SETS[name]}" for name, values in sets.items())
    return markdown(["found in images as they are", *heads], rows, 1)


TABLES: dict[str, Callable[[Path], str]] = {
    "check-planted": planted_table,
    "check-untouched": untouched_table,
}
