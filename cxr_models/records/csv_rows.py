"""Image rows from a CSV of the user, or from several joined CSVs.

A layout states the source of each value: a column, a template of columns, a constant or a finding.
"""

from __future__ import annotations

import os
import re
import string
from typing import TYPE_CHECKING, NamedTuple

from cxr_models._counts import counted
from cxr_models.records.joined_tables import join_tables
from cxr_models.records.layouts.facts import ImageRow
from cxr_models.records.layouts.values import FindingsOf, is_finding
from cxr_models.records.manifest import COLUMNS, FINDING, HEADER_COLUMNS
from cxr_models.records.patients import normalised_id
from cxr_models.records.recording import searched
from cxr_models.records.selection import is_of_manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cxr_models.records.choices import Choices
    from cxr_models.records.joined_tables import JoinedRow, JoinedTables
    from cxr_models.records.layouts import Layout


class CsvRows(NamedTuple):
    """Result of reading the rows of a CSV."""

    # rows with a file and a label; no label is needed if findings can make it
    rows: list[ImageRow]
    # all other rows: the file (or the number of the row, if it has no file) and the reason
    unused: list[tuple[str, str]]
    columns: Collection[str]  # names of the columns of the CSVs
    remarks: Sequence[str]  # sentences about rows that could not be joined


def rows_of_csvs(
    source: str | os.PathLike[str],
    csvs: Sequence[str | os.PathLike[str]],
    layout: Layout,
    choices: Choices,
) -> CsvRows:
    """Read one CSV, or several CSVs joined on their common columns; see `index_csv`.

    Raises
    ------
    ValueError
        If a column is missing, CSVs cannot be joined (see `join_tables`), a finding has a value
        that is not allowed, or no row has a label.
    OSError
        If a CSV cannot be read.
    """
    findings = [name for name in layout.columns if name.startswith(FINDING)]
    makes_label = bool(choices.label_from or choices.priority)
    needs_label = not makes_label and ("label" in layout.columns or not findings)
    _check_columns(layout, findings, {"file", "label"} if needs_label else {"file"})
    extra = choices.columns()
    used = {name for rule in layout.columns.values() for name in _columns_in(rule)}
    tables = join_tables(csvs, {*used, *extra}, _of_csvs(choices.where))
    _check_where(choices, layout, tables.columns())
    result = CsvRows([], [], tables.columns(), tables.remarks)
    findings_of = FindingsOf([name.removeprefix(FINDING) for name in findings])
    for number, joined_row in enumerate(tables.rows, start=1):
        row = joined_row.cells
        cells = {name: _value(rule, row) for name, rule in layout.columns.items()}
        values = {name: cell.strip() for name, cell in cells.items()}
        values["file"] = _file_name(cells["file"], source)
        label = values.pop("label", "")
        label = layout.labels.get(label, label)
        if not normalised_id(values.get("patient", "")):
            in_path = searched(layout.patient_pattern, values["file"])
            values["patient"] = in_path or values.get("patient", "")
        values["source"] = values.get("source") or layout.source
        finding_cells = [values.pop(name) for name in findings]
        try:
            finding_values = findings_of(tuple(finding_cells))
        except ValueError as error:
            rules = [layout.columns[name] for name in findings]
            place = _place(tables, joined_row, rules, finding_cells)
            raise ValueError(f"{error}{place}") from error
        if values["file"] and (label or not needs_label):
            extra_cells = tuple((name, row[name]) for name in extra if name in row)
            result.rows.append(
                ImageRow(**values, label=label, findings=finding_values, kept=extra_cells)
            )
        else:
            lacking = "label" if values["file"] else "file"
            result.unused.append((values["file"] or f"row {number}", f"no {lacking} in its row"))
    if not result.rows:
        rows = counted(len(tables.rows), "row")
        raise ValueError(f"`csv` must hold at least one row with a label; got {rows} without one.")
    return result


def _check_columns(layout: Layout, findings: Sequence[str], needed: set[str]) -> None:
    nameable = (*COLUMNS, *HEADER_COLUMNS)
    unknown = sorted(set(layout.columns) - {*nameable, *findings})
    if unknown or not needed <= set(layout.columns):
        raise ValueError(
            f"`columns` must name file, and label or {FINDING}NAME, and may name "
            f"{', '.join(nameable[2:])}; got {', '.join(layout.columns) or 'none'}."
        )


def _check_where(choices: Choices, layout: Layout, columns: Collection[str]) -> None:
    """Raise ValueError if a condition is about a column of the CSVs that is not read."""
    for name in choices.where:
        if is_of_manifest(name) and name in columns and name not in layout.columns:
            raise ValueError(
                f"`--where {name}` is only allowed if the column {name} of the CSV is read. Add "
                f"{name}={name} to --columns."
            )


def _of_csvs(where: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return the conditions that are about columns of the CSVs, and not of the manifest."""
    return {name: values for name, values in where.items() if not is_of_manifest(name)}


def _place(tables: JoinedTables, row: JoinedRow, rules: Sequence[str], cells: Sequence[str]) -> str:
    """Return a sentence on where the first wrong cell of a finding is; empty for a constant."""
    rule = next(rule for rule, cell in zip(rules, cells, strict=True) if not is_finding(cell))
    columns = tables.columns()
    names = [rule] if rule in columns else [name for name in columns if name in _columns_in(rule)]
    return f" Column {names[0]!r}, {tables.place(row, names[0])}." if names else ""


def _columns_in(rule: str) -> set[str]:
    """Return the columns that a rule names, and the rule itself, which may be a column."""
    try:
        fields = {
            re.split(r"[.[]", name)[0] for _, name, _, _ in string.Formatter().parse(rule) if name
        }
    except ValueError:  # `_value` reports it
        fields = set()
    return {rule, *rule.split("|"), *fields}


def _value(rule: str, row: Mapping[str, str]) -> str:
    try:
        if rule in row:
            return row[rule]
        if rule.startswith("="):
            return rule[1:]
        if "{" in rule:
            return rule.format_map(row)
        if "|" in rule:
            present = [name for name in rule.split("|") if name in row]
            if not present:
                raise KeyError(rule)
            return next((name for name in present if _is_one(row[name])), "")
        raise KeyError(rule)
    except KeyError as error:
        raise ValueError(
            f"`columns` must name columns of the CSV; got {error.args[0]!r}. It has: "
            f"{', '.join(row)}."
        ) from error
    except (ValueError, AttributeError, IndexError) as error:
        raise ValueError(
            f"`columns` must be templates such as images/{{id}}.png; got {rule!r}: {error}."
        ) from error


def _file_name(cell: str, source: str | os.PathLike[str]) -> str:
    """Return the name of the file in a cell: with blanks around it if there is such a file."""
    name = cell.strip()
    return cell if name != cell and os.path.exists(os.path.join(source, cell)) else name


def _is_one(text: str) -> bool:
    try:
        return float(text) == 1.0
    except ValueError:
        return False
