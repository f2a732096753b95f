"""Reports of a run or a dry run, as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from cxr_enhance._version import __version__
from cxr_enhance.archive.samples.resume import PendingSamples
from cxr_enhance.archive.selection import is_not_chosen
from cxr_enhance.cli import console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_enhance.archive.outcome import Outcome
    from cxr_enhance.archive.run import PreparedRun


class Tally:
    """A counter of outcomes, which also keeps the outcomes if the report lists each file.

    Parameters
    ----------
    prepared : PreparedRun
        The run. Files that earlier runs settled are counted when the tally is made.
    keep : bool
        Whether outcomes are kept.
    """

    def __init__(self, prepared: PreparedRun, *, keep: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.outcomes: list[Outcome] = []
        self.worked_on = 0
        self.failed_before = 0
        self.notes = 0
        self.not_chosen = 0
        self.hints: Counter[str] = Counter()
        self.first_hints: dict[str, str] = {}
        self.ended_early = False
        self.unrecorded = prepared.work.unrecorded
        self._keep = keep
        for outcome in prepared.work.settled_outcomes():
            self._count(outcome)
            self.failed_before += outcome.status == "failed"

    def add(self, outcome: Outcome) -> None:
        """Count one outcome of this run; two threads must not call this method at the same time."""
        self._count(outcome)
        self.worked_on += bool(outcome.target)
        self.notes += bool(outcome.notes)
        for hint in outcome.hints:
            self.hints[hint.kind] += 1
            self.first_hints.setdefault(hint.kind, f"{outcome.source}: {hint.sentence}")
        self.ended_early |= outcome.ends_run
        self.unrecorded += outcome.status == "exists"

    def _count(self, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        self.not_chosen += outcome.status == "skipped" and is_not_chosen(outcome.reason)
        if self._keep:
            self.outcomes.append(outcome)


def summary(prepared: PreparedRun, tally: Tally, seconds: float, status: int) -> str:
    """Return a summary of a run in a few lines."""
    counts, work, settings = tally.counts, prepared.work, prepared.settings
    parts = [f"{counts['written']} enhanced"]
    if tally.not_chosen:
        parts.append(f"{tally.not_chosen} skipped (not chosen)")
    if counts["skipped"] > tally.not_chosen:
        parts.append(f"{counts['skipped'] - tally.not_chosen} skipped (no images)")
    if counts["exists"]:
        parts.append(f"{counts['exists']} skipped (output exists; --overwrite replaces it)")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    if status or tally.ended_early:
        word = "interrupted" if status else "ended early"
        parts.append(f"{word} with {len(work.pending) - tally.worked_on} not done")
    where = f"output in {console.printable(settings.out)}"
    if prepared.is_empty:
        where = "no file was found, nothing was written"
    text = f"{', '.join(parts)} in {seconds:.1f} s; {where}"
    lines = [text]
    if settings.shard is not None:
        lines.append(f"part {settings.shard.number} of {settings.shard.total}")
    if tally.failed_before:
        lines.append(
            f"{tally.failed_before} failed before and were not tried again; --retry-failed does"
        )
    if work.changed:
        lines.append(f"{work.changed} inputs had changed since and were done again")
    for options in prepared.other_options():
        lines.append(f"outputs that exist were made otherwise: {console.printable(options)}")
    if tally.unrecorded:
        lines.append(
            f"{tally.unrecorded} outputs exist that no run is known to have written for these "
            "inputs; they may be of other inputs or options, or folders were moved; --overwrite "
            "makes them again"
        )
    if work.edited:
        lines.append(f"{work.edited} outputs are not as they were written; they were left alone")
    if tally.notes:
        lines.append(f"{tally.notes} DICOM headers were amiss; see `notes` in the manifest")
    lines += hint_lines(tally)
    if settings.flat_names and not prepared.is_empty:
        lines.append(
            f"{console.printable(prepared.manifest)} tells which output is of which input; keep it "
            "from whoever must not know"
        )
    linked = prepared.plan.linked_folders
    if linked:
        names = ", ".join(console.printable(path) for path in linked[:3])
        more = ", ..." if len(linked) > 3 else ""
        lines.append(
            f"{len(linked)} links to folders were not followed "
            f"({names}{more}); name them as INPUT to read them"
        )
    return "\n".join(lines)


def hint_lines(tally: Tally) -> list[str]:
    """Return a line for each kind of hint: its first image, and the number of further images."""
    lines = []
    for kind, sentence in sorted(tally.first_hints.items()):
        others = tally.hints[kind] - 1
        more = f" The same of {others} more." if others else ""
        lines.append(f"note: {console.printable(sentence)}{more}")
    return lines


def as_dict(prepared: PreparedRun, tally: Tally, seconds: float, status: int) -> dict[str, object]:
    """Return the JSON object of a run, with an entry for every outcome that `tally` keeps."""
    settings, counts, work = prepared.settings, tally.counts, prepared.work
    params = settings.job.params
    return {
        "version": __version__,
        "params": None if params is None else params.to_dict(),
        "options": settings.job.to_dict(),
        "out": settings.out,
        "manifest": prepared.manifest,
        "shard": None if settings.shard is None else list(settings.shard),
        "written": counts["written"],
        "skipped": counts["skipped"],
        "not_chosen": tally.not_chosen,
        "exists": counts["exists"],
        "failed": counts["failed"],
        "failed_before": tally.failed_before,
        "changed": work.changed,
        "hints": dict(tally.hints),
        "other_options": prepared.other_options(),
        "edited_outputs": work.edited,
        "edited_outputs_of_changed_inputs": (
            0 if isinstance(work, PendingSamples) else work.edited_changed
        ),
        "unrecorded_outputs": tally.unrecorded,
        "telling_names": prepared.identifying_names().number,
        "unrecorded_outputs_of_changed_inputs": (
            0 if isinstance(work, PendingSamples) else work.unrecorded_changed
        ),
        "interrupted": bool(status),
        "ended_early": tally.ended_early,
        "seconds": round(seconds, 3),
        "linked_folders_not_followed": prepared.plan.linked_folders,
        "files": [_file_entry(outcome) for outcome in sorted(tally.outcomes)],
    }


def complaint_of_outdated(prepared: PreparedRun) -> str | None:
    """Return a sentence on outputs that are older than their inputs; None without such outputs.

    For files of samples, the sentence is about images that may be missing from them.
    """
    work = prepared.work
    if isinstance(work, PendingSamples):
        return _complaint_of_samples(work)
    sentences = []
    if work.unrecorded_changed:
        sentences.append(
            f"{work.unrecorded_changed} outputs are not up to date: their inputs have changed, and "
            "no run is known to have written them for these inputs. --overwrite makes them again."
        )
    if work.edited_changed:
        sentences.append(
            f"{work.edited_changed} outputs are not up to date: their inputs have changed, and the "
            "outputs are not as a run wrote them. Move these outputs away, and the next run makes "
            "them again; --overwrite replaces them, with all others."
        )
    return "\n".join(sentences) or None


def _complaint_of_samples(work: PendingSamples) -> str | None:
    count = work.images_left()
    if not count:
        return None
    return (
        f"{count} images may be missing from the samples: the files that are to hold them are not "
        "as a run wrote them. --overwrite makes them again."
    )


def warning_of_names(prepared: PreparedRun) -> str | None:
    """Return a warning about output names that may identify a patient; None without such names.

    The warning concerns outputs whose header was stripped of identity.
    """
    count, example = prepared.identifying_names()
    if not count:
        return None
    return (
        f"Warning: the names of {count} outputs are made of input names that may hold identity, "
        f"such as {console.printable(example)!r}. --flat-names makes names of hashes instead."
    )


def _file_entry(outcome: Outcome) -> dict[str, str]:
    return {
        "source": outcome.source,
        "target": outcome.target,
        "status": outcome.status,
        "reason": outcome.reason,
    }


def dry_run_lines(prepared: PreparedRun, *, as_json: bool, quiet: bool) -> Iterator[str]:
    """Yield a line for each file that a run would enhance, then lines with counts and remarks.

    With `as_json` there is a single line, a JSON object. With `quiet` and without `as_json` there
    is no line.
    """
    work = prepared.work
    if as_json:
        files = [{"source": file.source, "target": file.target} for file in work.files_to_do()]
        problems = [
            {"path": problem.source, "reason": problem.reason} for problem in prepared.plan.problems
        ]
        yield json.dumps({"todo": files, "settled": len(work.settled), "problems": problems})
        return
    if quiet:
        return
    for file in work.files_to_do():
        yield f"{console.printable(file.source)} -> {console.printable(file.target)}"
    for problem in prepared.plan.problems:
        yield f"cannot: {console.printable(problem.source)}: {problem.reason}"
    parts = [f"{len(work.pending)} to do", f"{len(work.settled)} settled by earlier runs"]
    if work.changed:
        parts.append(f"{work.changed} of them changed since")
    yield f"{', '.join(parts)}; nothing was written"
    if prepared.settings.job.selection.criteria:
        yield (
            "headers were not read: files that --modality, --views and --where leave out are among "
            "those to do"
        )
    for options in prepared.other_options():
        yield f"outputs that exist were made otherwise: {console.printable(options)}"
