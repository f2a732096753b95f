"""How many patients of each part of a split have a finding, and of how many that is known."""

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
    """Patients of a part; records that are tied count as one patient."""

    present: int  # of whom an image shows the finding
    known: int  # of whom an image shows it, or is known not to


def count_patients(
    records: Sequence[Record], findings: Sequence[str]
) -> dict[str, dict[str, PatientCount]]:
    """Return the counts of each finding for each part of a split.

    Parameters
    ----------
    records : sequence of Record
        Of a split.
    findings : sequence of str
        Names of the findings.
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
    """Return the findings to stratify by; raise unless they are columns of the manifest."""
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
