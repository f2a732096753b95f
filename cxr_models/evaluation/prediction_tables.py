"""The CSV format of predictions: one line with their origin, then a header and rows.

The modules `predictions` and `finding_predictions` define the columns of classes and findings; this
module does not.
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

from cxr_enhance.io.atomic import write_content_atomically
from cxr_models._cells import CsvWriter, escape_formula, original_cell
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
# start of the first line of a table of classes, and of a table of findings
CLASSES_TAG = "# cxr-models predictions "
FINDINGS_TAG = "# cxr-models predictions-of-findings "


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Hashes of the inputs of predictions; stored predictions with the same origin are reused.

    Parameters
    ----------
    weights_sha256, config_sha256, records_sha256 : str
        Hashes of the weights, of the settings of the run, and of the records of the set. For a
        third-party model, the first two are empty, and the third is the hash of all its records.
    inputs : str
        `cxr_models.inputs.loader.cache_key` of the images, which changes if the files change. For a
        third-party model, the hash of its table, without the separate table of the part val.
    """

    weights_sha256: str
    config_sha256: str
    records_sha256: str
    inputs: str

    @property
    def is_foreign(self) -> bool:
        """Whether the predictions are those of a third-party model with unknown weights."""
        return not (self.weights_sha256 or self.config_sha256)

    @property
    def cure(self) -> str:
        """How to make a table of this origin again that was damaged, as a sentence."""
        if self.is_foreign:
            return (
                "Evaluate the model's table again, into a new folder: cxr-models "
                "evaluate-predictions TABLE --out DIR."
            )
        return "Delete the file, and evaluate the run again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHead(Origin):
    """The content of the first line of every table: an origin and a hash of the other lines."""

    sha256: str  # hash of the lines below the first line


H = TypeVar("H", bound=TableHead)


def table_text(
    name: str,
    records: Sequence[Record],
    columns: Iterable[str],
    cells: Iterable[Iterable[object]],
) -> bytes:
    """Return the header and the rows of a table, without its first line.

    Parameters
    ----------
    name : str
        Name of the set.
    records : sequence of Record
        The records of the images, one for each row. They fill the columns that every table has.
    columns : iterable of str
        Names of the columns after the columns of the records.
    cells : iterable of iterable
        For each row, the cells of `columns`.
    """
    body = io.StringIO()
    writer = CsvWriter(body)
    further = further_columns(records)
    writer.writerow([*PREDICTIONS_COLUMNS, *further, *columns])
    for record, numbers in zip(records, cells, strict=True):
        texts = [getattr(record, column) for column in PREDICTIONS_COLUMNS[:-1]]
        words = [*map(escape_formula, [*texts, name]), *further_cells(record, further)]
        writer.writerow([*words, *numbers])
    return body.getvalue().encode()


def write_table(path: str | os.PathLike[str], tag: str, head: TableHead, text: bytes) -> None:
    """Write a table atomically.

    Parameters
    ----------
    path : str or PathLike
        File to write; an existing file is replaced.
    tag : str
        Start of the first line.
    head : TableHead
        The rest of the first line.
    text : bytes
        The lines below the first line; see `table_text`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    write_content_atomically(Path(path), f"{tag}{json.dumps(to_json(head))}\n".encode() + text)


def read_origin(path: str | os.PathLike[str]) -> Origin | None:
    """Return the origin of the predictions in a file; None if the file does not exist.

    Parameters
    ----------
    path : str or PathLike
        A table of predictions of classes or of findings.

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
    """Return whether a table has predictions of findings.

    Parameters
    ----------
    path : str or PathLike
        A table of predictions.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return file.readline().startswith(FINDINGS_TAG.encode())


def read_table(path: Path, tag: str, cls: type[H]) -> tuple[H, list[dict[str, str]]]:
    """Read the first line of a table and its rows, and check that the rows are unchanged.

    Parameters
    ----------
    path : Path
        The table.
    tag : str
        Expected start of the first line.
    cls : type
        The record type of the rest of the first line.

    Returns
    -------
    head : TableHead
        The content of the first line, of type `cls`.
    rows : list of dict
        For each row, the cells by column name.

    Raises
    ------
    ValueError
        If the first line is not valid, or the rows were changed.
    OSError
        If the file cannot be read.
    """
    first, _, text = path.read_bytes().partition(b"\n")
    head = _read_head(first, path, tag, cls)
    if hashlib.sha256(text).hexdigest() != head.sha256:
        raise ValueError(
            f"`{path.name}` must be as cxr-models wrote it; got {str(path)!r}, which was changed "
            f"since. {head.cure}"
        )
    return head, list(csv.DictReader(io.StringIO(text.decode(), newline="")))


def read_records(rows: Iterable[Mapping[str, str]], kind: Kind) -> tuple[Record, ...]:
    """Return the record of each row of a table.

    Parameters
    ----------
    rows : iterable of mapping of str to str
        The rows of the table.
    kind : {"train", "val", "test", "external"}
        Kind of the set, which becomes the split of each record. The split of an external set is
        empty.
    """
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
    """Return the numbers in columns of a table.

    Parameters
    ----------
    rows : sequence of mapping of str to str
        The rows of the table.
    columns : sequence of str
        Names of the columns.
    path : Path
        Path of the table, for error messages.

    Returns
    -------
    ndarray of shape (rows, columns), dtype float64
        The numbers.

    Raises
    ------
    ValueError
        If a cell is not a finite number.
    """
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
