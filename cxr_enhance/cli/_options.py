"""Options of the command line to the records that check them; no default is written here."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.job import MIMIC_CXR_JPG, STUDY_SIZE, Job
from cxr_enhance.archive.plan import Shard
from cxr_enhance.cli import console
from cxr_enhance.cli.params_file import read_params
from cxr_enhance.io.dicom.pseudonym import read_pseudonym_key
from cxr_enhance.io.options import ReadOptions

_LONGEST_KEY = 4096  # bytes; whatever is longer is another file


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhanceOptions:
    """What was typed; None and False where nothing was."""

    params_file: Path | None
    clip_limit: float | None
    tile_grid_size: tuple[int, int] | None
    percentiles: tuple[float, float] | None
    bit_shift: int | None
    num_bins: str | None
    bits: int | None
    no_white_balance: bool
    no_clahe: bool

    def to_params(self) -> EnhanceParams:
        """Return the params of the file, or the defaults, changed by what was typed.

        Raises
        ------
        TypeError, ValueError
            In the words of `EnhanceParams`, or if two options contradict each other.
        OSError
            If the file of params cannot be read.
        """
        if self.no_white_balance and self.percentiles is not None:
            raise ValueError("`--percentiles` must not be given with --no-white-balance.")
        of_clahe = (self.clip_limit, self.tile_grid_size, self.bit_shift, self.num_bins)
        if self.no_clahe and any(option is not None for option in of_clahe):
            raise ValueError(
                "`--clip-limit`, `--tile-grid-size`, `--bit-shift` and `--num-bins` must not be "
                "given with --no-clahe."
            )
        typed: dict[str, Any] = {
            name: value
            for name in ("clip_limit", "tile_grid_size", "percentiles", "bit_shift", "bits")
            if (value := getattr(self, name)) is not None
        }
        if self.num_bins is not None:
            typed["num_bins"] = _num_bins_of(self.num_bins)
        elif self.bit_shift:
            typed["num_bins"] = None
        if self.no_white_balance:
            typed["percentiles"] = None
        if self.no_clahe:
            typed["clip_limit"] = None
        return dataclasses.replace(self._params_of_file(), **typed)

    def _params_of_file(self) -> EnhanceParams:
        return EnhanceParams() if self.params_file is None else read_params(self.params_file)

    def is_empty(self) -> bool:
        """Tell whether nothing was typed."""
        return all(getattr(self, field.name) in (None, False) for field in dataclasses.fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What was typed about reading and writing; None and False where nothing was."""

    preset: str | None
    voi: str | None
    frame: int | None
    max_pixels: int | None
    output_format: str | None
    quality: int | None
    compression: str | None
    long_side: int | None
    size: tuple[int, int] | None
    resize_first: bool
    strip_identity: bool
    pseudonym_key: Path | None

    def to_job(self, enhance: EnhanceOptions) -> Job:
        """Return the preset, or the defaults, changed by what was typed.

        Raises
        ------
        TypeError, ValueError
            If an option is out of range, or two contradict each other.
        OSError
            If a file of options or a key cannot be read.
        """
        typed: dict[str, Any] = {
            name: value
            for name in ("output_format", "quality", "compression", "long_side")
            if (value := getattr(self, name)) is not None
        }
        if self.size is not None:
            typed["size_wh"] = self.size
        read: dict[str, Any] = {
            name: value
            for name in ("voi", "frame", "max_pixels")
            if (value := getattr(self, name)) is not None
        }
        if self.resize_first:
            typed["resize_first"] = True
        if self.preset == "study":
            typed = {"resize_first": True, "interpolation": "linear", **typed}
            if self.size is None and self.long_side is None:
                typed["size_wh"] = STUDY_SIZE
        if self.preset == MIMIC_CXR_JPG:
            if not enhance.is_empty():
                raise ValueError(
                    f"`--preset {MIMIC_CXR_JPG}` is only allowed without options of white balance "
                    "and CLAHE, which are no part of it."
                )
            typed = {"output_format": "jpeg", **typed}
            read = {"voi": "none", **read}
        if self.quality is not None and typed.get("output_format") != "jpeg":
            raise ValueError(
                "`--quality` is only allowed with --format jpeg; got --format "
                f"{typed.get('output_format', 'png')}, which has none."
            )
        if self.compression is not None and typed.get("output_format", "png") != "png":
            raise ValueError(
                "`--compression` is only allowed with --format png; got --format "
                f"{typed['output_format']}."
            )
        return Job(
            params=None if self.preset == MIMIC_CXR_JPG else enhance.to_params(),
            read=ReadOptions(**read),
            strip_identity=self.strip_identity,
            pseudonym_key=None if self.pseudonym_key is None else _key_of(self.pseudonym_key),
            **typed,
        )


def shard_of(text: str | None) -> Shard | None:
    """Read ``I/N``, or take a Slurm array task's place in its array; None for the whole.

    Raises
    ------
    ValueError
        If `text` is not of that form.
    """
    if text is None:
        return _slurm_shard()
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"`--shard` must be I/N with 1 <= I <= N; got {text!r}.")
    return Shard(int(found[1]), int(found[2]))


def _slurm_shard() -> Shard | None:
    names = ("TASK_ID", "TASK_COUNT", "TASK_MIN", "TASK_STEP")
    said = [os.environ.get(f"SLURM_ARRAY_{name}", "") for name in names]
    if not said[0].isdecimal() or not said[1].isdecimal():
        return None
    task, count = int(said[0]), int(said[1])
    # Arrays begin where their user likes; without the first task's number they begin at 1.
    first = int(said[2]) if said[2].isdecimal() else 1
    step = max(int(said[3]), 1) if said[3].isdecimal() else 1
    number = (task - first) // step + 1
    if not 1 <= number <= count:
        raise ValueError(
            f"`SLURM_ARRAY_TASK_ID` must lie in an array of {count} tasks from {first}; got {task}."
            " Say --shard I/N."
        )
    return Shard(number, count)


def _key_of(path: Path) -> bytes:
    status = path.stat()
    if status.st_size > _LONGEST_KEY:
        raise ValueError(
            f"`--pseudonym-key` must name a file of at most {_LONGEST_KEY} bytes; got "
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
