"""Conversion of the options of one image to the record of a job, which checks the options.

This module contains no defaults; the records contain them.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import stat
from typing import TYPE_CHECKING, Any

from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.job import MIMIC_CXR_JPG, STUDY_SIZE, Job
from cxr_enhance.archive.samples.containers import CONTAINERS
from cxr_enhance.cli import console
from cxr_enhance.cli.params_file import read_params
from cxr_enhance.io.dicom.pseudonym import read_pseudonym_key
from cxr_enhance.io.options import ReadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from cxr_enhance.archive.polarity import Invert
    from cxr_enhance.archive.selection import Selection

_MAX_KEY_BYTES = 4096  # largest size of a file with a key


def params_of(
    *,
    preset: str | None,
    params_file: Path | None,
    clip_limit: float | None,
    tile_grid_size: tuple[int, int] | None,
    percentiles: tuple[float, float] | None,
    no_white_balance: bool,
    no_clahe: bool,
    bit_shift: int | None,
    num_bins: str | None,
    bits: int | None,
) -> EnhanceParams | None:
    """Return the params in `params_file`, or the defaults, changed by the other options.

    An argument of None means that the option was not given. A `bit_shift` above 0 without
    `num_bins` makes CLAHE count every value, because both options must not be combined.

    Returns
    -------
    EnhanceParams or None
        None for the preset "mimic-cxr-jpg", which has no params.

    Raises
    ------
    TypeError, ValueError
        If `EnhanceParams` does not allow a value, or two options contradict each other.
    OSError
        If the file of params cannot be read.
    """
    clahe: dict[str, Any] = {
        "clip_limit": clip_limit, "tile_grid_size": tile_grid_size, "bit_shift": bit_shift,
        "num_bins": num_bins,
    }  # fmt: skip
    clahe = {name: value for name, value in clahe.items() if value is not None}
    if preset == MIMIC_CXR_JPG:
        others = (params_file, percentiles, bits)
        if clahe or no_white_balance or no_clahe or any(value is not None for value in others):
            raise ValueError(
                f"`--preset {MIMIC_CXR_JPG}` is only allowed without options of white balance "
                "and CLAHE, which are no part of it."
            )
        return None
    if no_white_balance and percentiles is not None:
        raise ValueError("`--percentiles` must not be given with --no-white-balance.")
    if no_clahe and clahe:
        raise ValueError(
            "`--clip-limit`, `--tile-grid-size`, `--bit-shift` and `--num-bins` must not be "
            "given with --no-clahe."
        )
    changes = dict(clahe)
    if num_bins is not None:
        changes["num_bins"] = _num_bins_of(num_bins)
    elif bit_shift:
        changes["num_bins"] = None
    if bits is not None:
        changes["bits"] = bits
    if no_white_balance or percentiles is not None:
        changes["percentiles"] = percentiles
    if no_clahe:
        changes["clip_limit"] = None
    params = EnhanceParams() if params_file is None else read_params(params_file)
    return dataclasses.replace(params, **changes)


def read_options_of(
    preset: str | None,
    *,
    voi: str | None,
    window: tuple[float, float] | None,
    frame: int | None,
    max_pixels: int | None,
) -> ReadOptions:
    """Return the read options of the preset, or the defaults, changed by the other options.

    Raises
    ------
    TypeError, ValueError
        If `ReadOptions` does not allow a value.
    """
    if preset == MIMIC_CXR_JPG and voi is None and window is None:
        voi = "none"
    return ReadOptions(**typed_options(voi=voi, window=window, frame=frame, max_pixels=max_pixels))


def job_of(
    *,
    params: EnhanceParams | None,
    read: ReadOptions,
    preset: str | None,
    output_format: str | None,
    quality: int | None,
    compression: str | None,
    long_side: int | None,
    size_wh: tuple[int, int] | None,
    fit: str | None,
    spacing: float | None,
    crop_border: bool,
    resize_first: bool,
    strip_identity: bool,
    pseudonym_key_file: Path | None,
    invert: Invert,
    selection: Selection,
) -> Job:
    """Return the job of the preset, or the default job, changed by the other options.

    An argument of None means that the option was not given.

    Raises
    ------
    TypeError, ValueError
        If an option is out of range, or two contradict each other.
    OSError
        If the key cannot be read.
    """
    typed_format = output_format
    if output_format in CONTAINERS:
        output_format = None
        if strip_identity:
            raise ValueError(
                f"`--strip-identity` is only allowed with --format dicom; got --format "
                f"{typed_format}, whose images have no header to strip."
            )
    if preset == MIMIC_CXR_JPG and output_format is None:
        output_format = "jpeg"
    if preset == "study" and size_wh is None and long_side is None and spacing is None:
        size_wh = STUDY_SIZE
    written_format = output_format or "png"
    if quality is not None and written_format != "jpeg":
        raise ValueError(
            "`--quality` is only allowed with --format jpeg; got --format "
            f"{typed_format or written_format}, which has none."
        )
    if compression is not None and written_format != "png":
        raise ValueError(
            f"`--compression` is only allowed with --format png; got --format "
            f"{typed_format or written_format}."
        )
    return Job(
        params=params,
        read=read,
        crop_border=crop_border,
        resize_first=resize_first or preset == "study",
        interpolation="linear" if preset == "study" else "area",
        strip_identity=strip_identity,
        pseudonym_key=None if pseudonym_key_file is None else _key_in(pseudonym_key_file),
        invert=invert,
        selection=selection,
        **typed_options(
            output_format=output_format,
            quality=quality,
            compression=compression,
            long_side=long_side,
            size_wh=size_wh,
            fit=fit,
            spacing=spacing,
        ),
    )


def typed_options(**options: Any) -> dict[str, Any]:
    """Return the options without those that are None; the records contain their defaults."""
    return {name: value for name, value in options.items() if value is not None}


def _key_in(path: Path) -> bytes:
    status = path.stat()
    if status.st_size > _MAX_KEY_BYTES:
        raise ValueError(
            f"`--pseudonym-key` must name a file of at most {_MAX_KEY_BYTES} bytes; got "
            f"{str(path)!r} of {status.st_size}. Make a key with: openssl rand -hex 32"
        )
    key = read_pseudonym_key(path)
    if os.name == "posix" and stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
        console.complain(
            f"Warning: others may read the key {console.printable(str(path))}, and tell with it "
            f"whose a pseudonym is. Keep it to yourself with: chmod 600 {shlex.quote(str(path))}"
        )
    return key


def _num_bins_of(text: str) -> int | None:
    if text == "all":
        return None
    if not re.fullmatch("[0-9]+", text):
        raise ValueError(f"`--num-bins` must be a whole number or all; got {text!r}.")
    return int(text)
