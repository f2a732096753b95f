"""The options of `cxr-enhance run`: an annotated type with name and help for each option."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.samples.plan import SAMPLES_PER_FILE
from cxr_enhance.cli._choices import (  # typer reads annotations
    CompressionChoice,
    EngineChoice,
    FitChoice,
    FormatChoice,
    InvertChoice,
    PresetChoice,
    VoiChoice,
)


def _default(name: str) -> str:
    """Return a default of `EnhanceParams` in the form in which a user types it."""
    fields = {field.name: field.default for field in dataclasses.fields(EnhanceParams)}
    value = fields[name]
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


Out: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="DIR",
        help="Folder for the enhanced images; made if need be. With one INPUT file also the "
        "name of one image, whose ending sets the format.",
    ),
]

Inputs: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[INPUT]...",
        help="Image files, or folders, which are searched with all subfolders.",
        show_default=False,
    ),
]

ListFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="A list of files, one a line, or a CSV with --column; - for standard input. The "
        "tree below the innermost folder that holds them all is kept.",
    ),
]

Column: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column of the CSV of --from or --records that holds files."),
]

Modality: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="CR,DX",
        help="Enhance DICOM files of these modalities only; others, and files without a DICOM "
        "header, get a row `skipped` that says why.",
    ),
]

Views: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="PA,AP", help="Enhance DICOM files of these View Positions only."),
]

Where: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TAG=VALUE",
        help="Enhance DICOM files only where this element, a keyword or gggg,eeee, has this value; "
        "may be repeated.",
    ),
]

Preset: TypeAlias = Annotated[
    PresetChoice | None,
    typer.Option(
        help="study: 224 x 224, resized first, bilinear, then the chain. mimic-cxr-jpg: least "
        "to greatest value onto 0..255, equalizeHist, JPEG 95; no white balance, no CLAHE."
    ),
]

ClipLimit: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="F",
        help=f"CLAHE's ceiling for a bin, OpenCV's scale; 0 for none. "
        f"[default: {_default('clip_limit')}]",
    ),
]

TileGridSize: TypeAlias = Annotated[
    tuple[int, int] | None,
    typer.Option(
        metavar="COLS ROWS",
        help=f"CLAHE's number of tiles. [default: {_default('tile_grid_size')}]",
    ),
]

Percentiles: TypeAlias = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LOW HIGH",
        help=f"Cuts of the white balance, in percent. [default: {_default('percentiles')}]",
    ),
]

NoWhiteBalance: TypeAlias = Annotated[
    bool, typer.Option("--no-white-balance", help="Leave white balance out.")
]

NoClahe: TypeAlias = Annotated[bool, typer.Option("--no-clahe", help="Leave CLAHE out.")]

BitShift: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help=f"Low bits that CLAHE drops. [default: {_default('bit_shift')}]",
    ),
]

NumBins: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="N|all",
        help="Gray levels that CLAHE counts, whatever the depth; all: every value, as OpenCV, "
        f"and as with --bit-shift. [default: {_default('num_bins')}]",
    ),
]

Bits: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Values and results fill 0 to 2**N - 1, such as 12-bit values in 16-bit files. "
        "[default: those of the image's type]",
    ),
]

Params: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json",
        help="File of EnhanceParams.to_json(); options given here override it.",
    ),
]

Voi: TypeAlias = Annotated[
    VoiChoice | None,
    typer.Option(help="VOI transform of DICOM files: its LUT, else its window. [default: auto]"),
]

Window: TypeAlias = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="CENTER WIDTH",
        help="Window for DICOM files instead of their own window and VOI LUT.",
    ),
]

Frame: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Frame of multi-frame DICOM files. [default: 0, the first]"),
]

Invert: TypeAlias = Annotated[
    InvertChoice,
    typer.Option(
        help="Images whose black and white look the wrong way round: note says so in the manifest, "
        "auto turns them over too. yes turns over every image, no looks at none."
    ),
]

MaxPixels: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Largest number of pixels that an image may have. [default: 268435456]"
    ),
]

LongSide: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Resize to N pixels on the longer side, after enhancing."),
]

Size: TypeAlias = Annotated[
    tuple[int, int] | None,
    typer.Option(metavar="W H", help="Resize to W x H pixels, after enhancing."),
]

Fit: TypeAlias = Annotated[
    FitChoice | None,
    typer.Option(
        help="With --size: squash scales each axis by itself; pad keeps the aspect and adds black; "
        "crop keeps it and cuts off both ends. [default: squash]"
    ),
]

Spacing: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="MM",
        help="Resize so that a pixel is MM millimetres high and wide; files must say how large "
        "their pixels are, as DICOM can.",
    ),
]

CropBorder: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--crop-border", help="First cut off uniform frames and the shade of a collimator."
    ),
]

ResizeFirst: TypeAlias = Annotated[
    bool, typer.Option("--resize-first", help="Resize before enhancing, as the study did.")
]

OutputFormat: TypeAlias = Annotated[
    FormatChoice | None,
    typer.Option(
        "--format",
        help="jpeg holds 8 bits only; dicom is a derived image with the source's header; "
        "webdataset and tfrecord put many PNG images into each of few files. [default: png]",
    ),
]

Records: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.csv",
        help="With --format webdataset or tfrecord: a table of the files to read, such as a "
        "manifest of cxr-models; all its columns go into the samples. Names in the column `file`, "
        "or in that of --column, start from INPUT, a folder, or from the table's own folder.",
    ),
]

SamplesPerFile: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N", help=f"Images in each file of samples. [default: {SAMPLES_PER_FILE}]"
    ),
]

Quality: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Quality of JPEG, 1 to 100. [default: 95]")
]

Compression: TypeAlias = Annotated[
    CompressionChoice | None,
    typer.Option(help="PNG with the same pixels: fast by ISA-L, small by OpenCV. [default: fast]"),
]

StripIdentity: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--strip-identity",
        help="With --format dicom: keep technique and geometry only, less than the Basic "
        "Application Level Confidentiality Profile of DICOM PS3.15 lets stay. Writing burned "
        "into the pixels stays, and so do the names of files.",
    ),
]

PseudonymKey: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="With --strip-identity: PatientID becomes a hash with the key in FILE, the same "
        "for all files of a patient, as `cxr-models index` makes it with that key.",
    ),
]

FlatNames: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--flat-names",
        help="Name outputs by a hash of the input's name below its folder, keyed by "
        "--pseudonym-key if that is given; the manifest maps inputs to outputs.",
    ),
]

Threads: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help=f"Images processed at the same time. [default: usable CPUs, here {usable_cpus()}]",
    ),
]

Engine: TypeAlias = Annotated[
    EngineChoice, typer.Option(help="local: threads. dask: processes, here or on a cluster.")
]

Scheduler: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Dask scheduler, such as tcp://node1:8786. [default: a scheduler started here]",
    ),
]

Shard: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Do part I of N, from 1. [default: the Slurm array task's place, else all]",
    ),
]

Manifest: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Manifest, with one row a file. [default: manifest.jsonl in --out]",
    ),
]

RetryFailed: TypeAlias = Annotated[
    bool, typer.Option("--retry-failed", help="Try files again that failed in earlier runs.")
]

Overwrite: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace existing outputs; without it they are left as they are."
    ),
]

DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="List the files that a run would enhance; write nothing.")
]

Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print failures only, no progress, no summary.")
]

AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of the summary.")
]
