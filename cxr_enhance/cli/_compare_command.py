"""The command `cxr-enhance compare` and its options, in the order of its help."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from cxr_enhance.cli import _choices  # typer reads annotations
from cxr_enhance.cli import _run_arguments as arguments  # typer reads annotations

_AGAIN = "May be repeated: a panel for each."


def compare(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Radiographs, DICOM files too.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="The picture to write.")],
    preset: Annotated[
        list[_choices.PresetChoice] | None, typer.Option(help=f"As in `run`. {_AGAIN}")
    ] = None,
    clip_limit: Annotated[
        list[float] | None, typer.Option(metavar="F", help=f"As in `run`. {_AGAIN}")
    ] = None,
    tile_grid_size: Annotated[
        list[str] | None, typer.Option(metavar="COLS ROWS", help=f"As in `run`. {_AGAIN}")
    ] = None,
    percentiles: Annotated[
        list[str] | None, typer.Option(metavar="LOW HIGH", help=f"As in `run`. {_AGAIN}")
    ] = None,
    no_white_balance: arguments.NoWhiteBalance = False,
    no_clahe: arguments.NoClahe = False,
    bit_shift: Annotated[
        list[int] | None, typer.Option(metavar="N", help=f"As in `run`. {_AGAIN}")
    ] = None,
    num_bins: Annotated[
        list[str] | None, typer.Option(metavar="N|all", help=f"As in `run`. {_AGAIN}")
    ] = None,
    bits: Annotated[
        list[int] | None, typer.Option(metavar="N", help=f"As in `run`. {_AGAIN}")
    ] = None,
    params: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE.json", help=f"Options given here win. {_AGAIN}"),
    ] = None,
    voi: Annotated[
        list[_choices.VoiChoice] | None,
        typer.Option(help=f"Of DICOM files, as in `run`. {_AGAIN}"),
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(metavar="CENTER WIDTH", help=f"Of DICOM files, as in `run`. {_AGAIN}"),
    ] = None,
    frame: Annotated[
        int | None, typer.Option(metavar="N", help="Frame of multi-frame DICOM files.")
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(metavar="N", help="Largest number of pixels that an image may have."),
    ] = None,
    long_side: Annotated[
        list[int] | None, typer.Option(metavar="N", help=f"As in `run`. {_AGAIN}")
    ] = None,
    size: Annotated[
        list[str] | None, typer.Option(metavar="W H", help=f"As in `run`. {_AGAIN}")
    ] = None,
    fit: Annotated[
        list[_choices.FitChoice] | None, typer.Option(help=f"As in `run`. {_AGAIN}")
    ] = None,
    spacing: Annotated[
        list[float] | None, typer.Option(metavar="MM", help=f"As in `run`. {_AGAIN}")
    ] = None,
    crop_border: arguments.CropBorder = False,
    invert: arguments.Invert = _choices.InvertChoice.NOTE,
    resize_first: arguments.ResizeFirst = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the picture if it exists.")
    ] = False,
) -> None:
    """Draw radiographs before and after enhancement.

    Enhancement is chosen as for `run`. One image with one choice is drawn with its histograms.
    Several images, or an option given several times, make a contact sheet: each image with each
    combination, its options written under it.
    """
    from cxr_enhance.cli import _compare

    choices = _compare.Choices(
        preset=[choice.value for choice in preset or []],
        clip_limit=clip_limit or [],
        tile_grid_size=tile_grid_size or [],
        percentiles=percentiles or [],
        bit_shift=bit_shift or [],
        num_bins=num_bins or [],
        bits=bits or [],
        params_file=params or [],
        voi=[choice.value for choice in voi or []],
        window=window or [],
        long_side=long_side or [],
        size=size or [],
        fit=[choice.value for choice in fit or []],
        spacing=spacing or [],
        crop_border=crop_border,
        invert=invert.value,
        no_white_balance=no_white_balance,
        no_clahe=no_clahe,
        resize_first=resize_first,
        frame=frame,
        max_pixels=max_pixels,
    )
    raise typer.Exit(_compare.compare(images, out, choices, overwrite=overwrite))
