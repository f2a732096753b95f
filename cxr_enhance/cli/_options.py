"""What was typed to the records of a run, which check it; no default is written here."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import stat
from typing import TYPE_CHECKING, Any

from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.job import MIMIC_CXR_JPG, STUDY_SIZE, Job
from cxr_enhance.archive.plan import Shard
from cxr_enhance.archive.settings import Settings
from cxr_enhance.archive.sources import read_list
from cxr_enhance.cli import console
from cxr_enhance.cli._folders import check_folders
from cxr_enhance.cli.params_file import read_params
from cxr_enhance.io.dicom.pseudonym import read_pseudonym_key
from cxr_enhance.io.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cxr_enhance.archive.polarity import Invert
    from cxr_enhance.archive.selection import Selection
    from cxr_enhance.archive.settings import EngineName

_MAX_KEY_BYTES = 4096  # whatever is longer is another file


def check_run(
    inputs: Sequence[str],
    list_file: str | None,
    column: str | None,
    engine: EngineName,
    scheduler: str | None,
    threads: int | None,
) -> None:
    """Refuse options that contradict each other, wherever the outputs go.

    Raises
    ------
    ValueError
        In the words of the option.
    """
    if not inputs and list_file is None:
        raise ValueError("`INPUT` or `--from` must be given.")
    if column is not None and list_file is None:
        raise ValueError(f"`--column` is only allowed with --from; got {column!r}, and no list.")
    if scheduler is not None and engine != "dask":
        raise ValueError(
            f"`--scheduler` is only allowed with --engine dask; got --engine {engine}."
        )
    if scheduler is not None and threads is not None:
        raise ValueError(
            "`--threads` must not be given with --scheduler, whose workers have their own."
        )
    if threads is not None and threads < 1:
        raise ValueError(
            f"`--threads` must be at least 1; got {threads}. Leave it out to use every usable CPU."
        )


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
    """Return the params of the file, or the defaults, changed by what was typed.

    Returns
    -------
    EnhanceParams or None
        None for the recipe of MIMIC-CXR-JPG, which has none.

    Raises
    ------
    TypeError, ValueError
        In the words of `EnhanceParams`, or if two options contradict each other.
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
    preset: str | None, *, voi: str | None, frame: int | None, max_pixels: int | None
) -> ReadOptions:
    """Return how the preset reads files, or the defaults, changed by what was typed."""
    if preset == MIMIC_CXR_JPG and voi is None:
        voi = "none"
    return ReadOptions(**_given(voi=voi, frame=frame, max_pixels=max_pixels))


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
    """Return the preset, or the defaults, changed by what was typed.

    Raises
    ------
    TypeError, ValueError
        If an option is out of range, or two contradict each other.
    OSError
        If the key cannot be read.
    """
    if preset == MIMIC_CXR_JPG and output_format is None:
        output_format = "jpeg"
    if preset == "study" and size_wh is None and long_side is None and spacing is None:
        size_wh = STUDY_SIZE
    written_format = output_format or "png"
    if quality is not None and written_format != "jpeg":
        raise ValueError(
            "`--quality` is only allowed with --format jpeg; got --format "
            f"{written_format}, which has none."
        )
    if compression is not None and written_format != "png":
        raise ValueError(
            f"`--compression` is only allowed with --format png; got --format {written_format}."
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
        **_given(
            output_format=output_format,
            quality=quality,
            compression=compression,
            long_side=long_side,
            size_wh=size_wh,
            fit=fit,
            spacing=spacing,
        ),
    )


def settings_of(
    *,
    inputs: Sequence[str],
    list_file: str | None,
    column: str | None,
    out: str,
    job: Job,
    threads: int | None,
    engine: EngineName,
    scheduler: str | None,
    overwrite: bool,
    retry_failed: bool,
    manifest: str | None,
    shard: str | None,
    flat_names: bool,
) -> Settings:
    """Return the settings of a run into a folder, checked.

    Raises
    ------
    ValueError
        If an option is out of range, or two contradict each other.
    OSError
        If the list cannot be read.
    """
    settings = Settings(
        inputs=inputs,
        listed=() if list_file is None else read_list(list_file, column),
        out=out,
        job=job,
        num_workers=usable_cpus() if threads is None else threads,
        engine=engine,
        scheduler=scheduler,
        overwrite=overwrite,
        retry_failed=retry_failed,
        manifest=manifest,
        shard=shard_of(shard),
        flat_names=flat_names,
    )
    check_folders(settings)
    return settings.with_absolute_paths() if engine == "dask" else settings


def _given(**options: Any) -> dict[str, Any]:
    """Leave out what was not typed: the records hold the defaults."""
    return {name: value for name, value in options.items() if value is not None}


def shard_of(text: str | None) -> Shard | None:
    """Read ``I/N``, or take a Slurm array task's place in its array; None for the whole.

    Raises
    ------
    ValueError
        If `text` is not of that form.
    """
    if text is None:
        return _slurm_shard()
    parts = re.fullmatch(r"(\d+)/(\d+)", text)
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]):
        raise ValueError(f"`--shard` must be I/N with 1 <= I <= N; got {text!r}.")
    return Shard(int(parts[1]), int(parts[2]))


def _slurm_shard() -> Shard | None:
    names = ("TASK_ID", "TASK_COUNT", "TASK_MIN", "TASK_STEP")
    values = [os.environ.get(f"SLURM_ARRAY_{name}", "") for name in names]
    task, count, first, step = (int(text) if text.isdecimal() else None for text in values)
    if task is None or count is None:
        return None
    # Arrays begin where their user likes; without the first task's number they begin at 1.
    first = 1 if first is None else first
    step = max(step or 1, 1)
    number = (task - first) // step + 1
    if not 1 <= number <= count:
        raise ValueError(
            f"`SLURM_ARRAY_TASK_ID` must lie in an array of {count} tasks from {first}; got {task}."
            " Say --shard I/N."
        )
    return Shard(number, count)


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
