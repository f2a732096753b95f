"""Splits that a data set provides: detection of their faults, and removal of leaks."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.manifest import SPLITS
from cxr_models.records.patients import patient_key
from cxr_models.records.splits import lacking_labels, split_records
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from cxr_models.records.manifest import Record

_SHOWN = 3
_LAST_FIRST = ("test", "val", "train")


class KeptSplit(NamedTuple):
    """Result of `kept_split`: the records of a provided split, its faults and the changes."""

    records: list[Record]
    faults: list[str]  # lines of text; if faults were not removed, `records` must not be used
    # images removed from their part because they are connected to another part
    num_removed: int = 0
    num_moved_to_val: int = 0  # images moved from train to val, because the split had no val


def has_split(records: Sequence[Record]) -> bool:
    """Return whether at least one record is in a part."""
    return any(record.split for record in records)


def faults_of(records: Sequence[Record]) -> list[str]:
    """Describe the faults of a split in lines of text.

    Parameters
    ----------
    records : sequence of Record
        Records with their parts.

    Returns
    -------
    list of str
        Lines about parts with names other than train, val and test. If there are none, lines about
        patients and copies in two parts, with some of the files. Empty for a split without faults.
    """
    unknown = sorted({record.split for record in records} - {*SPLITS, ""})
    if unknown:
        return [f"parts must be train, val and test; got {', '.join(map(repr, unknown))}"]
    patients = [patient_key(record) for record in records]
    groups = [record.group or None for record in records]
    tied: Sequence[Hashable | None] = components(records)
    lines = []
    for kind, names in (("patients", patients), ("groups of copies", groups)):
        lines += _shared(kind, names, records)
    return lines or _shared("chains of patients and copies", tied, records)


def _shared(kind: str, names: Sequence[Hashable | None], records: Sequence[Record]) -> list[str]:
    members: dict[Hashable, list[Record]] = defaultdict(list)
    for name, record in zip(names, records, strict=True):
        if name is not None and record.split:
            members[name].append(record)
    wrong: dict[tuple[str, ...], list[list[Record]]] = defaultdict(list)
    for rows in members.values():
        parts = {row.split for row in rows}
        if len(parts) > 1:
            wrong[tuple(part for part in SPLITS if part in parts)].append(rows)
    lines = []
    for shared, groups in wrong.items():
        images = sum(map(len, groups))
        lines.append(f"{len(groups):,} {kind} are in {' and '.join(shared)}, {images:,} images:")
        for rows in groups[:_SHOWN]:
            first, second = rows[0], next(row for row in rows if row.split != rows[0].split)
            lines.append(f"  {first.file} in {first.split}, {second.file} in {second.split}")
        if len(groups) > _SHOWN:
            lines.append(f"  and {len(groups) - _SHOWN:,} more")
    return lines


def without_leaks(records: Sequence[Record]) -> list[Record]:
    """Remove records from their part until no two parts are connected by a patient or a group.

    Parameters
    ----------
    records : sequence of Record
        Records with their parts.

    Returns
    -------
    list of Record
        All records, in the order of `records`. If connected images are in several parts, those in
        test stay there; if none is in test, those in val stay there. The other connected images
        are in no part.
    """
    roots = components(records)
    parts: dict[int, set[str]] = defaultdict(set)
    for root, record in zip(roots, records, strict=True):
        parts[root].add(record.split)
    stays = {root: next((p for p in _LAST_FIRST if p in has), "") for root, has in parts.items()}
    return [
        record if record.split == stays[root] else dataclasses.replace(record, split="")
        for root, record in zip(roots, records, strict=True)
    ]


def needs_val(records: Sequence[Record], fractions: tuple[float, float, float]) -> bool:
    """Return whether `kept_split` must move images from train to val.

    This is so if the split has no val and the share of val in `fractions` is not 0.
    """
    return bool(fractions[1]) and not any(record.split == "val" for record in records)


def with_val(
    records: Sequence[Record], share: float, *, seed: int = 0, findings: Sequence[str] = ()
) -> list[Record]:
    """Move a share of the records of train to val.

    All records of one patient, and all records of one group, stay in one part.

    Parameters
    ----------
    records : sequence of Record
        Records with their parts, without any in val.
    share : float
        Share of train that moves to val, 0..1.
    seed : int, default 0
        Seed of the random order. The same seed and records give the same parts.
    findings : sequence of str, default ()
        Names of findings to stratify by. The default stratifies by label.

    Returns
    -------
    list of Record
        All records, in the order of `records`.
    """
    trained = [record for record in records if record.split == "train"]
    fractions = (1 - share, share, 0.0)
    assigned = iter(split_records(trained, fractions=fractions, seed=seed, findings=findings))
    return [next(assigned) if record.split == "train" else record for record in records]


def kept_split(
    records: Sequence[Record],
    fractions: tuple[float, float, float],
    *,
    seed: int = 0,
    drop_leaks: bool = False,
    findings: Sequence[str] = (),
) -> KeptSplit:
    """Check a split that a data set provides, and add a val part if it has none.

    Parameters
    ----------
    records : sequence of Record
        Records with their parts.
    fractions : (float, float, float)
        Shares of train, val and test. If the split has no val, the share val / (train + val) of
        train moves to val.
    seed : int, default 0
        Seed of the choice of val.
    drop_leaks : bool, default False
        Whether leaks are removed by `without_leaks`. If False, records with faults are returned
        unchanged.
    findings : sequence of str, default ()
        Names of findings to stratify val by. The default stratifies by label.

    Returns
    -------
    KeptSplit
        The records, the faults, and the numbers of changed records.
    """
    faults, result, num_removed, num_moved_to_val = faults_of(records), list(records), 0, 0
    if faults and not drop_leaks:
        return KeptSplit(result, faults)
    if drop_leaks:
        result = without_leaks(records)
        num_removed = sum(a.split != b.split for a, b in zip(records, result, strict=True))
    train, val, _ = fractions
    if needs_val(result, fractions):
        result = with_val(result, val / (train + val), seed=seed, findings=findings)
        num_moved_to_val = sum(record.split == "val" for record in result)
    return KeptSplit(result, faults, num_removed, num_moved_to_val)


def lines_on_lacking(
    records: Sequence[Record],
    parts: Sequence[str],
    *,
    is_given: bool,
    findings: Sequence[str] = (),
) -> list[str]:
    """Describe parts without images, and parts without images of a label, in lines of text.

    Parameters
    ----------
    records : sequence of Record
        Records with their parts.
    parts : sequence of str
        Names of the parts that should have images of all labels.
    is_given : bool
        Whether the manifest provided the split, which was kept.
    findings : sequence of str, default ()
        Findings that the split was stratified by. If there are any, missing labels are not
        reported, because labels were not stratified.

    Returns
    -------
    list of str
        One line for each part with a problem.
    """
    there = {record.split for record in records}
    why = "too few patients, groups or sources have it"
    if is_given:
        why = "the split that is kept has none there"
    lines = []
    for part, labels in lacking_labels(records, parts).items():
        if is_given and part not in there:
            lines.append(f"no image is in {part}: the split that is kept has none there")
        elif not findings:
            lines.append(f"nothing in {part} of {', '.join(sorted(labels))}; {why}")
    return lines
