"""Records from class folders or from CSVs of other origin, without opening an image.

`cxr_models.records.examine` opens the images. This module does not use models or make splits.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cxr_models._outputs import Kind, first_line
from cxr_models.records.choices import ALL, Choices
from cxr_models.records.csv_rows import rows_of_csvs
from cxr_models.records.labels import remark_on_spellings
from cxr_models.records.layouts import Layout
from cxr_models.records.layouts.facts import ImageRow
from cxr_models.records.manifest import (
    Record,
    check_files_differ,
)
from cxr_models.records.patients import remark_on_rounded
from cxr_models.records.recording import (
    UNCERTAIN_REASON,
    UNKNOWN_REASON,
    record_rows,
    searched,
)
from cxr_models.records.scan import NO_TEXT, as_text, find_images
from cxr_models.records.selection import HEADER_FIELDS, NOT_ASKED_FOR, reason_to_leave_out

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from cxr_models.records.recording import Recorded
    from cxr_models.records.scan import FolderListing


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that is in no record, and the reason."""

    file: str
    reason: str

    def is_intended(self) -> bool:
        """Return whether a choice of the user, a default or the set leaves the file out.

        The result is False for errors, such as a file that cannot be read.
        """
        return self.reason.endswith(NOT_ASKED_FOR) or self.reason.startswith(_INTENDED_REASONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A pair of files, one of which is a copy of the other."""

    file: str  # file, other: names of the two files
    other: str
    kind: str  # one of `cxr_models.records.copies.KINDS`
    bits: int  # number of bits, of 256, in which the hashes differ
    label: str  # label, other_label: labels of the two files
    other_label: str


DUPLICATE = "a duplicate of "  # start of the reason for a dropped copy
SECOND_COPY = "a second copy of "  # start of the reason for a file that a set contains twice
UNLABELLED = "the set gives it no label"
UNLISTED = "the tables of the set do not list it"
_INTENDED_REASONS = (
    DUPLICATE, SECOND_COPY, UNLABELLED, UNLISTED, UNCERTAIN_REASON, UNKNOWN_REASON,
)  # fmt: skip
_NO_LABELS = frozenset(("train", "val", "test", "valid", "validation", "masks", "mask"))
SKIPPED_COLUMNS = tuple(field.name for field in dataclasses.fields(Skipped))
SKIPPED = Kind(
    "a list of skipped files that cxr-models index wrote",
    lambda path: first_line(path) == ",".join(SKIPPED_COLUMNS).encode(),
)
DUPLICATES_COLUMNS = tuple(field.name for field in dataclasses.fields(Duplicate))
DUPLICATES = Kind(
    "a list of duplicates that cxr-models index wrote",
    lambda path: first_line(path) == ",".join(DUPLICATES_COLUMNS).encode(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Result of indexing: records, skipped files, copies and counts."""

    records: tuple[Record, ...]  # usable radiographs
    # unreadable files, files and rows without a label, and files that are left out by choice
    skipped: tuple[Skipped, ...]
    # files under the folder that are not images, by name or content
    other_files: tuple[str, ...] = ()
    # all pairs in which one image is a copy of the other, including dropped copies
    duplicates: tuple[Duplicate, ...] = ()
    listed: int = 0  # number of images that a set or a CSV lists
    absent: int = 0  # number of these images whose file does not exist
    # number of records whose label was made from several present findings
    num_several_findings: int = 0
    # files whose DICOM header has a patient id that is not written; groups connect these images
    unnamed: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()  # sentences about rows of CSVs that could not be joined

    def doubts(self) -> list[str]:
        """Return `remarks`, and sentences on patient ids and labels that look wrong."""
        labels = remark_on_spellings(record.label for record in self.records)
        return [text for text in (*self.remarks, remark_on_rounded(self.records), labels) if text]


def index_of(recorded: Recorded, skipped: Sequence[Skipped] = ()) -> Index:
    """Return the index of records that were made from rows.

    Raises
    ------
    ValueError
        If a file is listed twice.
    """
    check_files_differ(recorded.records)
    # A file may have several rows, of which a choice keeps at most one.
    used = {record.file for record in recorded.records}
    left_out: dict[str, Skipped] = {}
    for file, reason in recorded.left_out:
        if file not in used:
            left_out.setdefault(file, Skipped(file=file, reason=reason))
    return Index(
        records=tuple(recorded.records),
        skipped=(*skipped, *left_out.values()),
        listed=recorded.listed,
        absent=recorded.absent,
        num_several_findings=recorded.num_several_findings,
    )


def index_folder(
    source: str | os.PathLike[str],
    layout: Layout | None = None,
    choices: Choices | None = None,
    *,
    listing: FolderListing | None = None,
) -> Index:
    """List the radiographs under a folder, with labels and patients from their paths.

    Parameters
    ----------
    source : str or PathLike
        Folder of the images. If the layout has no ``label_pattern``, the names of the first-level
        subfolders are the labels.
    layout : Layout, optional
        Patterns that find labels and patients in paths. None takes labels from folders and no
        patients.
    choices : Choices, optional
        Choice of the images to keep. Views and modalities in DICOM headers are not known yet.
        None uses the default choices.
    listing : FolderListing, optional
        Files under `source`. None lists the files.

    Returns
    -------
    Index
        Records in the order of their file names, which are relative to `source`. No image is
        decoded.

    Raises
    ------
    NotADirectoryError
        If `source` is not a folder.
    ValueError
        If no image has a label, or a folder has the name of a part of a split or of masks instead
        of a label.
    """
    layout = layout or Layout()
    source = Path(source)
    if not source.is_dir():
        raise NotADirectoryError(f"`SOURCE` must be a folder; got {str(source)!r}.")
    listing = listing or find_images(source)
    if not layout.label_pattern:
        _check_folders_are_labels(listing.images)
    rows = []
    skipped = [Skipped(file=name, reason=reason) for name, reason in listing.unentered]
    for file in sorted(listing.images):
        if layout.non_radiographs and re.search(layout.non_radiographs, file):
            continue
        label = _label_of(file, layout)
        if not label or as_text(file) != file:
            reason = NO_TEXT if label else "no label in its path"
            skipped.append(Skipped(file=as_text(file), reason=reason))
            continue
        rows.append(
            ImageRow(
                file=file,
                label=layout.labels.get(label, label),
                patient=searched(layout.patient_pattern, file),
                source=layout.source,
            )
        )
    if not rows:
        _raise_no_labels(source, listing)
    index = index_of(record_rows(rows, choices or Choices()), skipped)
    return dataclasses.replace(index, other_files=listing.other_files)


def _raise_no_labels(source: Path, listing: FolderListing) -> NoReturn:
    """Raise the ValueError for a folder without images, or without labels for its images."""
    if listing.images:
        lacking = "where no image has a label. Name the layout, or say where labels stand."
    elif listing.unentered:
        name, reason = listing.unentered[0]
        lacking = f"where no image was found and {name!r} is not looked into: {reason}. Index it."
    else:
        lacking = "where no image was found. Unpack the images into it, or name another folder."
    raise ValueError(
        f"`SOURCE` must hold one folder of images for each label; got {str(source)!r}, {lacking}"
    )


def _check_folders_are_labels(images: Sequence[str]) -> None:
    """Raise ValueError if a first-level folder is named like a part of a split or like masks."""
    folders = {tuple(file.split("/")[:2]) for file in images if "/" in file}
    wrong = sorted({first for first, _ in folders if first.lower() in _NO_LABELS})
    if not wrong:
        return
    cure = "Index the folder of images alone, or name a public set with --layout (--list-layouts)."
    if not {name.lower() for name in wrong} <= {"masks", "mask"} and any(
        file.count("/") > 1 for file in images if file.split("/", 1)[0] in wrong
    ):
        cure = (
            "Where each holds one folder a label, say --layout split-folders; name a public set "
            "with --layout (--list-layouts)."
        )
    raise ValueError(
        f"`SOURCE` must hold one folder of images for each label; got the folders "
        f"{', '.join(wrong)}, which are no labels. {cure}"
    )


def index_csv(
    source: str | os.PathLike[str],
    csvs: Sequence[str | os.PathLike[str]],
    layout: Layout,
    choices: Choices | None = None,
) -> Index:
    """List the radiographs of one CSV, or of several CSVs joined on their common columns.

    Parameters
    ----------
    source : str or PathLike
        Folder to which the file names in the CSV are relative. It is only read for names with
        blanks around them, which are removed if no file has the name as it is in the CSV.
    csvs : sequence of str or PathLike
        Paths of the CSVs. The first CSV lists the files. Each other CSV adds columns to its rows;
        see `cxr_models.records.joined_tables.join_tables`.
    layout : Layout
        Source of each column of the manifest. A column ``finding:NAME`` is a finding. If
        ``patient_pattern`` is not empty, it finds the patient id in the file name where the column
        ``patient`` states none.
    choices : Choices, optional
        Choice of the images to keep, and of their labels. None keeps all views and modalities,
        and the parts of a column ``split``.

    Returns
    -------
    Index
        Records in the order of the CSV. Rows without a file or a label are in ``skipped``.

    Raises
    ------
    ValueError
        If a column is missing, CSVs cannot be joined, a finding has a value that is not allowed, a
        file is listed twice, or no row has a label.
    OSError
        If a CSV cannot be read.
    """
    everything = frozenset((ALL,))
    choices = choices or Choices(views=everything, modalities=everything, official_split=True)
    table = rows_of_csvs(source, csvs, layout, choices)
    unused = [Skipped(file=file, reason=reason) for file, reason in table.unused]
    index = index_of(record_rows(table.rows, choices, columns=table.columns), unused)
    return dataclasses.replace(index, remarks=tuple(table.remarks))


def keep_labels(index: Index, labels: Mapping[str, str]) -> Index:
    """Rename labels, and skip the records of all other labels.

    Parameters
    ----------
    index : Index
        Records to rename.
    labels : mapping of str to str
        New name of each label to keep. If it is empty, all records are kept unchanged.

    Returns
    -------
    Index
        The kept records. Files of other labels are in ``skipped``, each with the reason.

    Raises
    ------
    ValueError
        If no record has one of the labels.
    """
    if not labels:
        return index
    names = {record.label for record in index.records}
    unknown = [label for label in labels if label not in names]
    if unknown:
        raise ValueError(
            f"`labels` must name labels that occur; got {', '.join(unknown)}. Found: "
            f"{', '.join(sorted(names))}."
        )
    records, skipped = [], list(index.skipped)
    for record in index.records:
        if record.label in labels:
            records.append(dataclasses.replace(record, label=labels[record.label]))
        else:
            skipped.append(
                Skipped(file=record.file, reason=f"label {record.label!r} {NOT_ASKED_FOR}")
            )
    return dataclasses.replace(index, records=tuple(records), skipped=tuple(skipped))


def keep_chosen(index: Index, choices: Choices) -> Index:
    """Skip the records whose view, modality or other value of a header does not match the choices.

    Only columns that DICOM headers fill are compared. All other columns were compared with the
    values of the set when its rows were read; records need not have these values any more.
    """
    where = {name: values for name, values in choices.where.items() if name in HEADER_FIELDS}
    choices = dataclasses.replace(choices, where=where)
    records, skipped = [], list(index.skipped)
    for record in index.records:
        reason = reason_to_leave_out(record, choices)
        if reason:
            skipped.append(Skipped(file=record.file, reason=reason))
        else:
            records.append(record)
    return dataclasses.replace(index, records=tuple(records), skipped=tuple(skipped))


def _label_of(file: str, layout: Layout) -> str:
    if layout.label_pattern:
        return searched(layout.label_pattern, file)
    first, _, rest = file.partition("/")
    return first if rest else ""
