"""`cxr-enhance run IMAGE --out IMAGE`: enhance one file to one file, without a manifest."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from cxr_enhance._version import __version__
from cxr_enhance.archive.engines.local import LocalEngine
from cxr_enhance.archive.job import format_of_ending, is_image_ending
from cxr_enhance.archive.planned_files import PlannedFile
from cxr_enhance.cli import console
from cxr_enhance.io.dicom.plugins import load_pydicom
from cxr_enhance.io.folders import check_parent_references

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.outcome import Outcome


def names_one_image(out: str) -> bool:
    """Return whether `--out` is the name of an image, and not of a folder."""
    is_folder = os.path.isdir(out) or out.endswith((os.sep, "/"))
    return is_image_ending(os.path.splitext(out)[1]) and not is_folder


def check(
    inputs: Sequence[str],
    list_file: str | None,
    out: str,
    *,
    overwrite: bool,
    folder_options: dict[str, object],
) -> None:
    """Check that the options and inputs are allowed for one output file.

    `folder_options` maps names of options that need an output folder to their values.

    Raises
    ------
    ValueError
        If an option or input is not allowed; the message names the option.
    """
    if list_file is not None or len(inputs) != 1 or os.path.isdir(inputs[0]):
        raise ValueError(
            f"`--out` must be a folder unless INPUT is one file; got {out!r}, the name of an "
            "image. Make a folder of that name first if you mean one."
        )
    for name, value in folder_options.items():
        if value:
            raise ValueError(
                f"`{name}` is only allowed with a folder as --out; got {out!r}, one image."
            )
    if not inputs[0]:
        raise ValueError("`INPUT` and `--out` must name files and folders; got ''.")
    check_parent_references(out, "--out")
    both_exist = os.path.exists(out) and os.path.exists(inputs[0])
    if both_exist and os.path.samefile(inputs[0], out):
        raise ValueError(f"`--out` must not be the image itself; got {out!r}.")
    if os.path.lexists(out) and not overwrite:
        raise ValueError(f"`--out` must not exist; got {out!r}. Replace it with --overwrite.")


def format_of(out: str, output_format: str | None) -> str:
    """Return the format of the output file, found from the suffix of its name.

    Raises
    ------
    ValueError
        If no format has this suffix, or `output_format` is another format.
    """
    format_of_out = format_of_ending(os.path.splitext(out)[1])
    if output_format not in (None, format_of_out):
        raise ValueError(
            f"`--format` must agree with the ending of --out; got --format {output_format} and "
            f"{out!r}. Leave --format out."
        )
    return format_of_out


def run_one(
    source: str, out: str, job: Job, *, overwrite: bool, dry_run: bool, quiet: bool, as_json: bool
) -> int:
    """Enhance one file into one file and return the exit status.

    If a step still runs after an interruption, the function ends the process instead.
    """
    started = time.perf_counter()
    if dry_run:
        if as_json:
            files = [{"source": source, "target": out}]
            console.say(json.dumps({"todo": files, "settled": 0, "problems": []}))
        elif not quiet:
            console.say(f"{console.printable(source)} -> {console.printable(out)}")
        return 0
    with console.errors_exit_with(console.FAILED):
        console.load_quiet_opencv()
        if job.output_format == "dicom":
            load_pydicom()
    engine = LocalEngine(1)
    outcomes: list[Outcome] = []

    def record(outcome: Outcome) -> bool:
        outcomes.append(outcome)
        return False

    status = 0
    with console.termination_interrupts():
        try:
            engine.run([PlannedFile(source, out, True, overwrite)], job, None, record)
        except console.TerminatedError:
            status = console.TERMINATED
        except KeyboardInterrupt:
            status = console.INTERRUPTED
    if outcomes:
        seconds = time.perf_counter() - started
        status = _report(outcomes[0], job, seconds, quiet=quiet, as_json=as_json)
    if engine.is_busy:
        console.leave_at_once(status)
    return status


def _report(outcome: Outcome, job: Job, seconds: float, *, quiet: bool, as_json: bool) -> int:
    """Print the outcome of the file and return the exit status.

    Every outcome without a new output is a failure.
    """
    reason = outcome.reason
    if outcome.status == "exists":
        reason = f"{outcome.target!r} came to be meanwhile. Replace it with --overwrite."
    failed = outcome.status != "written"
    if failed:
        name = console.printable(outcome.source)
        console.complain(f"failed: {name}: {console.printable(reason)}")
    if as_json:
        console.say(json.dumps({
            "version": __version__,
            "params": None if job.params is None else job.params.to_dict(),
            "options": job.to_dict(),
            "out": outcome.target,
            "written": int(not failed),
            "failed": int(failed),
            "seconds": round(seconds, 3),
            "notes": outcome.notes,
            "decoder": outcome.decoder,
            "transform": None if outcome.transform is None else outcome.transform.to_dict(),
            "hints": {hint.kind: 1 for hint in outcome.hints},
            "files": [{
                "source": outcome.source,
                "target": outcome.target,
                "status": "failed" if failed else "written",
                "reason": reason,
            }],
        }))  # fmt: skip
    elif not failed and not quiet:
        console.say(f"1 enhanced in {seconds:.1f} s; output in {console.printable(outcome.target)}")
        if outcome.notes:
            console.say(f"DICOM header amiss: {console.printable(outcome.notes)}")
        for hint in outcome.hints:
            console.say(f"note: {console.printable(hint.sentence)}")
    return console.FAILED if failed else 0
