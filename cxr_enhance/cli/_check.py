"""`cxr-enhance check`: inspect images before they are used."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO

from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance.archive.check import Checked, check_files, csv_line, row_of
from cxr_enhance.archive.findings import KINDS
from cxr_enhance.archive.plan import plan_files
from cxr_enhance.cli import console
from cxr_enhance.cli._run_options import check_threads
from cxr_enhance.io.atomic import write_atomically
from cxr_enhance.io.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

ANY, NONE = "any", "none"


def check(
    inputs: Sequence[str],
    out: str,
    *,
    fail_on: Sequence[str],
    max_pixels: int | None,
    threads: int | None,
    overwrite: bool,
) -> int:
    """Write the CSV `out`, print how often each finding occurs, and return the exit status."""
    with console.errors_exit_with(console.WRONG_USAGE):
        _check_options(inputs, out, fail_on, threads, overwrite=overwrite)
        options = ReadOptions() if max_pixels is None else ReadOptions(max_pixels=max_pixels)
    with console.errors_exit_with(console.FAILED):
        plan = plan_files(inputs, out, ".csv")
    counts: Counter[str] = Counter()
    number = 0

    def write(file: BinaryIO) -> None:
        nonlocal number
        file.write(csv_line(Checked._fields))
        with (
            warnings.catch_warnings(),
            contextlib.closing(check_files(plan, threads or usable_cpus(), options)) as rows,
        ):
            warnings.filterwarnings("ignore", module=r"pydicom\b")
            for row in rows:
                file.write(row_of(row))
                counts.update(row.findings)
                number += 1

    status = 0
    with console.errors_exit_with(console.FAILED), console.termination_interrupts():
        console.load_quiet_opencv()
        try:
            write_atomically(out, write, overwrite=overwrite)
        except console.TerminatedError:
            status = console.TERMINATED
        except KeyboardInterrupt:
            status = console.INTERRUPTED
    if status:
        return status
    console.say(f"{number:>10} looked at; rows in {console.printable(out)}")
    for kind in KINDS:
        if counts[kind]:
            console.say(f"{counts[kind]:>10} {kind}")
    for path in plan.linked_folders:
        console.complain(f"skipped: {console.printable(path)}: link to a folder, not followed")
    failing = KINDS if ANY in fail_on else [kind for kind in fail_on if kind != NONE]
    return console.FAILED if any(counts[kind] for kind in failing) else 0


def _check_options(
    inputs: Sequence[str], out: str, fail_on: Sequence[str], threads: int | None, *, overwrite: bool
) -> None:
    check_threads(threads)
    if NONE in fail_on and len(fail_on) > 1:
        raise ValueError(f"`--fail-on {NONE}` is only allowed alone; got {', '.join(fail_on)}.")
    if not out or not all(inputs):
        raise ValueError("`INPUT` and `--out` must name files and folders; got ''.")
    if not out.lower().endswith(".csv"):
        raise ValueError(f"`--out` must end in .csv; got {out!r}.")
    if os.path.isdir(out) or not os.path.isdir(os.path.dirname(out) or "."):
        raise ValueError(f"`--out` must name a file in a folder that exists; got {out!r}.")
    if os.path.lexists(out) and not overwrite:
        raise ValueError(f"`--out` must not exist; got {out!r}. Replace it with --overwrite.")
