"""What belongs together: records joined by patient, group or any other tie, however indirectly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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

    Empty names tie nothing. Equal names of patients count as one patient even in two sources:
    parting one patient would be worse than keeping two together.
    """
    first: dict[tuple[str, str], int] = {}
    ties = []
    for index, record in enumerate(records):
        for column in ("patient", "group"):
            name = getattr(record, column)
            if name:
                ties.append((first.setdefault((column, name), index), index))
    return ties


def components(records: Sequence[Record]) -> list[int]:
    """Return for each record the number of the first record that it must not be parted from."""
    return connect(len(records), ties_of_records(records))
