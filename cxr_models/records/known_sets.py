"""Which public set a folder holds, and its index; no image is opened."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from cxr_models.records.choices import Choices
from cxr_models.records.exports import is_export
from cxr_models.records.index import SECOND_COPY, UNLABELLED, UNLISTED, Index, Skipped, index_of
from cxr_models.records.layouts.facts import Reading
from cxr_models.records.layouts.known import SETS
from cxr_models.records.layouts.unpack import Unpacker
from cxr_models.records.recording import record_rows

if TYPE_CHECKING:
    from pathlib import Path

    from cxr_models.records.layouts.facts import KnownSet
    from cxr_models.records.layouts.tree import Tree


def recognise(tree: Tree) -> KnownSet | None:
    """Return the set that a folder holds; None where it is none that is known.

    Parameters
    ----------
    tree : Tree
        The folder.

    Raises
    ------
    ValueError
        If it holds several.
    """
    fitting = [known for known in SETS.values() if known.fits(tree)]
    if len(fitting) > 1:
        raise ValueError(
            f"`SOURCE` must hold one set; got {str(tree.root)!r}, which looks like "
            f"{', '.join(known.title for known in fitting)}. Index the folder of one of them, or "
            f"name it with --layout: {', '.join(known.name for known in fitting)}."
        )
    if fitting:
        return fitting[0]
    return SETS["dicom"] if is_export(tree) else None


def index_set(
    tree: Tree, known: KnownSet, choices: Choices | None = None, *, unpack: Path | None = None
) -> Index:
    """List the radiographs of a public set as it is downloaded.

    Parameters
    ----------
    tree : Tree
        Its folder, which gives the columns that `choices` name.
    known : KnownSet
        Which set it is.
    choices : Choices, optional
        Labels, views and rows to make of it.
    unpack : Path, optional
        Folder for the images of sets that hold raw pixels or arrays; they are written there as PNG.

    Returns
    -------
    Index
        Files named relative to the folder, in the order of the set's table; not decoded yet.

    Raises
    ------
    ValueError
        If a table is not as the set's are, a column or finding of `choices` is not there, or no
        image of the set is.
    OSError
        If a table is missing or cannot be read.
    """
    choices = choices or Choices()
    rows = known.read(tree, Reading(rows=choices.rows, unpack=Unpacker(unpack)))
    recorded = record_rows(rows, choices, columns=tree.columns)
    if not recorded.records and not recorded.left_out:
        raise ValueError(
            f"`SOURCE` must hold images of {known.title}; got {str(tree.root)!r}, where none of "
            f"{recorded.listed:,} that its tables list is. Unpack the images into it."
        )
    index = index_of(recorded, [Skipped(file=n, reason=why) for n, why in tree.found.unentered])
    skipped = (*index.skipped, *_unused(tree, known, index))
    return dataclasses.replace(index, skipped=skipped, others=tree.found.others)


def _unused(tree: Tree, known: KnownSet, index: Index) -> list[Skipped]:
    """Tell of images that are in no row of the set's tables."""
    used = {record.file for record in index.records} | {one.file for one in index.skipped}
    unused = [file for file in tree.found.images if file not in used]
    twins = tree.twins(used, unused)
    skipped = []
    for file in unused:
        if known.passed_over and re.search(known.passed_over, file):
            continue
        if known.unlabelled and re.search(known.unlabelled, file):
            reason = UNLABELLED
        else:
            reason = SECOND_COPY + twins[file] if file in twins else UNLISTED
        skipped.append(Skipped(file=file, reason=reason))
    return skipped
