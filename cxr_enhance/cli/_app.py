"""The commands and their options; each hands over to the module that does the work."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cxr_enhance._cpu import usable_cpus
from cxr_enhance._params import EnhanceParams
from cxr_enhance._version import __version__

app = typer.Typer(
    name="cxr-enhance",
    help="Enhance chest radiographs: white balance, gray, CLAHE, with OpenCV's exact bytes.",
    epilog="Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class OutputFormat(StrEnum):
    """Formats that `run` writes."""

    PNG = "png"
    JPEG = "jpeg"
    NPY = "npy"


def _default(name: str) -> str:
    """Default of a params field as one types it: the record is the only place that states it."""
    fields = {field.name: field.default for field in dataclasses.fields(EnhanceParams)}
    value = fields[name]
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxr-enhance {__version__}")
        raise typer.Exit


@app.callback()
def _options_of_the_program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Enhance chest radiographs: white balance, gray, CLAHE, with OpenCV's exact bytes."""


@app.command()
def run(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Image files, or folders that are read with all they hold.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Folder for the enhanced images; made if need be.")
    ],
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
    params: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Options as EnhanceParams.to_json() writes them; options given here win.",
        ),
    ] = None,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="jpeg holds 8 bits only.")
    ] = OutputFormat.PNG,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N", help=f"Images at a time. [default: usable CPUs, here {usable_cpus()}]"
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace existing outputs; without it they are left as they are."
        ),
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
    Inputs are never written over. Exit status 1 if any image failed.
    """
    from cxr_enhance.cli import _run
    from cxr_enhance.cli._options import EnhanceOptions

    options = EnhanceOptions(
        params_file=params,
        clip_limit=clip_limit,
        tile_grid_size=tile_grid_size,
        percentiles=percentiles,
        bit_shift=bit_shift,
        no_white_balance=no_white_balance,
        no_clahe=no_clahe,
    )
    raise typer.Exit(
        _run.run(
            inputs,
            out,
            options,
            output_format=output_format.value,
            threads=threads,
            overwrite=overwrite,
            quiet=quiet,
            as_json=as_json,
        )
    )


@app.command(short_help="Enhance a synthetic radiograph; draw before and after.")
def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder for the three files; made if need be.")
    ] = Path("cxr-enhance-demo"),
) -> None:
    """Enhance a synthetic radiograph and draw before and after, with histograms."""
    from cxr_enhance.cli import _demo

    raise typer.Exit(_demo.demo(folder))


@app.command(short_help="Draw a radiograph before and after.")
def compare(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A radiograph.")],
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="The picture to write.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the picture if it exists.")
    ] = False,
) -> None:
    """Draw a radiograph before and after enhancement, with histograms."""
    from cxr_enhance.cli import _demo

    raise typer.Exit(_demo.compare(image, out, overwrite=overwrite))


@app.command(short_help="Check this installation.")
def doctor() -> None:
    """Report versions, CPU, cache and OpenCV, and check results against stored ones."""
    from cxr_enhance.cli import _doctor

    raise typer.Exit(_doctor.doctor())
