"""Splits that a data set provides: names of parts, detection of faults, removal of leaks."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models._counts import counted
from cxr_models.records.manifest import SPLITS
from cxr_models.records.patients import patient_key
from cxr_models.records.splits import (
    FRACTIONS,
    check_fractions,
    lacking_labels,
    split_records,
)
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from cxr_models.records.manifest import Record

_SHOWN = 3
# Names of parts in other tables, in lower case, and the parts that they are read as.
PART_NAMED = MappingProxyType(
    {part: part for part in SPLITS}
    | {"": "", "training": "train", "testing": "test"}
    | dict.fromkeys(("valid", "validate", "validation", "dev"), "val")
)
_LAST_FIRST = ("test", "val", "train")


class KeptSplit(NamedTuple):
    """Result of `kept_split`: the records of a provided split, its faults and the changes."""

    records: list[Record]
    faults: list[str]  # lines of text; if faults were not removed, `records` must not be used
    # images removed from their part because they are connected to another part
    num_removed: int = 0
    num_moved_to_val: int = 0  # images moved from train to val, because the split had no val
    # parts by other names, such as "valid", and the part that each of them is read as
    renamed: Mapping[str, str] = MappingProxyType({})


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
        Lines about patients and copies in two parts, with some of the files. Empty for a split
        without faults.
    """
    patients = [patient_key(record) for record in records]
    groups = [record.group or None for record in records]
    tied: Sequence[Hashable | None] = components(records)
    lines = []
    for kind, names in (("patient{}", patients), ("group{} of copies", groups)):
        lines += _shared(kind, names, records)
    return lines or _shared("chain{} of patients and copies", tied, records)


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
        tied = counted(len(groups), f"{kind.format('')} is", f"{kind.format('s')} are")
        lines.append(f"{tied} in {' and '.join(shared)}, {sum(map(len, groups)):,} images:")
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
        Records in train, val, test or no part.

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


def check_options_have_effect(
    records: Sequence[Record],
    fractions: tuple[float, float, float],
    findings: Sequence[str] = (),
    *,
    drop_leaks: bool = False,
) -> None:
    """Raise ValueError if options of `kept_split` have no effect on a provided split.

    They decide on the val part that `kept_split` makes, if the split has none.

    Parameters
    ----------
    records : sequence of Record
        Records with their parts.
    fractions, findings, drop_leaks
        See `kept_split`. The usual fractions are always allowed.
    """
    if drop_leaks:  # they may leave val empty
        records = without_leaks(_with_known_parts(records)[0])
    are_usual = np.allclose(fractions, FRACTIONS, rtol=0.0)
    without_effect = [
        ("--fractions", not are_usual and not needs_val(records, FRACTIONS)),
        ("--stratify-findings", bool(findings) and not needs_val(records, fractions)),
    ]
    for option, has_none in without_effect:
        if has_none:
            raise ValueError(
                f"`{option}` is only allowed with a manifest whose split has no val, with a "
                "manifest without a split, or with --drop-split; got a manifest whose split is "
                "kept as it is."
            )


def needs_val(records: Sequence[Record], fractions: tuple[float, float, float]) -> bool:
    """Return whether `kept_split` must move images from train to val.

    This is so if the split has no val and the share of val in `fractions` is not 0.
    """
    parts = {_part_named(record.split) for record in records}
    return bool(fractions[1]) and "val" not in parts


def with_val(
    records: Sequence[Record], share: float, *, seed: int = 0, findings: Sequence[str] = ()
) -> list[Record]:
    """Move a share of the records of train to val.

    All records of one patient, and all records of one group, stay in one part. So do records that
    are connected through a record that is in no part.

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
    trained = [  # grouped by component, which records outside of train can connect
        dataclasses.replace(record, group=str(root))
        for root, record in zip(components(records), records, strict=True)
        if record.split == "train"
    ]
    fractions = (1 - share, share, 0.0)
    assigned = iter(split_records(trained, fractions=fractions, seed=seed, findings=findings))
    return [
        dataclasses.replace(record, split=next(assigned).split)
        if record.split == "train"
        else record
        for record in records
    ]


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
        Records with their parts. Well-known other names of parts, such as ``training`` and
        ``valid``, are read as train, val and test; letter case and blanks do not matter.
    fractions : (float, float, float)
        Shares of train, val and test. If the split has no val, the share val / (train + val) of
        train moves to val.
    seed : int, default 0
        Seed of the choice of val.
    drop_leaks : bool, default False
        Whether leaks are removed by `without_leaks`. If False, a split with faults is not changed
        any further.
    findings : sequence of str, default ()
        Names of findings to stratify val by. The default stratifies by label.

    Returns
    -------
    KeptSplit
        The records, the faults, the numbers of changed records, and the names of parts that were
        replaced.

    Raises
    ------
    ValueError
        If a part has a name that is not known, or `check_fractions` rejects `fractions`.
    """
    check_fractions(fractions)
    records, renamed = _with_known_parts(records)
    faults, result, num_removed, num_moved_to_val = faults_of(records), list(records), 0, 0
    if faults and not drop_leaks:
        return KeptSplit(result, faults, renamed=renamed)
    if drop_leaks:
        result = without_leaks(records)
        num_removed = sum(a.split != b.split for a, b in zip(records, result, strict=True))
    train, val, _ = fractions
    if needs_val(result, fractions):
        result = with_val(result, val / (train + val), seed=seed, findings=findings)
        num_moved_to_val = sum(record.split == "val" for record in result)
    return KeptSplit(result, faults, num_removed, num_moved_to_val, renamed)


def line_on_renamed(renamed: Mapping[str, str]) -> str:
    """Describe the parts that were read by other names in one line of text.

    Examples
    --------
    >>> line_on_renamed({"training": "train", "valid": "val"})
    "parts are read by other names: 'training' as train, 'valid' as val"
    """
    pairs = ", ".join(f"{name!r} as {part}" for name, part in sorted(renamed.items()))
    return f"parts are read by other names: {pairs}"


def _part_named(name: str) -> str | None:
    """Return the part that a name means; an empty str for no part, and None if it is not known."""
    return PART_NAMED.get(name.strip().lower())


def _with_known_parts(records: Sequence[Record]) -> tuple[list[Record], dict[str, str]]:
    """Return the records in train, val, test or no part, and the parts of other names."""
    parts = {name: _part_named(name) for name in {record.split for record in records}}
    unknown = [record for record in records if parts[record.split] is None]
    if unknown:
        names = ", ".join(map(repr, sorted({record.split for record in unknown})))
        raise ValueError(
            f"`split` must be train, val, test or empty in every row of the manifest; got {names} "
            f"in {counted(len(unknown), 'row')}, such as that of {unknown[0].file!r}. Rename these "
            "parts in the manifest, empty the cells to leave the images out, or make a new split "
            "with --drop-split."
        )
    known = {name: part for name, part in parts.items() if part is not None}
    renamed = {name: part for name, part in known.items() if name != part}
    if not renamed:
        return list(records), renamed
    return [dataclasses.replace(record, split=known[record.split]) for record in records], renamed


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
