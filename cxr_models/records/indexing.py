"""Steps of indexing a folder or its CSVs: recognise the set, list its images, open its files.

The command ``cxr-models index`` and the function `cxr_models.index` use this module.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.choices import ALL, Choices
from cxr_models.records.csv_files import header_of
from cxr_models.records.duplicates import MAX_DISTANCE
from cxr_models.records.examine import examine, read_headers
from cxr_models.records.header_patients import keep_patients
from cxr_models.records.index import Index, index_csv, index_folder, keep_chosen
from cxr_models.records.known_sets import index_set, recognise
from cxr_models.records.layouts import LAYOUTS, Layout
from cxr_models.records.layouts.known import SETS
from cxr_models.records.layouts.tree import Tree
from cxr_models.records.manifest import (
    COLUMNS,
    HEADER_COLUMNS,
    check_names_differ,
    further_columns,
)
from cxr_models.records.recording import searched
from cxr_models.records.relative_names import names_from
from cxr_models.records.scan import may_be_dicom

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cxr_models.records.hashes import KeptHashes
    from cxr_models.records.layouts.facts import KnownSet


class ListedImages(NamedTuple):
    """Images that are listed but not opened yet."""

    image_index: Index
    choices: Choices  # choice of the images to keep, to apply again after headers are read
    known_set: KnownSet | None = None  # public set in the folder; None for other folders


def check_options(
    *,
    csvs: Sequence[Path],
    has_columns: bool,
    layout_name: str | None,
    drop_split: bool,
    decode: bool,
    drop_duplicates: bool,
    max_distance: int,
) -> None:
    """Raise ValueError if a combination of options is not allowed."""
    if layout_name is not None and layout_name not in {*SETS, *LAYOUTS}:
        raise ValueError(f"`--layout` must be one of {', '.join(SETS)}; got {layout_name!r}.")
    if has_columns and not csvs:
        raise ValueError("`--columns` is only allowed with --csv; got no --csv.")
    if csvs and layout_name is not None and layout_name not in LAYOUTS:
        raise ValueError(
            f"`--layout {layout_name}` is only allowed without --csv: it finds the set's tables "
            "itself."
        )
    if drop_split and not csvs:
        raise ValueError(
            "`--drop-split` is only allowed with --csv; without it a split is taken with "
            "--official-split alone."
        )
    if drop_duplicates and not decode:
        raise ValueError(
            "`--drop-duplicates` is only allowed without --no-decode: copies are found by what "
            "images show."
        )
    if max_distance != MAX_DISTANCE and not decode:
        raise ValueError(
            "`--max-distance` is only allowed without --no-decode: near duplicates are found by "
            f"what images show; got {max_distance}."
        )


def list_images(
    source: Path,
    *,
    csvs: Sequence[Path] = (),
    layout_name: str | None = None,
    columns: Mapping[str, str] | None = None,
    choices: Choices | None = None,
    drop_split: bool = False,
    unpack: Path | None = None,
) -> ListedImages:
    """List the images of a folder, or the images that CSVs list.

    Parameters
    ----------
    source : Path
        Folder to which file names are relative.
    csvs : sequence of Path
        CSVs that list the images; see `cxr_models.records.index.index_csv`. Empty lists the images
        of the folder, with the tables of its set.
    layout_name : str, optional
        Name of a set or layout: a key of `SETS` or `LAYOUTS`. None recognises the set from the
        files in the folder.
    columns : mapping of str to str, optional
        Source of each column of the manifest in the CSVs; see `Layout.columns`. None uses the
        columns of the layout or, if the layout has none, the columns of the CSVs whose names are
        columns of a manifest.
    choices : Choices, optional
        Choice of the images to keep, and of their labels. None uses the default choices.
    drop_split : bool, default False
        Whether a column ``split`` of the CSVs is ignored.
    unpack : Path, optional
        Folder for images of sets that are not stored as image files; see
        `cxr_models.records.known_sets.index_set`.

    Returns
    -------
    ListedImages
        The listed images.

    Raises
    ------
    ValueError
        If the patient pattern is not a regular expression or finds no patient, a choice is not
        allowed for what is listed, CSVs list a file under two names, or as `index_csv`,
        `index_folder` and `index_set` raise it.
    OSError
        If a table cannot be read.
    """
    choices = choices or Choices()
    if choices.patient_pattern:
        _check_pattern(choices.patient_pattern)
    if drop_split and choices.official_split:
        raise ValueError("`--drop-split` is only allowed without --official-split; got both.")
    if csvs:
        _check_rows(choices, None)
        if not drop_split:
            choices = dataclasses.replace(choices, official_split=True)
        of_csv = _of_csv(choices)
        layout = _layout_of(csvs, layout_name, columns)
        listed = ListedImages(index_csv(source, csvs, layout, of_csv), of_csv)
        # A file may be listed by a relative and by an absolute path.
        check_names_differ(
            names_from(source / "x", source, listed.image_index.records, is_inside_source=False)
        )
    else:
        listed = _list_tree(source, layout_name, choices, unpack)
    pattern, records = choices.patient_pattern, listed.image_index.records
    if pattern and records and not any(searched(pattern, record.file) for record in records):
        raise ValueError(
            "`--patient-pattern` must be found in the names of files; got "
            f"{pattern!r}, which is in none, such as {records[0].file!r}."
        )
    return listed


def open_images(
    listed: ListedImages,
    source: Path,
    *,
    decode: bool = True,
    max_distance: int = MAX_DISTANCE,
    name_patient: Callable[[str], str] | None = None,
    drop_duplicates: bool = False,
    hashes: KeptHashes | None = None,
    progress: Callable[[], object] | None = None,
) -> Index:
    """Open every image once, and skip the images whose DICOM header does not match the choices.

    Parameters
    ----------
    listed : ListedImages
        Result of `list_images`.
    source : Path
        Folder to which file names are relative.
    decode : bool, default True
        Whether images are decoded. If False, only the headers of DICOM files are read, and copies
        are not found.
    max_distance, name_patient, drop_duplicates, hashes, progress
        See `cxr_models.records.examine.examine`.

    Returns
    -------
    Index
        Records of the images that can be read and match the choices.
    """
    image_index = listed.image_index
    if patients := listed.choices.where.get("patient"):
        image_index = keep_patients(
            image_index, source, patients, name_patient=name_patient, progress=progress
        )
    if decode:
        result = examine(
            image_index,
            source,
            max_distance=max_distance,
            name_patient=name_patient,
            drop_duplicates=drop_duplicates,
            hashes=hashes,
            progress=progress,
        )
    else:
        result = read_headers(image_index, source, name_patient=name_patient, progress=progress)
    if any(may_be_dicom(record.file) for record in result.records):
        result = keep_chosen(result, listed.choices)
    return result


def _list_tree(
    source: Path, name: str | None, choices: Choices, unpack: Path | None
) -> ListedImages:
    tree = Tree(source, extra=choices.columns())
    known_set = SETS[name] if name is not None else recognise(tree)
    _check_rows(choices, known_set)
    if known_set is None:
        return ListedImages(index_folder(source, None, choices, listing=tree.listing), choices)
    return ListedImages(index_set(tree, known_set, choices, unpack=unpack), choices, known_set)


def _layout_of(csvs: Sequence[Path], name: str | None, columns: Mapping[str, str] | None) -> Layout:
    layout = Layout() if name is None else LAYOUTS[name]
    if columns is not None:
        layout = dataclasses.replace(layout, columns={**layout.columns, **columns})
    if not layout.columns:
        layout = dataclasses.replace(layout, columns=_columns_of_manifest(csvs))
    return layout


def _of_csv(choices: Choices) -> Choices:
    """Return the choices for a CSV of the user, which keep all views and modalities by default."""
    everything = frozenset((ALL,))
    return dataclasses.replace(
        choices,
        views=choices.views or everything,
        modalities=choices.modalities or everything,
    )


def _check_rows(choices: Choices, known_set: KnownSet | None) -> None:
    """Raise ValueError if several rows of one image are to be reduced where no image has several.

    The set is None for a CSV of the user and for folders of labels.
    """
    if choices.rows and not (known_set is not None and known_set.several_rows):
        names = ", ".join(known.name for known in SETS.values() if known.several_rows)
        place = "a CSV or folders of labels" if known_set is None else known_set.name
        raise ValueError(
            f"`--rows` is only allowed for sets with several rows for one image ({names}); got "
            f"{choices.rows!r} for {place}."
        )


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"`--patient-pattern` must be a regular expression; got {pattern!r}: {error}."
        ) from error


def _columns_of_manifest(csvs: Sequence[Path]) -> dict[str, str]:
    """Return the columns of the manifest that at least one CSV has, each mapped to itself.

    Raises
    ------
    ValueError
        If no CSV has a column ``file``, or none has a column ``label``.
    """
    headers = [header_of(path) for path in csvs]
    present = list(dict.fromkeys(name for header in headers for name in header))
    findings, _ = further_columns(present)
    columns = {name: name for name in (*COLUMNS, *HEADER_COLUMNS, *findings) if name in present}
    if not {"file", "label"} <= columns.keys():
        shown = "; ".join(
            f"{str(path)!r}, which has {', '.join(header) or 'no columns'}"
            for path, header in zip(csvs, headers, strict=True)
        )
        raise ValueError(
            f"`--csv` must have the columns file and label; got {shown}. Name its columns with "
            "--columns or --layout."
        )
    return columns
