"""Examination of the files of an index: readability, DICOM headers, patients and copies.

Every file is opened once. Records of one patient, and records of copies of one image, get one
group. `read_headers` reads only the headers of DICOM files and decodes no image.

This module does not use splits or models.
"""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import cxr_enhance
from cxr_enhance import usable_cpus
from cxr_enhance.io import dicom_attributes
from cxr_models.records.copies import find_copies
from cxr_models.records.duplicates import MAX_DISTANCE
from cxr_models.records.fingerprints import fingerprint
from cxr_models.records.index import DUPLICATE, Duplicate, Index, Skipped
from cxr_models.records.layouts.values import age_of
from cxr_models.records.manifest import Record
from cxr_models.records.patients import normalised_id
from cxr_models.records.scan import may_be_dicom
from cxr_models.records.ties import components, connect, ties_of_records, with_new_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from cxr_models.records.copies import Copy
    from cxr_models.records.fingerprints import Fingerprint
    from cxr_models.records.hashes import KeptHashes


class _Look(NamedTuple):
    fingerprint: Fingerprint
    attributes: dict[str, str]


def examine(
    index: Index,
    source: str | os.PathLike[str],
    *,
    max_distance: int = MAX_DISTANCE,
    name_patient: Callable[[str], str] | None = None,
    drop_duplicates: bool = False,
    hashes: KeptHashes | None = None,
    progress: Callable[[], object] | None = None,
) -> Index:
    """Decode every file, skip unreadable files, and group the records by patients and copies.

    Parameters
    ----------
    index : Index
        Records to examine. Their file names are relative to `source`.
    source : str or PathLike
        Folder of the files.
    max_distance : int, default 32
        Largest number of bits, of 256, in which the hashes of near copies may differ.
    name_patient : callable, optional
        Function from a patient id in a DICOM header to the name that the record gets. None writes
        no name. Patient ids from paths and CSVs take precedence and are written unchanged.
    drop_duplicates : bool, default False
        Whether only the first of several copies of an image is kept.
    hashes : KeptHashes, optional
        Fingerprints of files that were decoded before. Fingerprints of other files are added to
        it. None decodes all files.
    progress : callable, optional
        Function without arguments that is called after each file, from several threads.

    Returns
    -------
    Index
        Records with ``group``, ``pixels`` and ``hash`` set. Their empty fields are filled from
        DICOM headers. Images share a group if they are connected by a patient, a copy or an
        earlier group, directly or through other images; the connecting image may be a dropped
        one. Unreadable and dropped files are in ``skipped``, each with the reason.

    Notes
    -----
    Files are decoded in threads on all usable CPUs.
    """

    def look(record: Record) -> _Look | str:
        path = os.path.join(source, record.file)
        try:
            image_fingerprint = hashes.get(path) if hashes is not None else None
            if image_fingerprint is None:
                image_fingerprint = fingerprint(cxr_enhance.read_image(path))
                if hashes is not None:
                    hashes.add(path, image_fingerprint)
            return _Look(image_fingerprint, dicom_attributes(path))
        except Exception as error:  # one bad file must not stop the rest
            return str(error) or type(error).__name__
        finally:
            if progress is not None:
                progress()

    with ThreadPoolExecutor(usable_cpus()) as pool:
        looks = list(pool.map(look, index.records))
    records: list[Record] = []
    fingerprints, patients, skipped = [], [], list(index.skipped)
    for record, outcome in zip(index.records, looks, strict=True):
        if isinstance(outcome, str):
            skipped.append(Skipped(file=record.file, reason=outcome))
            continue
        patients.append(_patient_name(record, outcome.attributes.get("patient", ""), name_patient))
        records.append(_with_attributes(record, outcome.attributes))
        fingerprints.append(outcome.fingerprint)
    copies = find_copies(fingerprints, max_distance=max_distance)
    pairs = [(copy.first, copy.second) for copy in copies]
    roots = connect(len(records), [*ties_of_records(records), *pairs])
    names: dict[int, str] = {}
    grouped = [
        dataclasses.replace(
            record,
            patient=patient,
            group=names.setdefault(root, f"g{len(names):06d}"),
            **image_hashes.columns(),
        )
        for record, patient, root, image_hashes in zip(
            records, patients, roots, fingerprints, strict=True
        )
    ]
    unnamed = _unnamed(records, grouped)
    if drop_duplicates:
        grouped, dropped = _without_copies(grouped, copies)
        skipped += dropped
    return dataclasses.replace(
        index,
        records=tuple(grouped),
        skipped=tuple(skipped),
        unnamed=unnamed,
        duplicates=tuple(_duplicate(records, copy) for copy in copies),
    )


def read_headers(
    index: Index,
    source: str | os.PathLike[str],
    *,
    name_patient: Callable[[str], str] | None = None,
    progress: Callable[[], object] | None = None,
) -> Index:
    """Fill empty fields of records from DICOM headers, without decoding images.

    Copies are not found and not grouped.

    Parameters
    ----------
    index, source, name_patient, progress
        See `examine`. `progress` is called once for each file that may be DICOM.

    Returns
    -------
    Index
        Records with filled fields. DICOM images of one patient share a group if the names that are
        written for them do not connect them. Files that cannot be read are in ``skipped``, each
        with the reason.
    """

    def look(record: Record) -> dict[str, str] | str:
        path = os.path.join(source, record.file)
        try:
            return dicom_attributes(path)
        except (OSError, ValueError) as error:
            return str(error)

    dicom_records = [record for record in index.records if may_be_dicom(record.file)]
    headers: dict[str, dict[str, str] | str] = {}
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for record, header in zip(dicom_records, pool.map(look, dicom_records), strict=True):
            headers[record.file] = header
            if progress is not None:
                progress()
    if not headers:
        return index
    known: list[Record] = []  # with the patient ids of headers
    written: list[Record] = []
    skipped = list(index.skipped)
    for record in index.records:
        header = headers.get(record.file, {})
        if isinstance(header, str):
            skipped.append(Skipped(file=record.file, reason=header))
            continue
        known.append(_with_attributes(record, header))
        patient = _patient_name(record, header.get("patient", ""), name_patient)
        written.append(dataclasses.replace(known[-1], patient=patient))
    unnamed = _unnamed(known, written)
    return dataclasses.replace(
        index,
        records=tuple(_with_groups_of_patients(known, written, unnamed)),
        skipped=tuple(skipped),
        unnamed=unnamed,
    )


def _unnamed(known: Sequence[Record], written: Sequence[Record]) -> frozenset[str]:
    """Return the files whose patient is known from the header, but is not written."""
    return frozenset(
        record.file
        for record, of_header in zip(written, known, strict=True)
        if normalised_id(of_header.patient) and not normalised_id(record.patient)
    )


def _with_groups_of_patients(
    known: Sequence[Record], written: Sequence[Record], unnamed: Collection[str]
) -> list[Record]:
    """Group records of one patient whose names, as they are written, do not connect them.

    Names do not connect them if they are not written, or are pseudonyms of two spellings of one id.
    """
    roots = components(known)
    pieces: dict[int, set[int]] = defaultdict(set)
    for root, piece in zip(roots, components(written), strict=True):
        pieces[root].add(piece)
    joined = (
        root
        for root, record in zip(roots, written, strict=True)
        if len(pieces[root]) > 1 or (record.file in unnamed and not record.group)
    )
    return with_new_groups(written, roots, joined, prefix="g")


def patient_of(path: str | os.PathLike[str]) -> str:
    """Return the patient id in a DICOM header; empty if it has no id or cannot be read."""
    try:
        return dicom_attributes(path).get("patient", "")
    except (OSError, ValueError):
        return ""  # reading the image later raises the error


def record_of_header(path: str) -> Record:
    """Return a record with the patient and study of a DICOM header, and the label "not stated".

    The fields are empty if the file has no DICOM header or cannot be read.
    """
    try:
        header = dicom_attributes(path)
    except (OSError, ValueError):
        header = {}  # reading the image later raises the error
    patient, study = header.get("patient", ""), header.get("study", "")
    return Record(file=path, label="not stated", patient=patient, study=study)


def _with_attributes(record: Record, attributes: dict[str, str]) -> Record:
    """Return the record with its empty fields filled from the attributes of a DICOM header.

    A missing patient id is filled, too, so that images of one patient can be grouped.
    """
    lacking: dict[str, Any] = {  # `dataclasses.replace` takes fields of any type
        name: text for name, text in attributes.items() if not getattr(record, name)
    }
    if "age" in lacking:  # some sets write 51 for 051Y
        lacking["age"] = age_of(lacking["age"])
    if "patient" in attributes and not normalised_id(record.patient):
        lacking["patient"] = attributes["patient"]
    return dataclasses.replace(record, **lacking)


def _patient_name(record: Record, of_header: str, name_patient: Callable[[str], str] | None) -> str:
    """Return the name of the patient for the manifest.

    A word such as ANONYMOUS in a header is not a patient id: it would connect all images with it.
    """
    if normalised_id(record.patient) or name_patient is None or not normalised_id(of_header):
        return record.patient
    return name_patient(of_header)


def _without_copies(
    records: Sequence[Record], copies: Sequence[Copy]
) -> tuple[list[Record], list[Skipped]]:
    firsts, skipped = [], []
    roots = connect(len(records), [(copy.first, copy.second) for copy in copies])
    for place, (record, root) in enumerate(zip(records, roots, strict=True)):
        if place == root:
            firsts.append(record)
        else:
            skipped.append(Skipped(file=record.file, reason=DUPLICATE + records[root].file))
    return firsts, skipped


def _duplicate(records: Sequence[Record], copy: Copy) -> Duplicate:
    first, second = records[copy.first], records[copy.second]
    return Duplicate(
        file=first.file,
        other=second.file,
        kind=copy.kind,
        bits=copy.bits,
        label=first.label,
        other_label=second.label,
    )
