"""Write a choice as a call in Python, as a command, and as a parameter file."""

from __future__ import annotations

import dataclasses
import os
import shlex
from typing import TYPE_CHECKING

from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.job import MIMIC_CXR_JPG, STUDY_SIZE
from cxr_enhance.archive.task import params_without_padding

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.decode import Decoded
    from cxr_enhance.tuner.choice import Choice
    from cxr_enhance.tuner.source import Source

PARAMS_FILE = "params.json"


def texts_of(source: Source, choice: Choice) -> dict[str, str]:
    """Return the three texts by the names python, command and params; "" for a missing text."""
    return {
        "python": python_lines(source, choice),
        "command": command_line(source, choice),
        "params": "" if choice.preset == MIMIC_CXR_JPG else choice.params.to_json(),
    }


def python_lines(source: Source, choice: Choice) -> str:
    """Write the Python lines that compute the shown image, with their imports."""
    if choice.preset == MIMIC_CXR_JPG:
        return ""
    lines = ["import cxr_enhance as cxe"]
    image = "image"
    if source.path is not None:
        image = f"cxe.read_image({source.path!r}{_read_options(source, choice)})"
    if choice.preset == "study":
        lines.insert(0, "import cv2")
        image = f"cv2.resize({image}, {STUDY_SIZE!r}, interpolation=cv2.INTER_LINEAR)"
    params = python_params(params_of(source.decoded, choice.params))
    return "\n".join([*lines, f"enhanced = cxe.enhance({image}{', ' if params else ''}{params})"])


def _read_options(source: Source, choice: Choice) -> str:
    """Write the options of `read_image` for a DICOM file that differ from the defaults."""
    options = ""
    if source.is_dicom and choice.voi != "auto":
        options += f", voi={choice.voi!r}"
    if source.is_dicom and choice.window is not None:
        options += f", window={choice.window!r}"
    return options


def params_of(decoded: Decoded, params: EnhanceParams) -> EnhanceParams:
    """Return the params that give the same result for the array without DICOM header.

    The percentiles are shifted, because padding pixels of DICOM do not count for percentiles.
    """
    return params_without_padding(params, decoded.padding, decoded.image.size)


def python_params(params: EnhanceParams) -> str:
    """Write the params that differ from the defaults as Python; "" if there are none."""
    typed = [f"{name}={value!r}" for name, value in _changed(params)]
    return f"cxe.EnhanceParams({', '.join(typed)})" if typed else ""


def command_line(source: Source, choice: Choice) -> str:
    """Write the command that computes the shown image; "" for an array."""
    if source.path is None:
        return ""
    path = f".{os.sep}{source.path}" if source.path.startswith("-") else source.path
    stem = os.path.splitext(os.path.basename(path))[0]
    words = ["cxr-enhance", "run", path, "--out", f"{stem}-enhanced.png"]
    if choice.preset is not None:
        words += ["--preset", choice.preset]
    if choice.preset == MIMIC_CXR_JPG:
        words[4] = f"{stem}-enhanced.jpg"
    else:
        words += command_options(choice.params)
    is_recipe = choice.preset == MIMIC_CXR_JPG and choice.window is None
    usual = "none" if is_recipe else "auto"
    if source.is_dicom and choice.voi != usual:
        words += ["--voi", choice.voi]
    if source.is_dicom and choice.window is not None:
        words += ["--window", *map(repr, choice.window)]
    return shlex.join(words)


def command_options(params: EnhanceParams) -> list[str]:
    """Write the params that differ from the defaults as command line options.

    `output` and `channel_order` have no options; if one of them differs, the option of the
    parameter file is returned instead.
    """
    changed = dict(_changed(params))
    if "output" in changed or "channel_order" in changed:
        return ["--params", PARAMS_FILE]
    words = []
    if changed.get("percentiles", 0) is None:
        del changed["percentiles"]
        words.append("--no-white-balance")
    if changed.get("clip_limit", 0) is None:
        words.append("--no-clahe")
        for name in ("clip_limit", "tile_grid_size", "bit_shift", "num_bins"):
            changed.pop(name, None)
    for name, value in changed.items():
        words.append(f"--{name.replace('_', '-')}")
        if isinstance(value, tuple):
            words += map(repr, value)
        else:
            words.append("all" if value is None else repr(value))
    return words


def _changed(params: EnhanceParams) -> list[tuple[str, object]]:
    """Return name and value of the options that differ from the defaults."""
    usual = EnhanceParams(bit_shift=params.bit_shift)
    changed = []
    for field in dataclasses.fields(EnhanceParams):
        value = getattr(params, field.name)
        expected = 0 if field.name == "bit_shift" else getattr(usual, field.name)
        if value != expected:
            changed.append((field.name, value))
    return changed
