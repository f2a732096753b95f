"""Patients and studies: which images are of one, and the record that stands for it.

Knows no predictions.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING

from cxr_models.records.patients import patient_key, same_id
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy as np
    import numpy.typing as npt

    from cxr_models.evaluation.results import Aggregation
    from cxr_models.records.manifest import Record


def unit_keys(records: Sequence[Record], aggregation: Aggregation) -> list[Hashable | None]:
    """Return what the images of one unit share; None for an image that is a unit of its own.

    Ids are those of their source and, of studies, those of their patient: some sets number the
    studies of each patient from 1 on.
    """
    patients = [patient_key(record) for record in records]
    if aggregation.of == "patient":
        return list(patients)
    studies = [same_id(record.study) for record in records]
    return [
        (record.source, patient, study) if study else None
        for record, patient, study in zip(records, patients, studies, strict=True)
    ]


def rows_of_units(keys: Sequence[Hashable | None]) -> list[list[int]]:
    """Return the rows of each unit, in the order of its first image."""
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows[("alone", row) if key is None else ("joined", key)].append(row)
    return list(rows.values())


def joined_records(
    records: Sequence[Record], units: Sequence[Sequence[int]], targets: npt.NDArray[np.int64]
) -> tuple[Record, ...]:
    """Return a record for each unit, with the label of its images of the highest target.

    Units stay tied by duplicates of any of their images.
    """
    roots = components(records)
    first_file: dict[int, str] = {}  # of all images that are tied
    for record, root in zip(records, roots, strict=True):
        first_file[root] = min(first_file.get(root, record.file), record.file)
    joined = []
    for rows in units:
        of_class = [row for row in rows if targets[row] == max(targets[rows])]
        record = min((records[row] for row in rows), key=lambda one: one.file)
        views = sorted({records[row].view for row in rows if records[row].view})
        joined.append(
            dataclasses.replace(
                record,
                label=min((records[row] for row in of_class), key=lambda one: one.file).label,
                view=" and ".join(views),
                group=first_file[roots[rows[0]]],
            )
        )
    return tuple(joined)
