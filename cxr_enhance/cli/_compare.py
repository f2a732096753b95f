"""`cxr-enhance compare`: one picture of images before and after one or several enhancements."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_enhance.archive.job import Job
from cxr_enhance.archive.polarity import Invert, with_polarity
from cxr_enhance.archive.selection import Selection
from cxr_enhance.archive.task import result_image
from cxr_enhance.cli import console
from cxr_enhance.cli._figure import Panel, draw_before_after, draw_sheet
from cxr_enhance.cli._job_options import job_of, params_of, read_options_of
from cxr_enhance.cli._pairs import pair_of
from cxr_enhance.io.atomic import write_atomically
from cxr_enhance.io.read import decode_file

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.decode import Decoded
    from cxr_enhance.io.options import ReadOptions

_MAX_PANELS = 100
_REPEATED = (
    "preset", "params_file", "voi", "window", "size", "long_side", "fit", "spacing", "bits",
    "num_bins", "bit_shift", "percentiles", "tile_grid_size", "clip_limit",
)  # fmt: skip
_OF_PARAMS = (
    "preset", "params_file", "bits", "num_bins", "bit_shift", "percentiles", "tile_grid_size",
    "clip_limit",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Values of the options of `compare`.

    An option that can be repeated is a sequence. Options of two numbers are texts, which `pair_of`
    parses.
    """

    preset: Sequence[str]
    clip_limit: Sequence[float]
    tile_grid_size: Sequence[str]
    percentiles: Sequence[str]
    bit_shift: Sequence[int]
    num_bins: Sequence[str]
    bits: Sequence[int]
    params_file: Sequence[Path]
    voi: Sequence[str]
    window: Sequence[str]
    long_side: Sequence[int]
    size: Sequence[str]
    fit: Sequence[str]
    spacing: Sequence[float]
    no_white_balance: bool
    no_clahe: bool
    resize_first: bool
    crop_border: bool
    invert: Invert
    frame: int | None
    max_pixels: int | None

    def variants(self) -> list[Variant]:
        """Return a variant for each combination of values; the clip limit changes fastest.

        Raises
        ------
        TypeError, ValueError, OSError
            If `params_of` or `job_of` does not allow a value, or a pair is not two numbers.
        """
        values: dict[str, Sequence[Any]] = {name: getattr(self, name) for name in _REPEATED}
        values["tile_grid_size"] = [
            pair_of(text, "--tile-grid-size", int) for text in self.tile_grid_size
        ]
        values["percentiles"] = [pair_of(text, "--percentiles", float) for text in self.percentiles]
        values["window"] = [pair_of(text, "--window", float) for text in self.window]
        values["size"] = [pair_of(text, "--size", int) for text in self.size]
        combined = itertools.product(*(values[name] or [None] for name in _REPEATED))
        return [self._variant(dict(zip(_REPEATED, chosen, strict=True))) for chosen in combined]

    def _variant(self, chosen: dict[str, Any]) -> Variant:
        preset, voi = chosen["preset"], chosen["voi"]
        of_params = {name: chosen[name] for name in _OF_PARAMS}
        job = job_of(
            params=params_of(
                **of_params, no_white_balance=self.no_white_balance, no_clahe=self.no_clahe
            ),
            read=read_options_of(
                preset,
                voi=voi,
                window=chosen["window"],
                frame=self.frame,
                max_pixels=self.max_pixels,
            ),
            preset=preset,
            long_side=chosen["long_side"],
            size_wh=chosen["size"],
            fit=chosen["fit"],
            spacing=chosen["spacing"],
            crop_border=self.crop_border,
            invert=self.invert,
            selection=Selection(),
            resize_first=self.resize_first,
            output_format=None,
            quality=None,
            compression=None,
            strip_identity=False,
            pseudonym_key_file=None,
        )
        return Variant(job, caption_of(job, preset, chosen["params_file"], voi))


@dataclass(frozen=True, slots=True)
class Variant:
    """One job, and the caption of its panel."""

    job: Job
    caption: str


def caption_of(job: Job, preset: str | None, params_file: Path | None, voi: str | None) -> str:
    """Return the caption of a panel: the options of its job that have an effect."""
    lines = []
    if preset is not None:
        lines.append(f"preset {preset}")
    if params_file is not None:
        lines.append(console.printable(params_file.name))
    params = job.params
    if params is not None:
        if params.clip_limit is None:
            lines.append("no CLAHE")
        else:
            columns, rows = params.tile_grid_size
            lines.append(f"clip limit {params.clip_limit:g}, {columns} x {rows} tiles")
        if params.percentiles is None:
            counted = ["no white balance"]
        else:
            low, high = params.percentiles
            counted = [f"percentiles {low:g} to {high:g}"]
        if params.clip_limit is not None:
            bins = "all" if params.num_bins is None else str(params.num_bins)
            counted.append(f"{bins} bins")
        if params.bit_shift:
            counted.append(f"bit shift {params.bit_shift}")
        if params.bits is not None:
            counted.append(f"{params.bits} bits")
        lines.append(", ".join(counted))
    resized = job.size_wh or job.long_side
    if resized:
        words = f"long side {resized}" if isinstance(resized, int) else "{} x {}".format(*resized)
        lines.append(f"{words} pixels{', resized first' if job.resize_first else ''}")
    shape = []
    if job.invert == "yes":
        shape.append("inverted")
    if job.crop_border:
        shape.append("border cropped")
    if job.fit != "squash":
        shape.append(f"fit {job.fit}")
    if job.spacing is not None:
        shape.append(f"{job.spacing:g} mm a pixel{', resized first' if job.resize_first else ''}")
    if shape:
        lines.append(", ".join(shape))
    if voi is not None:
        lines.append(f"VOI {voi}")
    if job.read.window is not None:
        lines.append("window {:g} / {:g}".format(*job.read.window))
    return "\n".join(lines)


def compare(images: Sequence[Path], out: Path, choices: Choices, *, overwrite: bool) -> int:
    """Write the picture of `images` to `out` and return the exit status."""
    with console.errors_exit_with(console.WRONG_USAGE):
        _check_out(images, out, overwrite=overwrite)
        variants = choices.variants()
        count = len(images) * (len(variants) + 1)
        if count > _MAX_PANELS:
            raise ValueError(
                f"A contact sheet must have at most {_MAX_PANELS} panels; got {count}: "
                f"{len(images)} images, each before and with {len(variants)} choices."
            )
    with console.errors_exit_with(console.FAILED):
        console.load_quiet_opencv()
        notes: dict[str, None] = {}
        rows = [_panels(image, variants, notes) for image in images]
        if len(rows) == 1 and len(variants) == 1:
            before, after = rows[0]
            caption = "" if choices == _NOTHING else after.caption
            picture = draw_before_after(
                before.image, after.image, title=before.title, caption=caption
            )
        else:
            picture = draw_sheet(rows)
        write_atomically(str(out), lambda file: file.write(picture), overwrite=overwrite)
    for note in notes:
        console.say(f"note: {console.printable(note)}")
    console.say(f"wrote {console.printable(str(out))}")
    return 0


def _panels(path: Path, variants: Sequence[Variant], notes: dict[str, None]) -> list[Panel]:
    """Return a panel of the original image and a panel of the result of each variant.

    The original image is read with the options of the first variant. Notes on the image are added
    to the keys of `notes`.
    """
    panels: list[Panel] = []
    read: dict[ReadOptions, Decoded] = {}
    for variant in variants:
        options = variant.job.read
        decoded = read[options] = read.get(options) or decode_file(str(path), options)
        if decoded.notes:
            notes[f"DICOM header amiss: {'; '.join(decoded.notes)}. File: {str(path)!r}"] = None
        bits = None if variant.job.params is None else variant.job.params.bits
        source, polarity = with_polarity(decoded, variant.job.invert, bits)
        hints = list(polarity.hints)
        try:
            after = result_image(source, variant.job, hints).image
        except ValueError as error:
            raise ValueError(f"{error} File: {str(path)!r}.") from error
        notes.update(dict.fromkeys(hint.sentence for hint in hints))
        if not panels:
            panels.append(Panel(decoded.image, console.printable(path.name), "before"))
        panels.append(Panel(after, "", variant.caption))
    return panels


def _check_out(images: Sequence[Path], out: Path, *, overwrite: bool) -> None:
    if out.suffix.lower() != ".png":
        raise ValueError(f"`--out` must end in .png; got {str(out)!r}.")
    for image in images:
        if out.exists() and image.exists() and os.path.samefile(image, out):
            raise ValueError(f"`--out` must not be the image itself; got {str(out)!r}.")
    if os.path.lexists(out) and not overwrite:
        raise ValueError(f"`--out` must not exist; got {str(out)!r}. Replace it with --overwrite.")
    if not out.parent.is_dir():
        raise ValueError(f"`--out` must lie in a folder that exists; got {str(out)!r}.")


_NOTHING = Choices(
    **{name: [] for name in _REPEATED},
    no_white_balance=False, no_clahe=False, resize_first=False, crop_border=False,
    invert="note", frame=None, max_pixels=None,
)  # fmt: skip
