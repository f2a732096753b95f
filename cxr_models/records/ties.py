"""Components of records: records connected by patient, group or another tie, even indirectly."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from cxr_models.records.patients import normalised_id, patient_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from cxr_models.records.manifest import Record


def connect(count: int, ties: Iterable[tuple[int, int]]) -> list[int]:
    """Return for each item the smallest item that it is connected to, directly or indirectly.

    Parameters
    ----------
    count : int
        Number of items. Items are the numbers 0..count-1.
    ties : iterable of (int, int)
        Pairs of connected items.

    Returns
    -------
    list of int
        Smallest connected item of each item; the item itself if all others are greater.
    """
    parent = list(range(count))

    def find(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for first, second in ties:
        low, high = sorted((find(first), find(second)))
        parent[high] = low
    return [find(item) for item in range(count)]


def ties_of_records(records: Sequence[Record]) -> list[tuple[int, int]]:
    """Connect each record to the first record of its patient, and to the first of its group.

    Empty ids and groups connect nothing. Different spellings of one patient id are one patient.
    Equal ids in two sources are two patients. See `cxr_models.records.patients`.
    """
    return [
        *_ties_of_equals([patient_key(record) for record in records]),
        *_ties_of_equals([record.group or None for record in records]),
    ]


def components(records: Sequence[Record]) -> list[int]:
    """Return for each record the index of the first record of its component.

    All records of a component must be in the same part of a split.
    """
    return connect(len(records), ties_of_records(records))


def with_shared_ids(records: Sequence[Record]) -> list[Record]:
    """Give one group to records with the same patient id in different sources.

    Records that are connected to them get the same group.

    Parameters
    ----------
    records : sequence of Record
        Records of several sources that use the same patient ids for the same patients.

    Returns
    -------
    list of Record
        The records, in the order of `records`. Only groups are changed, and only those of records
        that are connected to an id in two sources. Code that uses groups then needs no further
        knowledge of shared ids.
    """
    ids = [normalised_id(record.patient) for record in records]
    sources: dict[str, set[str]] = defaultdict(set)
    for same, record in zip(ids, records, strict=True):
        sources[same].add(record.source)
    shared = [same if same and len(sources[same]) > 1 else None for same in ids]
    roots = connect(len(records), [*ties_of_records(records), *_ties_of_equals(shared)])
    joined = (root for root, name in zip(roots, shared, strict=True) if name is not None)
    return with_new_groups(records, roots, joined, prefix="s")


def with_new_groups(
    records: Sequence[Record], roots: Sequence[int], joined: Iterable[int], *, prefix: str
) -> list[Record]:
    """Give one new group to all records of a component, in each of several components.

    Parameters
    ----------
    records : sequence of Record
        The records.
    roots : sequence of int
        Component of each record, from `connect`.
    joined : iterable of int
        The components that get a group. The order is that of the numbers in the names of groups.
    prefix : str
        Start of the names of the new groups. Names that `records` have are not used again.
    """
    groups = {record.group for record in records}
    numbers = itertools.count()
    free = (name for name in map((prefix + "{:06d}").format, numbers) if name not in groups)
    names = {root: next(free) for root in dict.fromkeys(joined)}
    return [
        dataclasses.replace(record, group=names[root]) if root in names else record
        for record, root in zip(records, roots, strict=True)
    ]


def _ties_of_equals(names: Sequence[Hashable | None]) -> list[tuple[int, int]]:
    """Connect each item to the first item of the same name; None is not a name."""
    first: dict[Hashable, int] = {}
    return [
        (first.setdefault(name, index), index)
        for index, name in enumerate(names)
        if name is not None
    ]
