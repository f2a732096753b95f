"""Recognition of the public set in a folder, and its index; no image is decoded."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from cxr_models.records.choices import Choices
from cxr_models.records.exports import is_export
from cxr_models.records.index import SECOND_COPY, UNLABELLED, UNLISTED, Index, Skipped, index_of
from cxr_models.records.layouts.facts import ReadOptions
from cxr_models.records.layouts.known import SETS
from cxr_models.records.layouts.unpack import Unpacker
from cxr_models.records.recording import record_rows

if TYPE_CHECKING:
    from pathlib import Path

    from cxr_models.records.layouts.facts import KnownSet
    from cxr_models.records.layouts.tree import Tree


def recognise(tree: Tree) -> KnownSet | None:
    """Return the public set in a folder; None if the folder contains no known set.

    A folder that an archive of DICOM files exported counts as the set "dicom".

    Parameters
    ----------
    tree : Tree
        The folder.

    Raises
    ------
    ValueError
        If the folder fits several sets.
    """
    fitting = [known_set for known_set in SETS.values() if known_set.fits(tree)]
    if len(fitting) > 1:
        raise ValueError(
            f"`SOURCE` must hold one set; got {str(tree.root)!r}, which looks like "
            f"{', '.join(known_set.title for known_set in fitting)}. Index the folder of one of "
            "them, or name it with --layout: "
            f"{', '.join(known_set.name for known_set in fitting)}."
        )
    if fitting:
        return fitting[0]
    return SETS["dicom"] if is_export(tree) else None


def index_set(
    tree: Tree, known_set: KnownSet, choices: Choices | None = None, *, unpack: Path | None = None
) -> Index:
    """List the radiographs of a public set in a folder, in the form in which it is downloaded.

    Parameters
    ----------
    tree : Tree
        Folder of the set. It must have been made with the columns that `choices` name.
    known_set : KnownSet
        The public set.
    choices : Choices, optional
        Choice of the images to keep, and of their labels. None uses the default choices.
    unpack : Path, optional
        Folder for the images of sets that contain raw pixels or arrays instead of image files.
        The images are written there as PNG.

    Returns
    -------
    Index
        Records in the order of the tables of the set. File names are relative to the folder.

    Raises
    ------
    ValueError
        If a table does not have the form that the set has, a column or finding of `choices` does
        not exist, or no image of the set exists.
    OSError
        If a table is missing or cannot be read.
    """
    choices = choices or Choices()
    rows = known_set.read(tree, ReadOptions(rows=choices.rows, unpack=Unpacker(unpack)))
    recorded = record_rows(rows, choices, columns=tree.columns)
    if not recorded.records and not recorded.left_out:
        raise ValueError(
            f"`SOURCE` must hold images of {known_set.title}; got {str(tree.root)!r}, where none "
            f"of {recorded.listed:,} that its tables list is. Unpack the images into it."
        )
    unentered = [Skipped(file=file, reason=reason) for file, reason in tree.listing.unentered]
    index = index_of(recorded, unentered)
    skipped = (*index.skipped, *_unused(tree, known_set, index))
    return dataclasses.replace(index, skipped=skipped, other_files=tree.listing.other_files)


def _unused(tree: Tree, known_set: KnownSet, index: Index) -> list[Skipped]:
    """Return the images of the folder that are in no row of the tables, each with the reason."""
    used = {record.file for record in index.records} | {entry.file for entry in index.skipped}
    unused = [file for file in tree.listing.images if file not in used]
    same_stem = tree.used_with_same_stem(used, unused)
    skipped = []
    for file in unused:
        if known_set.non_radiographs and re.search(known_set.non_radiographs, file, re.IGNORECASE):
            continue
        if known_set.unlabelled and re.search(known_set.unlabelled, file, re.IGNORECASE):
            reason = UNLABELLED
        else:
            reason = SECOND_COPY + same_stem[file] if file in same_stem else UNLISTED
        skipped.append(Skipped(file=file, reason=reason))
    return skipped
