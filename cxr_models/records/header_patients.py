"""Choice of DICOM images by their patient, if only the header states the patient.

Records contain a pseudonym of such a patient, or nothing, so records cannot be compared.
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cxr_enhance import usable_cpus
from cxr_enhance.io import dicom_attributes
from cxr_models.records.index import Skipped
from cxr_models.records.patients import normalised_id
from cxr_models.records.scan import may_be_dicom
from cxr_models.records.selection import NOT_ASKED_FOR

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from cxr_models.records.index import Index
    from cxr_models.records.manifest import Record


def keep_patients(
    index: Index,
    source: Path,
    patients: Collection[str],
    *,
    name_patient: Callable[[str], str] | None = None,
    progress: Callable[[], object] | None = None,
) -> Index:
    """Skip the DICOM images without a stated patient whose header states none of some patients.

    Parameters
    ----------
    index : Index
        Records before headers were read. Their file names are relative to `source`.
    source : Path
        Folder of the files.
    patients : collection of str
        Patients to keep, by the id in the header or by the name that `name_patient` gives it.
    name_patient : callable, optional
        See `cxr_models.records.examine.examine`.
    progress : callable, optional
        Function without arguments that is called after each skipped file, from several threads.

    Returns
    -------
    Index
        The kept records. The other files are in ``skipped``; the reason does not contain the id,
        which may be secret. Files that cannot be read are kept: opening them gives the reason.
    """

    def is_kept(record: Record) -> bool:
        if record.patient or not may_be_dicom(record.file):
            return True
        try:
            patient = dicom_attributes(source / record.file).get("patient", "")
        except (OSError, ValueError):
            return True
        names = {patient}
        if name_patient is not None and normalised_id(patient):
            names.add(name_patient(patient))
        if names.isdisjoint(patients) and progress is not None:
            progress()
        return not names.isdisjoint(patients)

    with ThreadPoolExecutor(usable_cpus()) as pool:
        kept = list(pool.map(is_kept, index.records))
    pairs = list(zip(index.records, kept, strict=True))
    skipped = [
        Skipped(file=record.file, reason=f"patient {NOT_ASKED_FOR}")
        for record, is_asked_for in pairs
        if not is_asked_for
    ]
    return dataclasses.replace(
        index,
        records=tuple(record for record, is_asked_for in pairs if is_asked_for),
        skipped=(*index.skipped, *skipped),
    )
