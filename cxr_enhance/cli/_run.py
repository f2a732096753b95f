"""`cxr-enhance run` into a folder: prepare the run, carry it out, and report."""

from __future__ import annotations

import json
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_enhance.archive.run import carry_out, make_engine, prepare
from cxr_enhance.archive.samples.containers import load_library
from cxr_enhance.cli import console
from cxr_enhance.cli._folders import make_folder
from cxr_enhance.cli._report import (
    Tally,
    as_dict,
    complaint_of_outdated,
    dry_run_lines,
    summary,
    warning_of_names,
)
from cxr_enhance.io.dicom.plugins import load_pydicom

if TYPE_CHECKING:
    from cxr_enhance.archive.outcome import Outcome
    from cxr_enhance.archive.run import Engine, PreparedRun
    from cxr_enhance.archive.settings import Settings


def run(settings: Settings, *, dry_run: bool, quiet: bool, as_json: bool) -> int:
    """Enhance files into a folder and return the exit status.

    After an interruption, or if a step still runs, the function ends the process instead.
    """
    started = time.perf_counter()
    with console.errors_exit_with(console.FAILED):
        prepared = prepare(settings)
    with console.errors_exit_with(console.WRONG_USAGE):
        prepared.check()
    warning = warning_of_names(prepared)
    if warning is not None:
        console.complain(warning)
    if dry_run:
        for line in dry_run_lines(prepared, as_json=as_json, quiet=quiet):
            console.say(line)
        return 0
    if not prepared.is_empty:
        with console.errors_exit_with(console.WRONG_USAGE):
            make_folder(settings.out)
    with console.errors_exit_with(console.FAILED):
        console.load_quiet_opencv()
        if settings.job.output_format == "dicom":
            load_pydicom()  # without pydicom every file would fail
        if settings.samples is not None and prepared.work.pending:
            with console.standard_error_kept_back():
                load_library(settings.samples.container)
        engine = make_engine(settings)
        if settings.engine == "dask" and settings.scheduler is None:
            console.keep_dask_quiet()
    tally = Tally(prepared, keep=as_json)
    status = 0
    with console.termination_interrupts(), console.errors_exit_with(console.FAILED):
        try:
            _carry_out(prepared, engine, tally, quiet=quiet)
        except console.TerminatedError:
            status = console.TERMINATED
        except KeyboardInterrupt:
            status = console.INTERRUPTED
    seconds = time.perf_counter() - started
    if as_json:
        console.say(json.dumps(as_dict(prepared, tally, seconds, status)))
    elif not quiet:
        console.say(summary(prepared, tally, seconds, status))
    stale = complaint_of_outdated(prepared)
    if stale is not None:
        console.complain(stale)
    # Unloading libraries can take a second, and a running step can take longer. Outputs are written
    # atomically and the manifest is closed, so the process can end at once.
    if status or engine.is_busy:
        console.leave_at_once(status or console.FAILED)
    return console.FAILED if tally.counts["failed"] or stale is not None else 0


def _carry_out(prepared: PreparedRun, engine: Engine, tally: Tally, *, quiet: bool) -> None:
    """Carry out the run; count each outcome, print each failure, and update the progress bar.

    Failures after an early end of the run are counted, but not printed.
    """
    hidden = quiet or not console.is_terminal()
    total = len(prepared.work.pending)
    with (
        warnings.catch_warnings(),
        tqdm(total=total, unit="image", disable=hidden, dynamic_ncols=True) as progress,
    ):
        # The notes in the manifest report faults of headers; pydicom's warnings would repeat them.
        warnings.filterwarnings("ignore", module=r"pydicom\b")

        lock = threading.Lock()

        def report(outcome: Outcome) -> None:
            with lock:
                had_ended = tally.ended_early  # the reason of an early end was printed before
                tally.add(outcome)
                if outcome.status == "failed" and not had_ended:
                    with tqdm.external_write_mode(sys.stderr):
                        _complain_of(outcome)
                if outcome.target:
                    progress.update()

        carry_out(prepared, engine, report)


def _complain_of(outcome: Outcome) -> None:
    name, reason = console.printable(outcome.source), console.printable(outcome.reason)
    console.complain(f"failed: {name}: {reason}")
    if outcome.ends_run:
        console.complain("Error: no further image can be read or written; the run ends here.")
