"""Decide whether other options of an earlier run give the same outputs as the current options."""

from __future__ import annotations

import math
import os
from typing import Any

from cxr_enhance.io.dicom.plugins import load_pydicom

_PNG_DEPTH = 24  # offset of IHDR's bit depth
_UINT8_NPY = b"'descr': '|u1'"
_BINS_OF_UINT8 = 256


def gives_equal_output(earlier: dict[str, Any], current: dict[str, Any], output: str) -> bool:
    """Return whether the options `current` would give the same `output` as the options `earlier`.

    Older versions without the options `num_bins` and `bits` counted every value. An 8-bit image has
    at most 256 values, so that 256 bins give the same output.

    Parameters
    ----------
    earlier : dict
        Options that `output` was made with, written by any version; empty if unknown.
    current : dict
        Options of this run, from ``Job.to_dict``.
    output : str
        Path of the output. Its header is read only if the answer depends on its bit depth.
    """
    if not earlier:
        return False
    added = {"num_bins", "bits"}
    if any(earlier.get(name) != current.get(name) for name in {*earlier, *current} - added):
        return False
    if _bins(earlier) == _bins(current) and earlier.get("bits") == current.get("bits"):
        return True
    is_full_range = all(options.get("bits") in (None, 8) for options in (earlier, current))
    has_all_bins = all(_bins(options) >= _BINS_OF_UINT8 for options in (earlier, current))
    return is_full_range and has_all_bins and _is_8_bit(output)


def _bins(options: dict[str, Any]) -> float:
    number = options.get("num_bins")
    if number is None:
        return math.inf
    return number if isinstance(number, int | float) else math.nan  # NaN: someone has edited it


def _is_8_bit(path: str) -> bool:
    """Return whether the header of an output states uint8; False for an unreadable header."""
    ending = os.path.splitext(path)[1]
    if ending == ".jpg":
        return True
    if ending == ".dcm":
        return _is_8_bit_dicom(path)
    try:
        with open(path, "rb") as file:
            start = file.read(128)
    except OSError:
        return False
    if start.startswith(b"\x89PNG"):
        return len(start) > _PNG_DEPTH and start[_PNG_DEPTH] == 8
    return start.startswith(b"\x93NUMPY") and _UINT8_NPY in start


def _is_8_bit_dicom(path: str) -> bool:
    try:
        header = load_pydicom().dcmread(
            path, stop_before_pixels=True, specific_tags=["BitsAllocated"]
        )
        return bool(header.BitsAllocated == 8)
    except Exception:  # users may have changed the file
        return False
