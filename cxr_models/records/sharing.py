"""Records shared out among parts: components stay whole, labels or findings are stratified.

A component is all records that must stay together, such as those of a patient. Knows nothing of
what the parts are for.
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

    Component = list[int]  # places of its records
    Value = tuple[str, str]  # a finding, present or absent


def share_out(
    records: Sequence[Record],
    fractions: Sequence[float],
    seed: int,
    findings: Sequence[str] = (),
) -> list[int]:
    """Return each record's part, a place in `fractions`.

    Parameters
    ----------
    records : sequence of Record
        What is shared out.
    fractions : sequence of float
        Share of each part.
    seed : int
        Equal seeds and records give equal parts, whatever the order of the records.
    findings : sequence of str, default ()
        Findings to stratify by; without them labels are stratified.

    Notes
    -----
    By labels: largest components first, each to the part whose labels lack most. By findings:
    iterative stratification of components. Of all findings' values, the one that the fewest
    components still to share out have is taken first. Each of these components, the largest first,
    goes to the part that lacks the largest share of what it is to have of that value, and among
    equals of what it is to have of all records. [1]_ compares numbers, not shares, by which the
    first part would get all large components, and rare findings alone. A component has a finding
    if one of its records has it, lacks it if one is known to be without it and none has it, and
    says nothing of it otherwise; uncertain is unknown here.

    No part that has a share stays empty where there are as many components as such parts.

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
            assigned[part].append(assigned[richest].pop())  # its smallest
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
        "1" where an image shows the finding, "0" where none does and one is known to be without
        it; a finding of which nothing is known is left out.
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
    """Return the components, shuffled, then the largest first."""
    members: dict[int, Component] = defaultdict(list)
    for index, root in enumerate(components(records)):
        members[root].append(index)
    # The order of the file must not matter: components are ordered by their files' names.
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
    # Components of each value that are still to be shared out, in the order of `order`.
    left: dict[Value, dict[int, None]] = defaultdict(dict)
    for place, component_values in enumerate(values):
        for value in component_values:
            left[value][place] = None
    # What each part has been given, divided by its share: exact 0 at the start, hence no ties by
    # rounding.
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
