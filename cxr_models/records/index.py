"""Class folders or foreign CSVs to records; no file is opened, see `cxr_models.records.examine`.

Knows nothing of splits or models.
"""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models._outputs import Kind, first_line
from cxr_models.records.layouts import Layout
from cxr_models.records.manifest import (
    COLUMNS,
    HEADER_COLUMNS,
    Record,
    check_files_differ,
    read_rows,
)
from cxr_models.records.scan import find_images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that is in no record, and why."""

    file: str
    reason: str

    def was_asked_for(self) -> bool:
        """Tell whether the file is left out because the user said so."""
        return self.reason.endswith(_NOT_ASKED_FOR) or self.reason.startswith(DUPLICATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Two files of which one shows a copy of the other, and how alike they are.

    Parameters
    ----------
    file, other : str
        The files.
    kind : str
        One of `cxr_models.records.copies.KINDS`.
    bits : int
        In how many bits of 256 their hashes differ.
    label, other_label : str
        What they are said to show.
    """

    file: str
    other: str
    kind: str
    bits: int
    label: str
    other_label: str


DUPLICATE = "a duplicate of "  # how the reason of a dropped copy begins
_NOT_ASKED_FOR = "not asked for"
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
    """What indexing found.

    Parameters
    ----------
    records : tuple of Record
        Usable radiographs.
    skipped : tuple of Skipped
        Files that cannot be read, and rows or files without a label.
    others : tuple of str, default ()
        Files under the folder that are no images by their names or content.
    duplicates : tuple of Duplicate, default ()
        All pairs of images of which one is a copy of the other, dropped ones among them.
    """

    records: tuple[Record, ...]
    skipped: tuple[Skipped, ...]
    others: tuple[str, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()


def index_folder(source: str | os.PathLike[str], layout: Layout | None = None) -> Index:
    """List the radiographs under a folder; labels and patients come from their paths.

    Parameters
    ----------
    source : str or PathLike
        Folder; without a ``label_pattern`` its subfolders are the labels.
    layout : Layout, optional
        How paths tell labels and patients; None takes the folders alone.

    Returns
    -------
    Index
        Files named relative to `source`, sorted; not decoded yet.

    Raises
    ------
    NotADirectoryError
        If `source` is no folder.
    ValueError
        If nothing under it has a label.
    """
    layout = layout or Layout()
    source = Path(source)
    if not source.is_dir():
        raise NotADirectoryError(f"`SOURCE` must be a folder; got {str(source)!r}.")
    found = find_images(source)
    records = []
    skipped = [Skipped(file=name, reason=reason) for name, reason in found.unentered]
    for file in sorted(found.images):
        if layout.passed_over and re.search(layout.passed_over, file):
            continue
        label = _label_of(file, layout)
        if not label or not _is_text(file):
            reason = "a name that is no UTF-8" if label else "no label in its path"
            skipped.append(Skipped(file=_as_text(file), reason=reason))
            continue
        records.append(
            Record(
                file=file,
                label=layout.labels.get(label, label),
                patient=_search(layout.patient_pattern, file),
                source=layout.source,
            )
        )
    if not records:
        raise ValueError(
            f"`SOURCE` must hold one folder of images for each label; got {str(source)!r}, where "
            f"no image has a label. Name the layout, or say where labels stand."
        )
    return Index(records=tuple(records), skipped=tuple(skipped), others=found.others)


def index_csv(
    source: str | os.PathLike[str], csvs: Sequence[str | os.PathLike[str]], layout: Layout
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
        the file's name.

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
    source = Path(source)
    nameable = (*COLUMNS, *HEADER_COLUMNS)
    unknown = sorted(set(layout.columns) - set(nameable))
    if unknown or not {"file", "label"} <= set(layout.columns):
        raise ValueError(
            f"`columns` must name file and label, and may name {', '.join(nameable[2:])}; got "
            f"{', '.join(layout.columns) or 'none'}."
        )
    rows = _joined([read_rows(name) for name in csvs])
    records, skipped = [], []
    for number, row in enumerate(rows, start=1):
        values = {name: _value(rule, row) for name, rule in layout.columns.items()}
        values["label"] = layout.labels.get(values["label"], values["label"])
        if layout.patient_pattern:
            values["patient"] = _search(layout.patient_pattern, values["file"])
        if not values.get("source"):
            values["source"] = layout.source
        if values["label"] and values["file"]:
            records.append(Record(**values))
        else:
            lacking = "label" if values["file"] else "file"
            file = values["file"] or f"row {number}"
            skipped.append(Skipped(file=file, reason=f"no {lacking} in its row"))
    if not records:
        raise ValueError(f"`csv` must hold at least one row with a label; got {len(rows)} rows.")
    check_files_differ(records)
    return Index(records=tuple(records), skipped=tuple(skipped))


def keep_labels(index: Index, labels: Mapping[str, str]) -> Index:
    """Rename labels and leave out, with a reason, records of labels that are not named.

    Raises
    ------
    ValueError
        If a label named does not occur.
    """
    if not labels:
        return index
    found = {record.label for record in index.records}
    unknown = [label for label in labels if label not in found]
    if unknown:
        raise ValueError(
            f"`labels` must name labels that occur; got {', '.join(unknown)}. Found: "
            f"{', '.join(sorted(found))}."
        )
    records, skipped = [], list(index.skipped)
    for record in index.records:
        if record.label in labels:
            records.append(dataclasses.replace(record, label=labels[record.label]))
        else:
            skipped.append(
                Skipped(file=record.file, reason=f"label {record.label!r} {_NOT_ASKED_FOR}")
            )
    return dataclasses.replace(index, records=tuple(records), skipped=tuple(skipped))


def _label_of(file: str, layout: Layout) -> str:
    if layout.label_pattern:
        return _search(layout.label_pattern, file)
    first, _, rest = file.partition("/")
    return first if rest else ""


def _as_text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_text(name: str) -> bool:
    return _as_text(name) == name


def _search(pattern: str, text: str) -> str:
    found = re.search(pattern, text) if pattern else None
    if found is None:
        return ""
    return next((group for group in found.groups() if group), "" if found.groups() else found[0])


def _value(rule: str, row: Mapping[str, str]) -> str:
    try:
        if rule.startswith("="):
            return rule[1:]
        if "{" in rule:
            return rule.format_map(row)
        if "|" in rule:
            present = [name for name in rule.split("|") if name in row]
            if not present:
                raise KeyError(rule)
            return next((name for name in present if _is_one(row[name])), "")
        return row[rule].strip()
    except KeyError as error:
        raise ValueError(
            f"`columns` must name columns of the CSV; got {error.args[0]!r}. It has: "
            f"{', '.join(row)}."
        ) from error
    except (ValueError, AttributeError, IndexError) as error:
        raise ValueError(
            f"`columns` must be templates such as images/{{id}}.png; got {rule!r}: {error}."
        ) from error


def _is_one(text: str) -> bool:
    try:
        return float(text) == 1.0
    except ValueError:
        return False


def _joined(tables: Sequence[list[dict[str, str]]]) -> list[dict[str, str]]:
    rows = tables[0]
    for table in tables[1:]:
        shared = [name for name in (table[0] if table else {}) if rows and name in rows[0]]
        if not shared:
            raise ValueError("`csv` must share at least one column with the first; got none.")
        by_key = {tuple(row[name] for name in shared): row for row in table}
        empty = dict.fromkeys(table[0], "")
        rows = [
            {**empty, **by_key.get(tuple(row[name] for name in shared), {}), **row} for row in rows
        ]
    return rows
