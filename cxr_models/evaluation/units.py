"""Grouping of images by patient or study, and one record for each patient or study.

This module uses records only; it does not use predictions.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING

from cxr_models.records.manifest import HEADER_COLUMNS
from cxr_models.records.patients import normalised_id, patient_key
from cxr_models.records.ties import connect, ties_of_records

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    from cxr_models.evaluation.results import Aggregation
    from cxr_models.records.manifest import Record


def unit_keys(records: Sequence[Record], aggregation: Aggregation) -> list[Hashable | None]:
    """Return a key for each record; images with equal keys belong to one patient or study.

    The key of a study contains the source and the patient, because some sets number the studies of
    each patient from 1. If two known patients of a source have the same study id, study ids alone
    identify no study of this source.

    Parameters
    ----------
    records : sequence of Record
        The records of the images.
    aggregation : Aggregation
        The unit: patient or study.

    Returns
    -------
    list of hashable or None
        None for an image without a patient id (or without a study id, for studies). Also None for
        an image without a patient id whose study id does not identify the study. The image is then
        a unit of its own.
    """
    patients = [patient_key(record) for record in records]
    if aggregation.of == "patient":
        return list(patients)
    studies = [
        (record.source, normalised_id(record.study)) if normalised_id(record.study) else None
        for record in records
    ]
    patients_of_study = defaultdict(set)
    for patient, study in zip(patients, studies, strict=True):
        if patient is not None and study is not None:
            patients_of_study[study].add(patient)
    numbered_by_patient = {
        source for (source, _), of_study in patients_of_study.items() if len(of_study) > 1
    }
    return [
        None
        if study is None or (patient is None and study[0] in numbered_by_patient)
        else (patient, study)
        for patient, study in zip(patients, studies, strict=True)
    ]


def rows_of_units(keys: Sequence[Hashable | None]) -> list[list[int]]:
    """Return the rows of each unit; units are in the order of their first image."""
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows[("alone", row) if key is None else ("joined", key)].append(row)
    return list(rows.values())


def joined_records(
    records: Sequence[Record], units: Sequence[Sequence[int]], targets: npt.NDArray[np.int64]
) -> tuple[Record, ...]:
    """Return one record for each unit.

    Parameters
    ----------
    records : sequence of Record
        The records of the N images.
    units : sequence of sequence of int
        The rows of the images of each unit.
    targets : ndarray of shape (N,), dtype int64
        The target of each image.

    Returns
    -------
    tuple of Record
        The record of the image whose file name comes first, with the views of all images of the
        unit. Empty cells of further columns and of findings are filled in from the next image, by
        file name, that states the value. The label is that of an image with the highest target of
        the unit. Units stay tied if images of them are tied by patient or group, even through a
        third unit: their records have the same group.
    """
    ties = [(rows[0], row) for rows in units for row in rows[1:]]
    roots = connect(len(records), [*ties_of_records(records), *ties])
    first_file: dict[int, str] = {}  # first file name of each set of tied images
    for record, root in zip(records, roots, strict=True):
        first_file[root] = min(first_file.get(root, record.file), record.file)
    joined = []
    for rows in units:
        of_class = [row for row in rows if targets[row] == max(targets[rows])]
        images = sorted((records[row] for row in rows), key=lambda one: one.file)
        views = sorted({records[row].view for row in rows if records[row].view})
        joined.append(
            dataclasses.replace(
                images[0],
                **{name: _first(getattr(one, name) for one in images) for name in HEADER_COLUMNS},
                findings=_first_cells([one.findings for one in images]),
                kept=_first_cells([one.kept for one in images]),
                label=min((records[row] for row in of_class), key=lambda one: one.file).label,
                view=" and ".join(views),
                group=first_file[roots[rows[0]]],
            )
        )
    return tuple(joined)


def _first(cells: Iterable[str]) -> str:
    """Return the first cell that is not empty; empty if all are."""
    return next((cell for cell in cells if cell.strip()), "")


def _first_cells(rows: Sequence[tuple[tuple[str, str], ...]]) -> tuple[tuple[str, str], ...]:
    """Return each column with its first cell, from the first row on, that is not empty."""
    if len(set(rows)) == 1:
        return rows[0]
    cells = [dict(row) for row in rows]
    columns = dict.fromkeys(name for row in cells for name in row)
    return tuple((name, _first(row.get(name, "") for row in cells)) for name in columns)
