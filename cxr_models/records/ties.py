"""Records that belong together: joined by patient, group or any other tie, however indirectly."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING

from cxr_models.records.patients import patient_key, same_id

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from cxr_models.records.manifest import Record


def connect(count: int, ties: Iterable[tuple[int, int]]) -> list[int]:
    """Return for each of `count` items the smallest item it is tied to, however indirectly.

    Parameters
    ----------
    count : int
        Items are numbered 0..count-1.
    ties : iterable of (int, int)
        Pairs that belong together.
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
    """Tie each record to the first one of its patient and to the first one of its group.

    Empty names tie nothing. Spellings of one id are one patient, equal ids of two sources are two;
    see `cxr_models.records.patients`.
    """
    return [
        *_ties_of_equals([patient_key(record) for record in records]),
        *_ties_of_equals([record.group or None for record in records]),
    ]


def components(records: Sequence[Record]) -> list[int]:
    """Return for each record the number of the first record that it must not be parted from."""
    return connect(len(records), ties_of_records(records))


def with_shared_ids(records: Sequence[Record]) -> list[Record]:
    """Give one group to records of equal patient ids in different sources, and to tied records.

    Parameters
    ----------
    records : sequence of Record
        Of several sources that number their patients together.

    Returns
    -------
    list of Record
        In the order given; only groups are changed, and only of records that are tied to an id
        of two sources. Code that reads the groups need not know that ids are shared.
    """
    ids = [same_id(record.patient) for record in records]
    sources: dict[str, set[str]] = defaultdict(set)
    for same, record in zip(ids, records, strict=True):
        sources[same].add(record.source)
    shared = [same if same and len(sources[same]) > 1 else None for same in ids]
    roots = connect(len(records), [*ties_of_records(records), *_ties_of_equals(shared)])
    groups = {record.group for record in records}
    names: dict[int, str] = {}
    number = 0
    for root, name in zip(roots, shared, strict=True):
        if name is not None and root not in names:
            while f"s{number:06d}" in groups:
                number += 1
            names[root] = f"s{number:06d}"
            number += 1
    return [
        dataclasses.replace(record, group=names.get(root, record.group))
        for record, root in zip(records, roots, strict=True)
    ]


def _ties_of_equals(names: Sequence[Hashable | None]) -> list[tuple[int, int]]:
    """Tie each item to the first one of its name; None names nothing."""
    first: dict[Hashable, int] = {}
    return [
        (first.setdefault(name, index), index)
        for index, name in enumerate(names)
        if name is not None
    ]
