"""Class folders or foreign CSVs to records, every file decoded once: readable, duplicate of what.

Knows nothing of splits or models.
"""

from __future__ import annotations

import dataclasses
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import cxr_enhance
from cxr_models._cpu import usable_cpus
from cxr_models._outputs import Kind, first_line
from cxr_models.records.duplicates import (
    MAX_DISTANCE,
    duplicate_ties,
    perceptual_hash,
    pixel_digest,
)
from cxr_models.records.layouts import Layout
from cxr_models.records.manifest import COLUMNS, Record, check_files_differ, read_rows
from cxr_models.records.scan import find_images
from cxr_models.records.ties import connect, ties_of_records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cxr_models.records.duplicates import Hashes

_UNREADABLE = (OSError, ValueError, TypeError, ImportError, MemoryError)  # one file's, not all's


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that is in no record, and why."""

    file: str
    reason: str


SKIPPED = Kind(
    "a list of skipped files that cxr-models index wrote",
    lambda path: first_line(path) == ",".join(f.name for f in dataclasses.fields(Skipped)).encode(),
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
    duplicates : int
        Images that have an exact or near duplicate before them.
    """

    records: tuple[Record, ...]
    skipped: tuple[Skipped, ...]
    others: tuple[str, ...] = ()
    duplicates: int = 0


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
        Files named relative to `source`, sorted; not decoded yet: see `examine`.

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
    unknown = sorted(set(layout.columns) - set(COLUMNS))
    if unknown or not {"file", "label"} <= set(layout.columns):
        raise ValueError(
            f"`columns` must name file and label, and may name {', '.join(COLUMNS[2:])}; got "
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
                Skipped(file=record.file, reason=f"label {record.label!r} not asked for")
            )
    return dataclasses.replace(index, records=tuple(records), skipped=tuple(skipped))


def examine(
    index: Index,
    source: str | os.PathLike[str],
    *,
    max_distance: int = MAX_DISTANCE,
    progress: Callable[[], None] | None = None,
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
    progress : callable, optional
        Called once a file.

    Returns
    -------
    Index
        Records with ``group`` set: images tied by patient, duplicate or an earlier group, directly
        or through others, share one. Unreadable files are in `skipped` with the reason.
    """

    def look(record: Record) -> tuple[str, Hashes] | str:
        try:
            image = cxr_enhance.read_image(os.path.join(source, record.file))
        except _UNREADABLE as error:
            return str(error)
        finally:
            if progress is not None:
                progress()
        return pixel_digest(image), perceptual_hash(image)

    with ThreadPoolExecutor(usable_cpus()) as pool:
        looks = list(pool.map(look, index.records))
    records, digests, hashes, skipped = [], [], [], list(index.skipped)
    for record, seen in zip(index.records, looks, strict=True):
        if isinstance(seen, str):
            skipped.append(Skipped(file=record.file, reason=seen))
            continue
        records.append(record)
        digests.append(seen[0])
        hashes.append(seen[1])
    if not records:
        return dataclasses.replace(index, records=(), skipped=tuple(skipped))
    ties = duplicate_ties(digests, np.stack(hashes), max_distance=max_distance)
    roots = connect(len(records), [*ties_of_records(records), *ties])
    names: dict[int, str] = {}
    grouped = tuple(
        dataclasses.replace(record, group=names.setdefault(root, f"g{len(names):06d}"))
        for record, root in zip(records, roots, strict=True)
    )
    later = {max(tie) for tie in ties}
    return dataclasses.replace(
        index, records=grouped, skipped=tuple(skipped), duplicates=len(later)
    )


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
