"""The CSV of predictions: one line that states their origin, then a header and rows.

Knows neither classes nor findings: `predictions` and `finding_predictions` state their columns.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cxr_enhance.io.atomic import write_whole
from cxr_models._cells import harmless, original_cell
from cxr_models._json import parse_json
from cxr_models._typed_json import converted, from_json, to_json
from cxr_models.evaluation.further_columns import (
    further_cells,
    further_columns,
    header_fields,
    kept_fields,
)
from cxr_models.records.manifest import Record

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.results import Kind

    Floats = npt.NDArray[np.float64]

PREDICTIONS_COLUMNS = ("file", "label", "patient", "group", "source", "view", "part")
# how the first line begins, of predictions of classes and of findings
CLASSES_TAG = "# cxr-models predictions "
FINDINGS_TAG = "# cxr-models predictions-of-findings "


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Hashes of the inputs of predictions; predictions of an equal origin are used again.

    Parameters
    ----------
    weights_sha256, config_sha256, records_sha256 : str
        Hashes of the weights, of the run's settings, and of the records. Of a model of others the
        first two are empty, and the third is of the records of all its sets.
    inputs : str
        `cxr_models.inputs.loader.cache_key` of the images: the key changes with the files. Of a
        model of others, the hash of the table that its predictions were read from.
    """

    weights_sha256: str
    config_sha256: str
    records_sha256: str
    inputs: str

    @property
    def is_foreign(self) -> bool:
        """Whether a model of others predicted, whose weights and settings are not known."""
        return not (self.weights_sha256 or self.config_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHead(Origin):
    """What the first line of every table states: an origin, and a hash of the lines below it."""

    sha256: str


H = TypeVar("H", bound=TableHead)


def table_text(
    name: str,
    records: Sequence[Record],
    columns: Iterable[str],
    cells: Iterable[Iterable[object]],
) -> bytes:
    """Return the lines below the first line of a table.

    Parameters
    ----------
    name : str
        Name of the set.
    records : sequence of Record
        The images, one a row; they fill the columns that every table has.
    columns : iterable of str
        Names of the columns behind those of the records.
    cells : iterable of iterable
        The cells of `columns`, row by row.
    """
    body = io.StringIO()
    writer = csv.writer(body, lineterminator="\n")
    further = further_columns(records)
    writer.writerow([*PREDICTIONS_COLUMNS, *further, *columns])
    for record, numbers in zip(records, cells, strict=True):
        texts = [getattr(record, column) for column in PREDICTIONS_COLUMNS[:-1]]
        words = [*map(harmless, [*texts, name]), *further_cells(record, further)]
        writer.writerow([*words, *numbers])
    return body.getvalue().encode()


def write_table(path: str | os.PathLike[str], tag: str, head: TableHead, text: bytes) -> None:
    """Write the first line of a table, which begins with `tag`, and the lines below it."""
    write_whole(Path(path), f"{tag}{json.dumps(to_json(head))}\n".encode() + text)


def read_origin(path: str | os.PathLike[str]) -> Origin | None:
    """Return the origin of the predictions in a file; None if the file does not exist.

    Raises
    ------
    ValueError
        If the file is not a table of predictions.
    """
    path = Path(path)
    if not path.exists():
        return None
    with path.open("rb") as file:
        first = file.readline()
    findings = first.startswith(FINDINGS_TAG.encode())
    tag = FINDINGS_TAG if findings else CLASSES_TAG
    return converted(Origin, _read_head(first, path, tag, TableHead))


def holds_findings(path: str | os.PathLike[str]) -> bool:
    """Return whether a table holds predictions of findings; raises OSError without a file."""
    with Path(path).open("rb") as file:
        return file.readline().startswith(FINDINGS_TAG.encode())


def read_table(path: Path, tag: str, cls: type[H]) -> tuple[H, list[dict[str, str]]]:
    """Read the first line of a table and its rows, and check that the rows are unchanged.

    Parameters
    ----------
    path : Path
        The table.
    tag : str
        How its first line begins.
    cls : type
        The record that its first line holds.

    Raises
    ------
    ValueError
        If the file is not such a table, or was changed.
    OSError
        If the file cannot be read.
    """
    first, _, text = path.read_bytes().partition(b"\n")
    head = _read_head(first, path, tag, cls)
    if hashlib.sha256(text).hexdigest() != head.sha256:
        raise ValueError(
            f"`{path.name}` must be as cxr-models wrote it; got {str(path)!r}, which was changed "
            "since. Delete the file, and evaluate the run again."
        )
    return head, list(csv.DictReader(io.StringIO(text.decode(), newline="")))


def read_records(rows: Iterable[Mapping[str, str]], kind: Kind) -> tuple[Record, ...]:
    """Return the images of a table of a set of this kind."""
    split = kind if kind != "external" else ""
    return tuple(
        Record(
            **{column: original_cell(row[column]) for column in PREDICTIONS_COLUMNS[:-1]},
            **header_fields(row),
            split=split,
            findings=(),
            kept=kept_fields(row),
        )
        for row in rows
    )


def read_numbers(rows: Sequence[Mapping[str, str]], columns: Sequence[str], path: Path) -> Floats:
    """Return the finite numbers in columns of a table, of shape (rows, columns)."""
    values = [[_number(row, column, path) for column in columns] for row in rows]
    return np.array(values, np.float64).reshape(len(values), len(columns))


def _read_head(line: bytes, path: Path, tag: str, cls: type[H]) -> H:
    start, text = line[: len(tag)], line[len(tag) :]
    try:
        if start != tag.encode():
            raise ValueError(f"it does not begin with {tag.strip()!r}")
        return from_json(cls, parse_json(text))
    except ValueError as error:
        raise ValueError(
            f"`{path.name}` must be a table of predictions, whose first line states its origin; "
            f"got {str(path)!r}, where that line is not valid: {error}. Delete the file, and "
            "evaluate the run again."
        ) from error


def _number(row: Mapping[str, str], column: str, path: Path) -> float:
    try:
        number = float(row[column])
    except (KeyError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"`{column}` must be a finite number; got {row.get(column)!r} for {row['file']!r} in "
            f"{path.name}."
        )
    return number
