"""Assignment of records to parts of given shares, stratified by labels or by findings.

A component is a set of records that must stay together, such as all records of a patient. All
records of a component are assigned to the same part. This module does not use the purpose of a
part.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from cxr_models.records.layouts.values import ABSENT, PRESENT
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.records.manifest import Record

    Component = list[int]  # indices of its records
    Value = tuple[str, str]  # name of a finding, and "1" (present) or "0" (absent)


def assign_parts(
    records: Sequence[Record],
    fractions: Sequence[float],
    seed: int,
    findings: Sequence[str] = (),
) -> list[int]:
    """Return the part of each record, as an index of `fractions`.

    Parameters
    ----------
    records : sequence of Record
        Records to assign.
    fractions : sequence of float
        Share of each part.
    seed : int
        Seed of the random order. The same seed and records give the same parts; the order of the
        records does not matter.
    findings : sequence of str, default ()
        Names of findings to stratify by. The default stratifies by label.

    Returns
    -------
    list of int
        Index of the part of each record.

    Notes
    -----
    Stratification by labels assigns the components from the largest to the smallest. Each goes to
    the part that lacks most records of the labels of the component, where each label is counted
    relative to its total number of records.

    Stratification by findings is the iterative stratification of [1]_, applied to components. A
    component has the value present for a finding if one of its records shows it. It has the value
    absent if none shows it and one is known to be without it. Otherwise, and for uncertain values,
    the finding of the component is unknown. The algorithm repeats two steps. First it chooses the
    value that the fewest unassigned components have. Then it assigns these components, from the
    largest to the smallest. Each goes to the part that has received the smallest share of its
    target number for that value; if parts are equal, the number of records decides in the same way.
    [1]_ compares numbers instead of shares. With numbers, the first part would get all large
    components and all components of rare findings.

    Every part with a share above 0 gets at least one component if there are enough components.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label Data",
           ECML PKDD 2011.
    """
    order = _components_in_order(records, seed)
    used_parts = [number for number, share in enumerate(fractions) if share > 0]
    if findings:
        assigned = _by_findings(records, order, fractions, used_parts, findings)
    else:
        assigned = _by_labels(records, order, fractions, used_parts)
    for part in used_parts if len(order) >= len(used_parts) else ():
        richest = max(used_parts, key=lambda p: len(assigned[p]))
        if not assigned[part]:
            assigned[part].append(assigned[richest].pop())  # the smallest component of the part
    parts = [0] * len(records)
    for part, part_components in assigned.items():
        for component in part_components:
            for index in component:
                parts[index] = part
    return parts


def values_of_patient(records: Sequence[Record], findings: Sequence[str]) -> dict[str, str]:
    """Return the known findings of one patient.

    Parameters
    ----------
    records : sequence of Record
        The images of the patient.
    findings : sequence of str
        Names of findings.

    Returns
    -------
    dict of str to str
        Value of each finding: "1" if an image shows the finding, "0" if no image shows it and
        one is known to be without it. Findings without a known value are omitted.
    """
    known: dict[str, set[str]] = {ABSENT: set(), PRESENT: set()}
    for record in records:
        for name, value in record.findings:
            if value in known:
                known[value].add(name)
    return {
        name: PRESENT if name in known[PRESENT] else ABSENT
        for name in findings
        if name in known[PRESENT] or name in known[ABSENT]
    }


def _components_in_order(records: Sequence[Record], seed: int) -> list[Component]:
    """Return the components from the largest to the smallest, in random order for equal sizes."""
    members: dict[int, Component] = defaultdict(list)
    for index, root in enumerate(components(records)):
        members[root].append(index)
    # Components are sorted by file name, so that the order of the records does not matter.
    order = sorted(members.values(), key=lambda c: min(records[i].file for i in c))
    random.Random(seed).shuffle(order)
    order.sort(key=len, reverse=True)
    return order


def _by_labels(
    records: Sequence[Record],
    order: Sequence[Component],
    fractions: Sequence[float],
    used_parts: Sequence[int],
) -> dict[int, list[Component]]:
    totals = Counter(record.label for record in records)
    lacking = [{label: share * n for label, n in totals.items()} for share in fractions]
    assigned: dict[int, list[Component]] = {part: [] for part in used_parts}
    for component in order:
        labels = Counter(records[index].label for index in component)
        part = max(
            used_parts,
            key=lambda p: sum(n * lacking[p][label] / totals[label] for label, n in labels.items()),
        )
        for label, count in labels.items():
            lacking[part][label] -= count
        assigned[part].append(component)
    return assigned


def _by_findings(
    records: Sequence[Record],
    order: Sequence[Component],
    fractions: Sequence[float],
    used_parts: Sequence[int],
    findings: Sequence[str],
) -> dict[int, list[Component]]:
    values = [
        list(values_of_patient([records[index] for index in component], findings).items())
        for component in order
    ]
    # Unassigned components of each value, as indices of `order`, in that order.
    left: dict[Value, dict[int, None]] = defaultdict(dict)
    for place, component_values in enumerate(values):
        for value in component_values:
            left[value][place] = None
    # Numbers assigned to each part. They are divided by the share of the part for comparison. All
    # quotients are exactly 0 at the start, so rounding cannot decide between equal parts.
    given: dict[int, Counter[Value]] = {part: Counter() for part in used_parts}
    given_records = dict.fromkeys(used_parts, 0)
    assigned: dict[int, list[int]] = {part: [] for part in used_parts}

    def assign(place: int, part: int) -> None:
        assigned[part].append(place)
        given_records[part] += len(order[place])
        for value in values[place]:
            given[part][value] += 1
            del left[value][place]
            if not left[value]:
                del left[value]

    def by_records(part: int) -> float:
        return given_records[part] / fractions[part]

    while left:
        rarest = min(left, key=lambda value: (len(left[value]), value))
        for place in list(left[rarest]):
            part = min(used_parts, key=lambda p: (given[p][rarest] / fractions[p], by_records(p)))
            assign(place, part)
    for place, component_values in enumerate(values):
        if not component_values:
            assign(place, min(used_parts, key=by_records))
    return {part: [order[place] for place in sorted(assigned[part])] for part in used_parts}
