"""Write the table of all samples and the list of files of samples, in the folder of these files.

``samples.csv`` has one row for each sample: its name, such as ``000000.tar::p1/0001``, and the
columns of the table of ``--records``. ``shards.json`` lists the files with their sizes and hashes.
Both are made from the indexes of the files. A single run, a resumed run and a run in parts
therefore end with the same two files.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from typing import TYPE_CHECKING, Any

from cxr_enhance.archive.samples.records import FILE_COLUMN
from cxr_enhance.archive.samples.task import columns_digest, file_sha256
from cxr_enhance.archive.workspace import locked_folder, workspace
from cxr_enhance.io.atomic import write_atomically
from cxr_enhance.io.samples import index_path, member_name, places_in, read_index

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxr_enhance.archive.samples.plan import SamplePlan

SAMPLES, SHARDS = "samples.csv", "shards.json"
_KIND = "files of samples by cxr-enhance"


def check_index_names(out: str, *, overwrite: bool) -> None:
    """Refuse to overwrite a table or list that no run wrote, or that has changed since.

    Raises
    ------
    ValueError
        If there is such a file.
    OSError
        If a file cannot be read.
    """
    if overwrite:
        return
    shards, samples = os.path.join(out, SHARDS), os.path.join(out, SAMPLES)
    known = _read_shards(shards)
    if os.path.lexists(shards) and known is None and os.path.getsize(shards):
        raise _other_file_error(shards)
    if os.path.lexists(samples) and not _is_of_a_run(samples, known):
        raise _other_file_error(samples)


def _other_file_error(path: str) -> ValueError:
    return ValueError(
        f"`--out` must not hold another {os.path.basename(path)!r}; got {path!r}, which no run "
        "wrote as it is. Move it away, or say --overwrite to replace it."
    )


def write_index(plan: SamplePlan, *, overwrite: bool) -> None:
    """Write the table of samples and the list of files, for all files of samples in the folder.

    If several runs write at the same time, the last run to end includes the files of all runs.

    Raises
    ------
    OSError
        If the table or the list cannot be written.
    ValueError
        See `check_index_names`. If another run, which wrote at the same time, has written files of
        samples with other columns in place of those of this run.
    """
    with locked_folder(plan.out):
        check_index_names(plan.out, overwrite=overwrite)
        _write_index(plan)


def _write_index(plan: SamplePlan) -> None:
    shards, table = _tables(plan)
    path = os.path.join(plan.out, SAMPLES)
    hashes = [_sha256_or_empty(path), hashlib.sha256(table).hexdigest()]
    content = {
        "kind": _KIND,
        "format": plan.options.container,
        "samples": sum(shard["samples"] for shard in shards),
        # The hashes of the table that a killed run may leave in place, and of the new table.
        "table_sha256": sorted({digest for digest in hashes if digest}),
        "shards": shards,
    }
    text = json.dumps(content, indent=1).encode("ascii")
    if hashes[0] != hashes[1] or _content_of(os.path.join(plan.out, SHARDS)) != text:
        with workspace(plan.out) as folder:  # removed by the next run if this one is killed
            _replace(os.path.join(plan.out, SHARDS), text, folder)
            _replace(path, table, folder)


def _replace(path: str, content: bytes, temporary_folder: str) -> None:
    write_atomically(
        path,
        lambda file: file.write(content),
        overwrite=True,
        temporary_folder=temporary_folder,
    )


def _tables(plan: SamplePlan) -> tuple[list[dict[str, Any]], bytes]:
    """Make the list of files and the table of samples."""
    shards: list[dict[str, Any]] = []
    text = io.StringIO(newline="")
    records = plan.options.records
    further = [] if records is None else [
        name for name in records.columns if name not in (FILE_COLUMN, records.file_column)
    ]  # fmt: skip
    text.write(_csv_row([FILE_COLUMN, *further]))
    own_numbers = set(plan.numbers())
    for number in range(len(plan)):
        target = plan.target(number)
        index = read_index(index_path(target))
        if index is None or not os.path.isfile(target):
            continue
        if not _has_planned_columns(index, plan, number):
            if number in own_numbers:
                raise _other_columns_error(target)
            continue  # another part will write the file again
        places = places_in(index) or {}
        shards.append({
            "shard": plan.name(number),
            "samples": len(places),
            "bytes": index.get("bytes"),
            "sha256": index.get("sha256"),
        })  # fmt: skip
        for place in plan.indices(number):
            key = plan.key(place)
            if key in places:
                columns = plan.columns(place)
                cells = (columns[name] for name in further)
                text.write(_csv_row([member_name(plan.name(number), key), *cells]))
    return shards, text.getvalue().encode("utf-8", "surrogateescape")


def _has_planned_columns(index: dict[str, Any], plan: SamplePlan, number: int) -> bool:
    """Return whether the samples of a file have the columns of the plan; it may lack the last."""
    inputs = index.get("inputs")
    count = len(inputs) if isinstance(inputs, list) else 0
    columns = [plan.columns(place) for place in plan.indices(number)[:count]]
    return bool(index.get("columns") == columns_digest(columns))


def _other_columns_error(path: str) -> ValueError:
    return ValueError(
        f"`--out` must not hold samples with the columns of another table; got {path!r}, which "
        "another run has written, or which has changed since. Choose another folder, or say "
        "--overwrite to replace it."
    )


def _csv_row(cells: Iterable[str]) -> str:
    """Return a row of CSV with its newline; cells with line breaks of any kind are quoted.

    `csv.writer` quotes a carriage return only if the rows end with one (Python 3.11), and readers
    take a carriage return without quotes as the end of a row.
    """
    row = io.StringIO(newline="")
    csv.writer(row, lineterminator="\r\n").writerow(cells)
    return row.getvalue().removesuffix("\r\n") + "\n"


def _read_shards(path: str) -> dict[str, Any] | None:
    try:
        content = json.loads(_content_of(path) or b"")
    except (ValueError, RecursionError):
        return None
    is_of_a_run = isinstance(content, dict) and content.get("kind") == _KIND
    return content if is_of_a_run else None


def _is_of_a_run(samples: str, shards: dict[str, Any] | None) -> bool:
    """Return whether the list of files holds the hash of the table."""
    known = None if shards is None else shards.get("table_sha256")
    return isinstance(known, list) and _sha256_or_empty(samples) in known


def _sha256_or_empty(path: str) -> str:
    try:
        return file_sha256(path)
    except FileNotFoundError:
        return ""


def _content_of(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
