"""Splits that a set comes with: their faults, and the records without leaks."""

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


class Kept(NamedTuple):
    """A given split, and what became of it."""

    records: list[Record]
    faults: list[str]  # lines; where they were not mended, `records` must not be used
    untied: int = 0  # images that are in no part now, because they are tied to another part
    moved: int = 0  # images of train that are val now, because the split had no val


def has_split(records: Sequence[Record]) -> bool:
    """Tell whether a record is in a part."""
    return any(record.split for record in records)


def faults_of(records: Sequence[Record]) -> list[str]:
    """Describe the faults of a split in lines; an empty list where it has none.

    Parameters
    ----------
    records : sequence of Record
        With their parts.

    Returns
    -------
    list of str
        Parts with other names than train, val and test; patients and copies in two parts, with
        some of the files.
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
    """Return records of which none is tied to one of another part.

    Parameters
    ----------
    records : sequence of Record
        With their parts.

    Returns
    -------
    list of Record
        In the order given. Of images that are tied, those of test stay, else those of val; the
        others are in no part.
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
    """Tell whether `kept_split` takes a val from train: the split has none, and val has a share."""
    return bool(fractions[1]) and not any(record.split == "val" for record in records)


def with_val(
    records: Sequence[Record], share: float, *, seed: int = 0, findings: Sequence[str] = ()
) -> list[Record]:
    """Return records of which a share of train is val.

    Parameters
    ----------
    records : sequence of Record
        With their parts, none of them val.
    share : float
        How much of train becomes val; no patient and no group is parted.
    seed : int, default 0
        Equal seeds give equal parts.
    findings : sequence of str, default ()
        Findings to stratify val by in the place of labels.
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
) -> Kept:
    """Check a given split, and complete it.

    Parameters
    ----------
    records : sequence of Record
        With their parts.
    fractions : (float, float, float)
        Where the split has no val, val gets its share of train and val.
    seed : int, default 0
        Of that val.
    drop_leaks : bool, default False
        Whether faults are mended by `without_leaks`; if not, records with faults are returned as
        they are.
    findings : sequence of str, default ()
        Findings to stratify that val by in the place of labels.
    """
    faults, result, untied, moved = faults_of(records), list(records), 0, 0
    if faults and not drop_leaks:
        return Kept(result, faults)
    if drop_leaks:
        result = without_leaks(records)
        untied = sum(a.split != b.split for a, b in zip(records, result, strict=True))
    train, val, _ = fractions
    if needs_val(result, fractions):
        result = with_val(result, val / (train + val), seed=seed, findings=findings)
        moved = sum(record.split == "val" for record in result)
    return Kept(result, faults, untied, moved)


def lines_on_lacking(
    records: Sequence[Record],
    parts: Sequence[str],
    *,
    is_given: bool,
    findings: Sequence[str] = (),
) -> list[str]:
    """Describe in lines which of `parts` have no image, or none of a label.

    Parameters
    ----------
    records : sequence of Record
        With their parts.
    parts : sequence of str
        Those that should have images.
    is_given : bool
        Whether a manifest came with the split, which was kept.
    findings : sequence of str, default ()
        Where findings were shared out, labels were not, and do not count.
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
