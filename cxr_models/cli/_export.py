"""`cxr-models export`: write the model of a run in a format for other programs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cxr_models._outputs import check_output
from cxr_models.cli import _console
from cxr_models.cli._framework import load_framework
from cxr_models.inference.calibrated_run import read_served_run
from cxr_models.inference.export_metadata import EXPORTS, check_onnx
from cxr_models.inference.intake import Intake, check_name, settle_intake, steps_before

if TYPE_CHECKING:
    from pathlib import Path


def export_run(
    run: Path,
    kind: str,
    out: Path,
    *,
    channels: int,
    bit_depth: int,
    input_size: tuple[int, int] | None,
    white_balanced: bool,
    border_cropped: bool,
    overwrite: bool,
) -> int:
    """Export a run in the format `kind`, and print its inputs and outputs."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        if kind in EXPORTS:  # `settle_intake` refuses an unknown format and lists the formats
            check_output(out, EXPORTS[kind], overwrite=overwrite)
        served = read_served_run(run)
        intake = Intake(
            channels=channels,
            bit_depth=bit_depth,
            size=input_size,
            white_balanced=white_balanced,
            border_cropped=border_cropped,
        )
        intake = settle_intake(served.run.config.data, intake, kind)  # type: ignore[arg-type]
        check_name(out, kind)  # type: ignore[arg-type]
    with (
        _console.errors_exit_with(_console.FAILED),
        warnings.catch_warnings(action="ignore"),  # the exporters warn about their own code
    ):
        if kind == "onnx":
            check_onnx()
        load_framework()
        from cxr_models.inference.export import export

        export(
            served,
            out,
            kind,  # type: ignore[arg-type]
            intake=intake,
            overwrite=overwrite,
            say=lambda text: _console.complain(_console.printable(text)),
        )
    height, width = intake.size or ("any height", "any width")
    colour = "RGB (gray: three equal channels)" if intake.channels == 3 else "gray"
    names = ", ".join(served.class_names)
    _console.say(_console.printable(f"wrote {out}"))
    _console.say(f"in: {intake.dtype}, N x {height} x {width} x {intake.channels}, {colour}")
    for step in steps_before(served.run.config.data, intake):
        _console.say(f"in: every image was changed before by {step}")
    what = "probabilities, each by itself" if served.multilabel else "probabilities"
    _console.say(_console.printable(f"out: N x {len(served.class_names)} {what}: {names}"))
    _console.say(served.calibration.line)
    return 0
