"""Class folders or foreign CSVs to records; no image is opened, see `cxr_models.records.examine`.

Knows nothing of splits or models.
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
from cxr_models.records.layouts import Layout
from cxr_models.records.layouts.facts import ImageRow
from cxr_models.records.manifest import (
    Record,
    check_files_differ,
)
from cxr_models.records.recording import UNCERTAIN_REASON, record_rows, searched
from cxr_models.records.scan import NO_TEXT, as_text, find_images
from cxr_models.records.selection import NOT_ASKED_FOR, is_of_manifest, reason_to_leave_out

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from cxr_models.records.recording import Recorded
    from cxr_models.records.scan import FolderListing


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that is in no record, and why."""

    file: str
    reason: str

    def is_intended(self) -> bool:
        """Return whether the user, a default or the set itself leaves the file out."""
        return self.reason.endswith(NOT_ASKED_FOR) or self.reason.startswith(_INTENDED_REASONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Two files of which one shows a copy of the other, and how alike they are."""

    file: str  # file, other: the files
    other: str
    kind: str  # one of `cxr_models.records.copies.KINDS`
    bits: int  # in how many bits of 256 their hashes differ
    label: str  # label, other_label: the labels of the two files
    other_label: str


DUPLICATE = "a duplicate of "  # how the reason of a dropped copy begins
SECOND_COPY = "a second copy of "  # how the reason of a file begins that a set holds twice
UNLABELLED = "the set gives it no label"
UNLISTED = "the tables of the set do not list it"
_INTENDED_REASONS = (DUPLICATE, SECOND_COPY, UNLABELLED, UNLISTED, UNCERTAIN_REASON)
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
    """The result of indexing."""

    records: tuple[Record, ...]  # usable radiographs
    skipped: tuple[Skipped, ...]  # files that cannot be read, and rows or files without a label
    # files under the folder that are no images by their names or content
    other_files: tuple[str, ...] = ()
    # all pairs of images of which one is a copy of the other, dropped ones among them
    duplicates: tuple[Duplicate, ...] = ()
    # listed, absent: number of images that a set or a CSV names, and of those that do not exist
    listed: int = 0
    absent: int = 0
    several: int = 0  # records with several findings whose label is made of them


def index_of(recorded: Recorded, skipped: Sequence[Skipped] = ()) -> Index:
    """Return the index of records that were made of rows.

    Raises
    ------
    ValueError
        If a file is listed twice.
    """
    check_files_differ(recorded.records)
    left_out = [Skipped(file=file, reason=reason) for file, reason in recorded.left_out]
    return Index(
        records=tuple(recorded.records),
        skipped=(*skipped, *left_out),
        listed=recorded.listed,
        absent=recorded.absent,
        several=recorded.several,
    )


def index_folder(
    source: str | os.PathLike[str],
    layout: Layout | None = None,
    choices: Choices | None = None,
    *,
    listing: FolderListing | None = None,
) -> Index:
    """List the radiographs under a folder; labels and patients come from their paths.

    Parameters
    ----------
    source : str or PathLike
        Folder; without a ``label_pattern`` its subfolders are the labels.
    layout : Layout, optional
        Patterns of labels and patients in paths; None takes labels from folders.
    choices : Choices, optional
        Which images to keep; views and modalities of DICOM headers are not known yet.
    listing : FolderListing, optional
        Files under `source`; None lists them.

    Returns
    -------
    Index
        Files named relative to `source`, sorted; not decoded yet.

    Raises
    ------
    NotADirectoryError
        If `source` is no folder.
    ValueError
        If nothing under it has a label, or folders are parts of a split or masks and no labels.
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
        if layout.passed_over and re.search(layout.passed_over, file):
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
    """Say whether images or their labels are lacking."""
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
    """Raise where first folders are named as parts of a split or as masks, which are no labels."""
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
    """List the radiographs of one CSV, or of several joined on the columns they share.

    Parameters
    ----------
    source : str or PathLike
        Folder that file names in the CSV start from.
    csvs : sequence of str or PathLike
        The first lists the files; others add columns to its rows.
    layout : Layout
        What each column of the manifest is made of; `patient_pattern`, where set, is searched in
        the file's name. A column ``finding:NAME`` is a finding.
    choices : Choices, optional
        Labels and rows to make of it; without words of a view all are kept.

    Returns
    -------
    Index
        In the order of the CSV; rows without a label are in `skipped`.

    Raises
    ------
    ValueError
        If a column is missing, two CSVs share none, or no row has a label.
    OSError
        If a CSV cannot be read.
    """
    everything = frozenset((ALL,))
    choices = choices or Choices(views=everything, modalities=everything, official_split=True)
    table = rows_of_csvs(csvs, layout, choices)
    unused = [Skipped(file=file, reason=reason) for file, reason in table.unused]
    index = index_of(record_rows(table.rows, choices, columns=table.columns), unused)
    if not any(table.groups.values()):
        return index
    records = (
        dataclasses.replace(record, group=table.groups[record.file]) for record in index.records
    )
    return dataclasses.replace(index, records=tuple(records))


def keep_labels(index: Index, labels: Mapping[str, str]) -> Index:
    """Rename labels and leave out, with a reason, records of labels that are not named.

    Raises
    ------
    ValueError
        If a label named does not occur.
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
    """Leave out, with a reason, records whose view, modality or columns are not asked for.

    Columns of a set, which records need not hold, were looked at when its rows were read.
    """
    where = {name: values for name, values in choices.where.items() if is_of_manifest(name)}
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
