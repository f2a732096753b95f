"""`cxr-enhance run`: prepare, carry out, report."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance.archive import run as archive
from cxr_enhance.archive.run import EngineName
from cxr_enhance.archive.sources import read_list
from cxr_enhance.cli import console
from cxr_enhance.cli._folders import check_way
from cxr_enhance.cli._options import shard_of
from cxr_enhance.cli._report import Tally, as_dict, complaint, dry_run_lines, summary, warning
from cxr_enhance.cli._run_one import names_one_image, run_one
from cxr_enhance.io.dicom.plugins import load_pydicom

if TYPE_CHECKING:
    from cxr_enhance.archive.outcome import Outcome
    from cxr_enhance.cli._options import EnhanceOptions, JobOptions

_OUT_RULE = "`--out` must be a folder or a name where one can be made"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What was typed about the run itself."""

    inputs: Sequence[str]
    list_file: str | None
    column: str | None
    out: str
    threads: int | None
    engine: EngineName
    scheduler: str | None
    shard: str | None
    manifest: str | None
    overwrite: bool
    retry_failed: bool
    flat_names: bool
    dry_run: bool
    quiet: bool
    as_json: bool

    def check(self) -> None:
        """Refuse options that contradict each other, wherever the outputs go.

        Raises
        ------
        ValueError
            In the words of the option.
        """
        if not self.inputs and self.list_file is None:
            raise ValueError("`INPUT` or `--from` must be given.")
        if self.column is not None and self.list_file is None:
            raise ValueError(
                f"`--column` is only allowed with --from; got {self.column!r}, and no list."
            )
        if self.scheduler is not None and self.engine != "dask":
            raise ValueError(
                f"`--scheduler` is only allowed with --engine dask; got --engine {self.engine}."
            )
        if self.scheduler is not None and self.threads is not None:
            raise ValueError(
                "`--threads` must not be given with --scheduler, whose workers have their own."
            )
        if self.threads is not None and self.threads < 1:
            raise ValueError(
                f"`--threads` must be at least 1; got {self.threads}. "
                "Leave it out to use every usable CPU."
            )

    def to_settings(self, enhance: EnhanceOptions, job: JobOptions) -> archive.Settings:
        """Return the run's settings, checked.

        Raises
        ------
        TypeError, ValueError
            If an option is out of range, or two contradict each other.
        OSError
            If a file of options or the list cannot be read.
        """
        self.check()
        settings = archive.Settings(
            inputs=self.inputs,
            listed=() if self.list_file is None else read_list(self.list_file, self.column),
            out=self.out,
            job=job.to_job(enhance),
            num_workers=usable_cpus() if self.threads is None else self.threads,
            engine=self.engine,
            scheduler=self.scheduler,
            overwrite=self.overwrite,
            retry_failed=self.retry_failed,
            manifest=self.manifest,
            shard=shard_of(self.shard),
            flat_names=self.flat_names,
        )
        _check_folders(settings)
        return archive.absolute(settings) if self.engine == "dask" else settings


def run(options: RunOptions, enhance: EnhanceOptions, job: JobOptions) -> int:
    """Enhance into a folder, or one file into one, and return the exit status."""
    if names_one_image(options):
        return run_one(options, enhance, job)
    started = time.perf_counter()
    with console.errors_exit_with(console.WRONG_USAGE):
        settings = options.to_settings(enhance, job)
    with console.errors_exit_with(console.FAILED):
        prepared = archive.prepare(settings)
    with console.errors_exit_with(console.WRONG_USAGE):
        prepared.check_manifest()
    telling = warning(prepared)
    if telling is not None:
        console.complain(telling)
    if options.dry_run:
        for line in dry_run_lines(prepared, as_json=options.as_json, quiet=options.quiet):
            console.say(line)
        return 0
    if not prepared.finds_nothing:
        with console.errors_exit_with(console.WRONG_USAGE):
            _make_folder(settings.out)
    with console.errors_exit_with(console.FAILED):
        console.load_quiet_opencv()
        if settings.job.output_format == "dicom":
            load_pydicom()  # without it every file would fail
        engine = archive.make_engine(settings)
        if settings.engine == "dask" and settings.scheduler is None:
            console.keep_dask_quiet()
    tally = Tally(prepared, keep=options.as_json)
    status = 0
    with console.termination_interrupts(), console.errors_exit_with(console.FAILED):
        try:
            _carry_out(prepared, engine, tally, options.quiet)
        except console.TerminatedError:
            status = console.TERMINATED
        except KeyboardInterrupt:
            status = console.INTERRUPTED
    seconds = time.perf_counter() - started
    if options.as_json:
        console.say(json.dumps(as_dict(prepared, tally, seconds, status)))
    elif not options.quiet:
        console.say(summary(prepared, tally, seconds, status))
    stale = complaint(prepared)
    if stale is not None:
        console.complain(stale)
    # Unloading what is loaded can take a second, and a step under way longer; outputs appear whole
    # or not at all, and the manifest is closed.
    if status or engine.is_busy:
        console.leave_at_once(status or console.FAILED)
    return console.FAILED if tally.counts["failed"] or stale is not None else 0


def _check_folders(settings: archive.Settings) -> None:
    inputs, out = settings.inputs, settings.out
    if not out or not all(inputs):
        raise ValueError("`INPUT` and `--out` must name files and folders; got ''.")
    check_way(out, "--out")
    for path in inputs:
        if os.path.isdir(path) and os.path.isdir(out) and os.path.samefile(path, out):
            raise ValueError(f"`--out` must not be an input folder; got {out!r}.")
    if os.path.lexists(out) and not os.path.isdir(out):
        raise ValueError(f"{_OUT_RULE}; got {out!r}: it is no folder.")
    manifest = settings.manifest
    if manifest is not None and (
        os.path.isdir(manifest) or not os.path.isdir(os.path.dirname(manifest) or ".")
    ):
        raise ValueError(
            f"`--manifest` must name a file in a folder that exists; got {manifest!r}."
        )


def _make_folder(out: str) -> None:
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{_OUT_RULE}; got {out!r}: {error.strerror}.") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise ValueError(f"`--out` must be a folder that you may write to; got {out!r}.")


def _carry_out(
    prepared: archive.Prepared, engine: archive.Engine, tally: Tally, quiet: bool
) -> None:
    """Do the work, count, and name each failure at once."""
    hidden = quiet or not console.is_terminal()
    work = archive.carry_out(prepared, engine, tally.add)
    with (
        warnings.catch_warnings(),
        contextlib.closing(work),
        tqdm(
            total=len(prepared.todo.todo), unit="image", disable=hidden, dynamic_ncols=True
        ) as progress,
    ):
        # Odd headers are reported in the manifest's notes; pydicom's own words add nothing.
        warnings.filterwarnings("ignore", module=r"pydicom\b")
        for outcome in work:
            if outcome.status == "failed":
                with tqdm.external_write_mode(sys.stderr):
                    _complain_of(outcome)
            if outcome.target:
                progress.update()


def _complain_of(outcome: Outcome) -> None:
    name, reason = console.printable(outcome.source), console.printable(outcome.reason)
    console.complain(f"failed: {name}: {reason}")
    if outcome.ends_run:
        console.complain("Error: no further image can be read or written; the run ends here.")
