"""The commands and their options; each command calls the module with its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxr_enhance.cli import _choices  # typer reads annotations
from cxr_enhance.cli import _run_arguments as arguments  # typer reads annotations
from cxr_enhance.cli._compare_command import compare
from cxr_enhance.cli._pairs import CommandWithPairs
from cxr_enhance.cli._run_command import run
from cxr_enhance.cli.program import new_program

app = new_program(
    "cxr-enhance",
    "Enhance chest radiographs: white balance, gray, CLAHE, with OpenCV's exact bytes "
    "(at 16 bits with --num-bins all).",
)


app.command()(run)


@app.command(short_help="Inspect images before they are used.")
def check(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Image files, or folders, which are searched with all subfolders.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str, typer.Option(metavar="FILE.csv", help="The report, with one row for each file.")
    ],
    fail_on: Annotated[
        list[_choices.FailOnChoice] | None,
        typer.Option(help="Finding that gives status 1; may be repeated. [default: unreadable]"),
    ] = None,
    max_pixels: arguments.MaxPixels = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="Images processed at the same time. [default: usable CPUs]"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the CSV if it exists.")
    ] = False,
) -> None:
    """Look for reasons against using images as frontal chest radiographs.

    Finds files that cannot be read or were cut short, blank, saturated and inverted images, few
    gray levels, writing near the border, lateral views and other modalities by the DICOM header,
    and equal pixels. Changes no image.
    """
    from cxr_enhance.cli import _check

    kinds = [kind.value for kind in fail_on or [_choices.FailOnChoice.UNREADABLE]]
    status = _check.check(
        inputs, out, fail_on=kinds, max_pixels=max_pixels, threads=threads, overwrite=overwrite
    )
    raise typer.Exit(status)


@app.command(short_help="Sum up the manifest of runs.")
def summary(
    manifest: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="A manifest; those of its shards are added.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Sum up a manifest: files by status, failures by reason, options, versions, seconds."""
    from cxr_enhance.cli import _summary

    raise typer.Exit(_summary.summary(manifest, as_json=as_json))


@app.command(short_help="Enhance a synthetic radiograph; draw before and after.")
def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder for the three files; made if need be.")
    ] = Path("cxr-enhance-demo"),
) -> None:
    """Enhance a synthetic radiograph and draw before and after, with histograms."""
    from cxr_enhance.cli import _demo

    raise typer.Exit(_demo.demo(folder))


app.command(cls=CommandWithPairs, short_help="Draw radiographs before and after.")(compare)


@app.command(short_help="Choose parameters by eye, in a browser.")
def tune(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE|FOLDER]...",
            help="Images to show; you can also open or drop images in the page.",
            show_default=False,
        ),
    ] = None,
    params: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="File of options to begin with.")
    ] = None,
    voi: Annotated[
        _choices.VoiChoice | None,
        typer.Option(help="VOI transform of DICOM files to begin with."),
    ] = None,
    window: arguments.Window = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the page's address, and open no browser.")
    ] = False,
) -> None:
    """Open a page that shows images before and after enhancement, with controls that change it.

    The page is served on 127.0.0.1 to whoever has its address; nothing is loaded from or sent to
    the network. Needs the extra tune.
    """
    from cxr_enhance.cli import _tune

    chosen = _choices.word_of(voi)
    raise typer.Exit(_tune.tune(paths or [], params, chosen, window, open_browser=not no_browser))


@app.command(short_help="Check this installation.")
def doctor() -> None:
    """Report versions, CPU, cache and OpenCV, and check results against stored ones."""
    from cxr_enhance.cli import _doctor

    raise typer.Exit(_doctor.doctor())
