"""Every file of an index opened once: readable, of whom, a copy of what; then records are grouped.

Without decoding, headers of DICOM files alone are read.

Knows nothing of splits or models.
"""

from __future__ import annotations

import dataclasses
import os
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
from cxr_models.records.patients import same_id
from cxr_models.records.scan import may_be_dicom
from cxr_models.records.ties import connect, ties_of_records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.records.copies import Copy
    from cxr_models.records.fingerprints import Fingerprint
    from cxr_models.records.hashes import KeptHashes
    from cxr_models.records.manifest import Record


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
    """Decode every file: leave out what cannot be read, group duplicates and patients.

    Parameters
    ----------
    index : Index
        Records whose file names start from `source`.
    source : str or PathLike
        Folder.
    max_distance : int, default 32
        See `cxr_models.records.duplicates.near_pairs`.
    name_patient : callable, optional
        What to write in place of a patient id that the header of a DICOM file tells; None writes
        none. Ids of paths and CSVs go before it and are written as they are.
    drop_duplicates : bool, default False
        Whether of images that are copies of each other the first one alone is kept.
    hashes : KeptHashes, optional
        What is known of files that were decoded before; those of other files are added to it.
    progress : callable, optional
        Called once a file.

    Returns
    -------
    Index
        Records with ``group``, ``pixels`` and ``hash`` set, and what DICOM headers tell where
        nothing else did. Images tied by patient, copy or an earlier group, directly or through
        others, share a group, though what tied them was dropped. Unreadable and dropped files are
        in `skipped` with the reason.
    """

    def look(record: Record) -> _Look | str:
        path = os.path.join(source, record.file)
        try:
            made = hashes.get(path) if hashes is not None else None
            if made is None:
                made = fingerprint(cxr_enhance.read_image(path))
                if hashes is not None:
                    hashes.add(path, made)
            return _Look(made, dicom_attributes(path))
        except Exception as error:  # one bad file must not keep the others out
            return str(error) or type(error).__name__
        finally:
            if progress is not None:
                progress()

    with ThreadPoolExecutor(usable_cpus()) as pool:
        looks = list(pool.map(look, index.records))
    records: list[Record] = []
    fingerprints, named, skipped = [], [], list(index.skipped)
    for record, seen in zip(index.records, looks, strict=True):
        if isinstance(seen, str):
            skipped.append(Skipped(file=record.file, reason=seen))
            continue
        named.append(_named(record, seen.attributes.get("patient", ""), name_patient))
        records.append(_with_attributes(record, seen.attributes))
        fingerprints.append(seen.fingerprint)
    copies = find_copies(fingerprints, max_distance=max_distance)
    pairs = [(copy.first, copy.second) for copy in copies]
    roots = connect(len(records), [*ties_of_records(records), *pairs])
    names: dict[int, str] = {}
    grouped = [
        dataclasses.replace(
            record,
            patient=patient,
            group=names.setdefault(root, f"g{len(names):06d}"),
            **one.columns(),
        )
        for record, patient, root, one in zip(records, named, roots, fingerprints, strict=True)
    ]
    if drop_duplicates:
        grouped, dropped = _first_ones(grouped, copies)
        skipped += dropped
    return dataclasses.replace(
        index,
        records=tuple(grouped),
        skipped=tuple(skipped),
        duplicates=tuple(_duplicate(records, copy) for copy in copies),
    )


def read_headers(
    index: Index,
    source: str | os.PathLike[str],
    *,
    name_patient: Callable[[str], str] | None = None,
    progress: Callable[[], object] | None = None,
) -> Index:
    """Fill what DICOM headers tell and decode nothing: no copies are found, no groups are made.

    Parameters
    ----------
    index, source, name_patient, progress
        As `examine` takes them.

    Returns
    -------
    Index
        Files that cannot be read are in `skipped` with the reason. Images of one patient whom the
        header tells and nobody names share a group.
    """

    def look(record: Record) -> dict[str, str] | str:
        path = os.path.join(source, record.file)
        try:
            return dicom_attributes(path)
        except (OSError, ValueError) as error:
            return str(error)

    telling = [record for record in index.records if may_be_dicom(record.file)]
    seen: dict[str, dict[str, str] | str] = {}
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for record, header in zip(telling, pool.map(look, telling), strict=True):
            seen[record.file] = header
            if progress is not None:
                progress()
    if not seen:
        return index
    records, skipped = [], list(index.skipped)
    unnamed: dict[str, str] = {}
    for record in index.records:
        header = seen.get(record.file, {})
        if isinstance(header, str):
            skipped.append(Skipped(file=record.file, reason=header))
            continue
        told = header.get("patient", "")
        patient = _named(record, told, name_patient)
        group = record.group
        if not group and not same_id(patient) and same_id(told):
            group = unnamed.setdefault(same_id(told), f"g{len(unnamed):06d}")
        filled = _with_attributes(record, header)
        records.append(dataclasses.replace(filled, patient=patient, group=group))
    return dataclasses.replace(index, records=tuple(records), skipped=tuple(skipped))


def patient_of(path: str | os.PathLike[str]) -> str:
    """Return the patient as a DICOM header words it; empty where the file does not tell."""
    try:
        return dicom_attributes(path).get("patient", "")
    except (OSError, ValueError):
        return ""  # whoever reads the image says why


def _with_attributes(record: Record, attributes: dict[str, str]) -> Record:
    """Fill what a record does not tell yet; the patient as the header words it, for the ties."""
    lacking: dict[str, Any] = {  # `dataclasses.replace` takes fields of any type
        name: text for name, text in attributes.items() if not getattr(record, name)
    }
    if "age" in lacking:  # some sets write 51 for 051Y
        lacking["age"] = age_of(lacking["age"])
    if "patient" in attributes and not same_id(record.patient):
        lacking["patient"] = attributes["patient"]
    return dataclasses.replace(record, **lacking)


def _named(record: Record, of_header: str, name_patient: Callable[[str], str] | None) -> str:
    """Name the patient; a header's word such as ANONYMOUS would tie all images that bear it."""
    if same_id(record.patient) or name_patient is None or not same_id(of_header):
        return record.patient
    return name_patient(of_header)


def _first_ones(
    records: Sequence[Record], copies: Sequence[Copy]
) -> tuple[list[Record], list[Skipped]]:
    kept, dropped = [], []
    roots = connect(len(records), [(copy.first, copy.second) for copy in copies])
    for place, (record, root) in enumerate(zip(records, roots, strict=True)):
        if place == root:
            kept.append(record)
        else:
            dropped.append(Skipped(file=record.file, reason=DUPLICATE + records[root].file))
    return kept, dropped


def _duplicate(records: Sequence[Record], copy: Copy) -> Duplicate:
    one, other = records[copy.first], records[copy.second]
    return Duplicate(
        file=one.file,
        other=other.file,
        kind=copy.kind,
        bits=copy.bits,
        label=one.label,
        other_label=other.label,
    )
