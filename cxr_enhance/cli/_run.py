"""`cxr-enhance run`: plan, enhance, report."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_enhance._cpu import usable_cpus
from cxr_enhance._validation import check_num_threads
from cxr_enhance._version import __version__
from cxr_enhance.archive.local import Outcome, enhance_files
from cxr_enhance.archive.plan import plan_files
from cxr_enhance.cli import _console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance._params import EnhanceParams
    from cxr_enhance.archive.plan import Plan
    from cxr_enhance.cli._options import EnhanceOptions

_EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "npy": ".npy"}


def run(
    inputs: Sequence[str],
    out: str,
    options: EnhanceOptions,
    *,
    output_format: str,
    threads: int | None,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Enhance `inputs` into the folder `out` and return the exit status."""
    started = time.perf_counter()
    with _console.errors_exit_with(_console.WRONG_USAGE):
        params = options.to_params()
        num_threads = usable_cpus() if threads is None else check_num_threads(threads)
        _check_folders(inputs, out)
    with _console.errors_exit_with(_console.FAILED):
        _console.load_quiet_opencv()
    plan = plan_files(inputs, out, _EXTENSIONS[output_format])
    outcomes: list[Outcome] = []
    status = 0
    with _console.termination_interrupts():
        try:
            _enhance_all(plan, params, num_threads, overwrite, quiet, outcomes)
        except _console.TerminatedError:
            status = _console.TERMINATED
        except KeyboardInterrupt:
            status = _console.INTERRUPTED
    counts: Counter[str] = Counter(outcome.status for outcome in outcomes)
    seconds = time.perf_counter() - started
    if as_json:
        _console.say(json.dumps(_report(plan, params, out, outcomes, counts, seconds, status)))
    elif not quiet:
        _console.say(_summary(plan, out, counts, seconds, status))
    return status or (_console.FAILED if counts["failed"] else 0)


def _check_folders(inputs: Sequence[str], out: str) -> None:
    if not out or not all(inputs):
        raise ValueError("`INPUT` and `--out` must name files and folders; got ''.")
    for path in inputs:
        if os.path.isdir(path) and os.path.isdir(out) and os.path.samefile(path, out):
            raise ValueError(f"`--out` must not be an input folder; got {out!r}.")
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"`--out` must be a folder or a name where one can be made; got {out!r}: "
            f"{'it is a file' if isinstance(error, FileExistsError) else error.strerror}."
        ) from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise ValueError(f"`--out` must be a folder that you may write to; got {out!r}.")


def _enhance_all(
    plan: Plan,
    params: EnhanceParams,
    num_threads: int,
    overwrite: bool,
    quiet: bool,
    outcomes: list[Outcome],
) -> None:
    """Carry out `plan`, filling `outcomes` as they come, and name each failure at once."""
    for path in plan.skipped:
        outcomes.append(Outcome(path, "", "skipped", "neither a file nor a folder"))
    for problem in plan.problems:
        outcomes.append(Outcome(problem.path, "", "failed", problem.reason))
        _complain_of(outcomes[-1])
    work = enhance_files(plan.files, params, num_threads=num_threads, overwrite=overwrite)
    hidden = quiet or not _console.is_terminal()
    with (
        contextlib.closing(work),
        tqdm(total=len(plan.files), unit="image", disable=hidden, dynamic_ncols=True) as progress,
    ):
        for outcome in work:
            outcomes.append(outcome)
            if outcome.status == "failed":
                with tqdm.external_write_mode(sys.stderr):
                    _complain_of(outcome)
            progress.update()


def _complain_of(outcome: Outcome) -> None:
    name, reason = _console.printable(outcome.source), _console.printable(outcome.reason)
    _console.complain(f"failed: {name}: {reason}")


def _summary(plan: Plan, out: str, counts: Counter[str], seconds: float, status: int) -> str:
    parts = [f"{counts['written']} enhanced"]
    if counts["skipped"]:
        parts.append(f"{counts['skipped']} skipped (no images)")
    if counts["exists"]:
        parts.append(f"{counts['exists']} skipped (output exists; --overwrite replaces it)")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    if status:
        done = sum(counts.values()) - len(plan.skipped) - len(plan.problems)
        parts.append(f"interrupted with {len(plan.files) - done} not done")
    text = f"{', '.join(parts)} in {seconds:.1f} s; output in {_console.printable(out)}"
    if plan.linked_folders:
        names = ", ".join(_console.printable(path) for path in plan.linked_folders[:3])
        more = ", ..." if len(plan.linked_folders) > 3 else ""
        text += (
            f"\n{len(plan.linked_folders)} links to folders were not followed "
            f"({names}{more}); name them as INPUT to read them"
        )
    return text


def _report(
    plan: Plan,
    params: EnhanceParams,
    out: str,
    outcomes: Sequence[Outcome],
    counts: Counter[str],
    seconds: float,
    status: int,
) -> dict[str, object]:
    return {
        "version": __version__,
        "params": params.to_dict(),
        "out": out,
        "written": counts["written"],
        "skipped": counts["skipped"],
        "exists": counts["exists"],
        "failed": counts["failed"],
        "interrupted": bool(status),
        "seconds": round(seconds, 3),
        "linked_folders_not_followed": plan.linked_folders,
        "files": [outcome._asdict() for outcome in sorted(outcomes)],
    }
