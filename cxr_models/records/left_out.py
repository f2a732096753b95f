"""Reasons why images are in no part of a split that leaves one source out for testing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cxr_models.records.patients import normalised_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.records.manifest import Record

SAME_PATIENT = "the same patient id"
SAME_GROUP = "the same group: copies or what else was tied"
THROUGH_OTHER_IMAGES = "tied through other images"


def causes_of_leaving_out(
    records: Sequence[Record], parts: Sequence[str], source: str, *, shared_ids: bool = False
) -> Counter[str]:
    """Count the images of other sources in no part, by what connects them to the tested source.

    Parameters
    ----------
    records : sequence of Record
        Records with their original groups, before `with_shared_ids` changed groups.
    parts : sequence of str
        Part of each record, from `leave_sources_out`; empty for no part.
    source : str
        Name of the source that is tested.
    shared_ids : bool, default False
        Whether equal patient ids in two sources mean one patient.

    Returns
    -------
    Counter of str
        Number of images for each of `SAME_PATIENT`, `SAME_GROUP` and `THROUGH_OTHER_IMAGES`.
    """
    tested = [record for record in records if record.source == source]
    patients = {normalised_id(record.patient) for record in tested} - {""} if shared_ids else set()
    groups = {record.group for record in tested} - {""}
    causes: Counter[str] = Counter()
    for record, part in zip(records, parts, strict=True):
        if part or record.source == source:
            continue
        if normalised_id(record.patient) in patients:
            causes[SAME_PATIENT] += 1
        else:
            causes[SAME_GROUP if record.group in groups else THROUGH_OTHER_IMAGES] += 1
    return causes
