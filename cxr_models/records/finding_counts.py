"""Numbers of patients with a finding, and of patients with a known value, for each part."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.layouts.values import ABSENT, PRESENT
from cxr_models.records.manifest import SPLITS
from cxr_models.records.sharing import values_of_patient
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.records.manifest import Manifest, Record


class PatientCount(NamedTuple):
    """Numbers of patients of one part; connected records count as one patient."""

    present: int  # patients with at least one image that shows the finding
    known: int  # patients with at least one image whose value is present or absent


def count_patients(
    records: Sequence[Record], findings: Sequence[str]
) -> dict[str, dict[str, PatientCount]]:
    """Return the numbers of patients by finding and part of a split.

    Parameters
    ----------
    records : sequence of Record
        Records of a split. Records in no part are not counted.
    findings : sequence of str
        Names of the findings.

    Returns
    -------
    dict of str to dict of str to PatientCount
        Counts by finding, then by part. Empty if `findings` is empty.
    """
    if not findings:
        return {}
    members: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record, root in zip(records, components(records), strict=True):
        members[record.split, root].append(record)
    values: dict[str, Counter[tuple[str, str]]] = {part: Counter() for part in SPLITS}
    for (part, _), patient in members.items():
        if part:
            values[part].update(values_of_patient(patient, findings).items())
    return {
        finding: {
            part: PatientCount(
                of_part[finding, PRESENT], of_part[finding, PRESENT] + of_part[finding, ABSENT]
            )
            for part, of_part in values.items()
        }
        for finding in findings
    }


def checked_findings(read: Manifest, findings: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the findings to stratify by, without repetitions.

    None gives no findings, and ``("all",)`` gives all findings of the manifest.

    Raises
    ------
    ValueError
        If a finding is not a column of the manifest, or `findings` is empty.
    """
    there = read.finding_names()
    if findings is None:
        return ()
    if findings == ("all",) and there:
        return there
    missing = [name for name in findings if name not in there]
    if missing or not findings:
        raise ValueError(
            "`--stratify-findings` must name columns finding:NAME of the manifest "
            f"({', '.join(there) or 'none'}); got {', '.join(missing) or 'none'}."
        )
    return tuple(dict.fromkeys(findings))
