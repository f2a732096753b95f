"""Lines that `cxr-models index` prints about its result."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.cli import _console
from cxr_models.cli._index_lists import IndexLists
from cxr_models.cli._paths import shown
from cxr_models.records.copies import KINDS
from cxr_models.records.index import DUPLICATE, SECOND_COPY
from cxr_models.records.labels import SEVERAL
from cxr_models.records.layouts.overlaps import overlap_notes
from cxr_models.records.patients import normalised_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cxr_models.records.index import Index

_SHOWN = 5  # most names or pairs that a message lists


def say_why(indexed: Index) -> None:
    """Print, for each reason, how many files the user, a default or the set leaves out."""
    reasons = Counter(
        next((kind for kind in (DUPLICATE, SECOND_COPY) if s.reason.startswith(kind)), s.reason)
        for s in indexed.skipped
        if s.is_intended()
    )
    for reason, count in reasons.most_common():
        shown_reason = f"{reason}another" if reason in (DUPLICATE, SECOND_COPY) else reason
        _console.complain(f"  {count:,} left out: {_console.printable(shown_reason)}")


def warn_of_a_folder_around(indexed: Index) -> None:
    """Warn if there is only one label and its folder contains folders of images."""
    labels = {record.label for record in indexed.records}
    within = {record.file.split("/")[1] for record in indexed.records if record.file.count("/") > 1}
    if len(labels) == 1 and within:
        inner = ", ".join(sorted(within)[:_SHOWN])
        _console.complain(
            f"WARNING: all images have the label {_console.printable(labels.pop())}, the only "
            f"folder; it holds {_console.printable(inner)}. Where these are the labels, index that "
            "folder; no public set was recognised, --layout names one (--list-layouts)."
        )


def say_overlaps(sources: Iterable[str]) -> None:
    """Print which public sets share images with the indexed sets."""
    for source in sorted(sources):
        for note in overlap_notes(source):
            _console.say(f"{source} {note}: none of them is another source to test on")


def say_result(out: Path, indexed: Index, *, decoded: bool, remark: str = "") -> None:
    """Print the counts of a manifest and `remark`, and warn of possible faults."""
    labels = Counter(record.label for record in indexed.records)
    counts = ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
    _console.say(f"wrote {shown(out)}: {counted(len(indexed.records), 'image')} ({counts})")
    if indexed.absent:
        images = counted(indexed.absent, "image is", "images are")
        _console.say(f"{images} in the tables of the set, and not in the folder")
    if indexed.num_several_findings:
        images = counted(indexed.num_several_findings, "image holds", "images hold")
        _console.say(
            f"{images} several findings, of which the label tells one or "
            f"{SEVERAL!r}; all are in the columns finding:NAME"
        )
    if remark:
        _console.say(_console.printable(remark))
    for doubt in indexed.doubts():
        _console.complain(f"WARNING: {_console.printable(doubt)}")
    if decoded:
        groups = len({record.group for record in indexed.records})
        copies = len({pair.other for pair in indexed.duplicates})
        _console.say(
            f"{counted(copies, 'duplicate')}{_kinds_of(indexed)}; "
            f"{counted(groups, 'group')} that a split keeps together"
        )
    else:
        _console.complain("WARNING: images were not decoded; copies of one image are not found")
    differ = [pair for pair in indexed.duplicates if pair.label != pair.other_label]
    if differ:
        pairs = counted(
            len(differ), "pair of equal or near images has", "pairs of equal or near images have"
        )
        _console.complain(
            f"WARNING: {pairs} two labels, of which one is wrong. All pairs: "
            f"{shown(IndexLists.of_duplicates(out))}"
        )
    for pair in differ[:_SHOWN]:
        first, second = (_console.printable(name) for name in (pair.file, pair.other))
        _console.complain(f"  {first} ({pair.label}), {second} ({pair.other_label}): {pair.kind}")
    patients = Counter(record.patient for record in indexed.records)
    unknown = sum(count for patient, count in patients.items() if not normalised_id(patient))
    if unknown:
        _console.complain(
            f"WARNING: no patient is known of {unknown:,} of {len(indexed.records):,} images; a "
            "split can put one patient into train and test. Name patients with --patient-pattern "
            "or a CSV."
        )
    if indexed.other_files:
        kinds = Counter(os.path.splitext(name)[1] or "no suffix" for name in indexed.other_files)
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        _console.complain(
            f"{counted(len(indexed.other_files), 'file')} passed over, no images by their names: "
            f"{_console.printable(counts)}"
        )


def _kinds_of(indexed: Index) -> str:
    counts = Counter(pair.kind for pair in indexed.duplicates)
    pairs = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    return f" (pairs: {pairs})" if pairs else ""
