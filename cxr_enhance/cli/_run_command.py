"""The options of `cxr-enhance run`, in the order its help shows them."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance._params import EnhanceParams


class OutputFormat(StrEnum):
    """Formats that `run` writes."""

    PNG = "png"
    JPEG = "jpeg"
    NPY = "npy"
    DICOM = "dicom"


class CompressionChoice(StrEnum):
    """How PNG is compressed."""

    FAST = "fast"
    SMALL = "small"


class Preset(StrEnum):
    """Recipes with a name."""

    STUDY = "study"
    MIMIC_CXR_JPG = "mimic-cxr-jpg"


class VoiChoice(StrEnum):
    """VOI transforms of DICOM files."""

    AUTO = "auto"
    WINDOW = "window"
    LUT = "lut"
    NONE = "none"


class EngineChoice(StrEnum):
    """Who does the work."""

    LOCAL = "local"
    DASK = "dask"


def _default(name: str) -> str:
    """Default of a params field as one types it: the record is the only place that states it."""
    fields = {field.name: field.default for field in dataclasses.fields(EnhanceParams)}
    value = fields[name]
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def run(
    out: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="Folder for the enhanced images; made if need be. With one INPUT file also the "
            "name of one image, whose ending sets the format.",
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...",
            help="Image files, or folders that are read with all they hold.",
            show_default=False,
        ),
    ] = None,
    list_file: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A list of files, one a line, or a CSV with --column; - for standard input. The "
            "tree below the innermost folder that holds them all is kept.",
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the CSV that holds the files.")
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="study: 224 x 224, resized first, bilinear, then the chain. mimic-cxr-jpg: least "
            "to greatest value onto 0..255, equalizeHist, JPEG 95; no white balance, no CLAHE."
        ),
    ] = None,
    clip_limit: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            help=f"CLAHE's ceiling for a bin, OpenCV's scale; 0 for none. "
            f"[default: {_default('clip_limit')}]",
        ),
    ] = None,
    tile_grid_size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="COLS ROWS",
            help=f"CLAHE's number of tiles. [default: {_default('tile_grid_size')}]",
        ),
    ] = None,
    percentiles: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help=f"Cuts of the white balance, in percent. [default: {_default('percentiles')}]",
        ),
    ] = None,
    no_white_balance: Annotated[
        bool, typer.Option("--no-white-balance", help="Leave white balance out.")
    ] = False,
    no_clahe: Annotated[bool, typer.Option("--no-clahe", help="Leave CLAHE out.")] = False,
    bit_shift: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help=f"Low bits that CLAHE drops. [default: {_default('bit_shift')}]",
        ),
    ] = None,
    num_bins: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="Gray levels that CLAHE counts, whatever the depth; all: every value, as OpenCV, "
            f"and as with --bit-shift. [default: {_default('num_bins')}]",
        ),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Values and results fill 0 to 2**N - 1, such as 12-bit values in 16-bit files. "
            "[default: those of the image's type]",
        ),
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Options as EnhanceParams.to_json() writes them; options given here win.",
        ),
    ] = None,
    voi: Annotated[
        VoiChoice | None,
        typer.Option(
            help="VOI transform of DICOM files: its LUT, else its window. [default: auto]"
        ),
    ] = None,
    frame: Annotated[
        int | None,
        typer.Option(metavar="N", help="Frame of multi-frame DICOM files. [default: 0, the first]"),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(metavar="N", help="Most pixels an image may have. [default: 268435456]"),
    ] = None,
    long_side: Annotated[
        int | None,
        typer.Option(metavar="N", help="Resize to N pixels on the longer side, after enhancing."),
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="W H", help="Resize to W x H pixels, after enhancing."),
    ] = None,
    resize_first: Annotated[
        bool, typer.Option("--resize-first", help="Resize before enhancing, as the study did.")
    ] = False,
    output_format: Annotated[
        OutputFormat | None,
        typer.Option(
            "--format",
            help="jpeg holds 8 bits only; dicom is a derived image with the source's header. "
            "[default: png]",
        ),
    ] = None,
    quality: Annotated[
        int | None, typer.Option(metavar="N", help="Of JPEG, 1 to 100. [default: 95]")
    ] = None,
    compression: Annotated[
        CompressionChoice | None,
        typer.Option(
            help="Of PNG, the same pixels: fast by ISA-L, small by OpenCV. [default: fast]"
        ),
    ] = None,
    strip_identity: Annotated[
        bool,
        typer.Option(
            "--strip-identity",
            help="With --format dicom: keep technique and geometry only, less than the Basic "
            "Application Level Confidentiality Profile of DICOM PS3.15 lets stay. Writing burned "
            "into the pixels stays, and so do the names of files.",
        ),
    ] = False,
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --strip-identity: PatientID becomes a hash with the key in FILE, the same "
            "for all files of a patient, as `cxr-models index` makes it with that key.",
        ),
    ] = None,
    flat_names: Annotated[
        bool,
        typer.Option(
            "--flat-names",
            help="Name outputs by a hash of the input's name below its folder, with the key if "
            "there is one; the manifest maps them.",
        ),
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N", help=f"Images at a time. [default: usable CPUs, here {usable_cpus()}]"
        ),
    ] = None,
    engine: Annotated[
        EngineChoice, typer.Option(help="local: threads. dask: processes, here or on a cluster.")
    ] = EngineChoice.LOCAL,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler, such as tcp://node1:8786; without it one is started here.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do part I of N, from 1. [default: the Slurm array task's place, else all]",
        ),
    ] = None,
    manifest: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where one row a file is kept. [default: manifest.jsonl in --out]",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed in earlier runs.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace existing outputs; without it they are left as they are."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print failures only, no progress, no summary.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the summary.")
    ] = False,
) -> None:
    """Enhance files and folders.

    A folder's tree is kept; files in it that are no images are skipped. Inputs that would meet in
    one output name get their old extension into it: a.jpg and a.png become a_jpg.png and a_png.png.
    Inputs are never written over. A further run does what is missing, changed, or failed for a
    passing reason. Exit status 1 if any image failed.
    """
    from cxr_enhance.cli import _run
    from cxr_enhance.cli._options import EnhanceOptions, JobOptions

    enhance = EnhanceOptions(
        params_file=params,
        clip_limit=clip_limit,
        tile_grid_size=tile_grid_size,
        percentiles=percentiles,
        bit_shift=bit_shift,
        num_bins=num_bins,
        bits=bits,
        no_white_balance=no_white_balance,
        no_clahe=no_clahe,
    )
    job = JobOptions(
        preset=None if preset is None else preset.value,
        voi=None if voi is None else voi.value,
        frame=frame,
        max_pixels=max_pixels,
        output_format=None if output_format is None else output_format.value,
        quality=quality,
        compression=None if compression is None else compression.value,
        long_side=long_side,
        size=size,
        resize_first=resize_first,
        strip_identity=strip_identity,
        pseudonym_key=pseudonym_key,
    )
    options = _run.RunOptions(
        inputs=inputs or [],
        list_file=list_file,
        column=column,
        out=out,
        threads=threads,
        engine=engine.value,
        scheduler=scheduler,
        shard=shard,
        manifest=manifest,
        overwrite=overwrite,
        retry_failed=retry_failed,
        flat_names=flat_names,
        dry_run=dry_run,
        quiet=quiet,
        as_json=as_json,
    )
    raise typer.Exit(_run.run(options, enhance, job))
