"""The format of a manifest's rows: complete rows, and rows cut short by a killed writer."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from cxr_enhance.archive.outcome import STATUSES
from cxr_enhance.preparation.transform import COLUMNS

RUN = "run"
"""Status of the row that holds the options behind a digest; its other columns are empty."""

FILE_COLUMNS = (
    "input", "output", "status", "error", "retry", "input_size", "input_mtime_ns", "output_size",
    "params", "version", "seconds", "notes", "decoder", *COLUMNS, "time_ns",
)  # fmt: skip
RUN_COLUMNS = ("status", "params", "version", "options")
_DECODER = FILE_COLUMNS.index("decoder")
# Rows of older versions have no time; still older rows have no transform columns; the oldest rows
# also have no decoder.
_COMPLETE_ROWS = (
    FILE_COLUMNS, FILE_COLUMNS[:-1], FILE_COLUMNS[: _DECODER + 1], FILE_COLUMNS[:_DECODER],
    RUN_COLUMNS,
)  # fmt: skip

_SIZES = ("input_size", "input_mtime_ns", "output_size")
_MAX_TIME = 1 << 63
_MAX_BYTES = 1 << 20  # bytes of a row; a name has 4,096 at most, each escaped as 6 bytes
_STARTS = {'{"input":"': FILE_COLUMNS, f'{{"status":"{RUN}","params":"': RUN_COLUMNS}
_COLUMN = re.compile(
    r'[{,]"(\w+)":'
)  # inside a JSON text the first quotation mark would be escaped


def row_of(line: bytes) -> dict[str, Any] | None:
    """Parse a line of a manifest; None if the line is not a row."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and _has_valid_fields(row) else None


def time_of(row: dict[str, Any]) -> int:
    """Return when a row was written, in nanoseconds since 1970; 0 for rows of older versions."""
    time_ns = row.get("time_ns")
    return time_ns if type(time_ns) is int and 0 < time_ns < _MAX_TIME else 0


def _has_valid_fields(row: dict[str, Any]) -> bool:  # a JSON object, of which nothing is known
    """Return whether a row has valid fields; people may have edited the manifest."""
    if row.get("status") == RUN:
        return isinstance(row.get("options"), dict)
    return (
        isinstance(row.get("input"), str)
        and isinstance(row.get("output"), str)
        and row.get("status") in STATUSES
        and isinstance(row.get("seconds", 0.0), int | float)
        and all(type(row.get(name)) in (int, type(None)) for name in _SIZES)
    )


def is_incomplete_row(end: bytes, *, needs_second_column: bool) -> bool:
    """Return whether the bytes after a file's last line end are an incomplete row.

    A killed writer leaves an incomplete row.

    Parameters
    ----------
    end : bytes
        The bytes after the last line end; not empty.
    needs_second_column : bool
        True if `end` must hold the name of a second column. A writer requires this if no complete
        line precedes `end`, so that the start of another JSON file is not mistaken for a row.
    """
    if len(end) >= _MAX_BYTES or not end.isascii():
        return False
    text = end.decode("ascii")
    if not text.isprintable():  # rows escape characters that do not print
        return False
    for start, columns in _STARTS.items():
        if start.startswith(text):
            return not needs_second_column
        if not text.startswith(start):
            continue
        names = tuple(_COLUMN.findall(text))[: len(columns)]
        is_complete = row_of(end) is not None or _is_json(text)
        if names != columns[: len(names)] or (is_complete and names not in _COMPLETE_ROWS):
            return False
        return not needs_second_column or len(names) > 1
    return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def check_is_manifest(path: str) -> None:
    """Refuse a file that is not a manifest; a missing or empty file is allowed.

    Only the first MiB is read.

    Raises
    ------
    ValueError
        If `path` is not a file, or the file holds no row of a manifest.
    OSError
        If the file cannot be read.
    """
    if not os.path.lexists(path):
        return
    if not os.path.isfile(path):
        raise ValueError(f"`--manifest` must name a file; got {path!r}.")
    with open(path, "rb") as file:
        *lines, end = file.read(_MAX_BYTES).split(b"\n")
    if lines:
        is_manifest = any(row_of(line) is not None for line in lines)
    else:
        is_manifest = not end or is_incomplete_row(end, needs_second_column=False)
    if not is_manifest:
        raise ValueError(
            f"`--manifest` must name a new file or a manifest of an earlier run; got {path!r}, "
            "which is something else."
        )
