"""`cxr-enhance run IMAGE --out IMAGE`: one file to one file, without a manifest."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from typing import TYPE_CHECKING

from cxr_enhance._version import __version__
from cxr_enhance.archive.engines.local import LocalEngine
from cxr_enhance.archive.job import format_of_ending, is_image_ending
from cxr_enhance.archive.task import Item
from cxr_enhance.cli import console
from cxr_enhance.cli._folders import check_way
from cxr_enhance.io.dicom.plugins import load_pydicom

if TYPE_CHECKING:
    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.outcome import Outcome
    from cxr_enhance.cli._options import EnhanceOptions, JobOptions
    from cxr_enhance.cli._run import RunOptions


def names_one_image(options: RunOptions) -> bool:
    """Tell whether `--out` is the name of an image and not of a folder."""
    out = options.out
    is_folder = os.path.isdir(out) or out.endswith((os.sep, "/"))
    return is_image_ending(os.path.splitext(out)[1]) and not is_folder


def run_one(options: RunOptions, enhance: EnhanceOptions, job: JobOptions) -> int:
    """Enhance one file into one file and return the exit status."""
    started = time.perf_counter()
    with console.errors_exit_with(console.WRONG_USAGE):
        _check(options)
        checked_job = _with_format_of(options.out, job).to_job(enhance)
    source, out = options.inputs[0], options.out
    if options.dry_run:
        if options.as_json:
            todo = [{"source": source, "target": out}]
            console.say(json.dumps({"todo": todo, "settled": 0, "problems": []}))
        elif not options.quiet:
            console.say(f"{console.printable(source)} -> {console.printable(out)}")
        return 0
    with console.errors_exit_with(console.FAILED):
        console.load_quiet_opencv()
        if checked_job.output_format == "dicom":
            load_pydicom()
    item = Item(source, out, named=True, replace=options.overwrite)
    engine = LocalEngine(1)
    outcome, status = None, 0
    with console.termination_interrupts():
        try:
            (outcome,) = engine.run([item], checked_job, None, lambda done: done)
        except console.TerminatedError:
            status = console.TERMINATED
        except KeyboardInterrupt:
            status = console.INTERRUPTED
    if outcome is not None:
        status = _report(outcome, checked_job, options, time.perf_counter() - started)
    if engine.is_busy:
        console.leave_at_once(status)
    return status


def _check(options: RunOptions) -> None:
    """Refuse what contradicts one output file."""
    options.check()
    out = options.out
    if (
        options.list_file is not None
        or len(options.inputs) != 1
        or os.path.isdir(options.inputs[0])
    ):
        raise ValueError(
            f"`--out` must be a folder unless INPUT is one file; got {out!r}, the name of an "
            "image. Make a folder of that name first if you mean one."
        )
    typed = {
        "--manifest": options.manifest,
        "--shard": options.shard,
        "--retry-failed": options.retry_failed,
        "--flat-names": options.flat_names,
        "--engine dask": options.engine != "local",
    }
    for name, value in typed.items():
        if value:
            raise ValueError(
                f"`{name}` is only allowed with a folder as --out; got {out!r}, one image."
            )
    if not options.inputs[0]:
        raise ValueError("`INPUT` and `--out` must name files and folders; got ''.")
    check_way(out, "--out")
    both_exist = os.path.exists(out) and os.path.exists(options.inputs[0])
    if both_exist and os.path.samefile(options.inputs[0], out):
        raise ValueError(f"`--out` must not be the image itself; got {out!r}.")
    if os.path.lexists(out) and not options.overwrite:
        raise ValueError(f"`--out` must not exist; got {out!r}. Replace it with --overwrite.")


def _with_format_of(out: str, job: JobOptions) -> JobOptions:
    output_format = format_of_ending(os.path.splitext(out)[1])
    if job.output_format not in (None, output_format):
        raise ValueError(
            f"`--format` must agree with the ending of --out; got --format {job.output_format} and "
            f"{out!r}. Leave --format out."
        )
    return dataclasses.replace(job, output_format=output_format)


def _report(outcome: Outcome, job: Job, options: RunOptions, seconds: float) -> int:
    """Say what became of the file; anything but a new output is a failure."""
    reason = outcome.reason
    if outcome.status == "exists":
        reason = f"{options.out!r} came to be meanwhile. Replace it with --overwrite."
    failed = outcome.status != "written"
    if failed:
        name = console.printable(outcome.source)
        console.complain(f"failed: {name}: {console.printable(reason)}")
    if options.as_json:
        console.say(json.dumps({
            "version": __version__,
            "params": None if job.params is None else job.params.to_dict(),
            "options": job.to_dict(),
            "out": options.out,
            "written": int(not failed),
            "failed": int(failed),
            "seconds": round(seconds, 3),
            "notes": outcome.notes,
            "decoder": outcome.decoder,
            "hints": {hint.kind: 1 for hint in outcome.hints},
            "files": [{
                "source": outcome.source,
                "target": outcome.target,
                "status": "failed" if failed else "written",
                "reason": reason,
            }],
        }))  # fmt: skip
    elif not failed and not options.quiet:
        console.say(f"1 enhanced in {seconds:.1f} s; output in {console.printable(options.out)}")
        if outcome.notes:
            console.say(f"DICOM header amiss: {console.printable(outcome.notes)}")
        for hint in outcome.hints:
            console.say(f"note: {console.printable(hint.sentence)}")
    return console.FAILED if failed else 0
