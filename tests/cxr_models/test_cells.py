import csv
import dataclasses
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_models import Record, read_manifest, write_manifest
from cxr_models._cells import CsvWriter, escape_formula, original_cell
from cxr_models.evaluation.predictions import read_predictions, write_predictions
from cxr_models.inference.predict_files import Row, write_rows
from cxr_models.records.manifest import Manifest
from tests.helpers.predicted import CLASSES, make_predictions

FORMULAS = ["=1+2", "+cmd|' /C calc'!A0", "-1+2", "@SUM(A1)", '=HYPERLINK("x")', "-d.png"]
HARMLESS = ["a.png", "-5", "+4.5e3", "'quoted'", "", "a=b", "'", "patient-1"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_what_could_be_a_formula_is_written_behind_an_apostrophe(cell):
    assert escape_formula(cell) == f"'{cell}"


def test_cells_with_line_breaks_of_any_kind_are_read_as_they_were_written():
    cells = ["a\rb", "c\nd", "e\r\nf", "\r", "g", 1]
    body = io.StringIO()
    writer = CsvWriter(body)
    writer.writerow(cells)
    writer.writerows([["g", 1]])
    text = body.getvalue()
    assert text.endswith(",g,1\ng,1\n")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [[*cells[:-1], "1"], ["g", "1"]]


def test_a_kept_cell_with_a_carriage_return_survives_tables_and_manifests(tmp_path, rng):
    record = Record(file="a.png", label="covid", kept=(("note", "first\rsecond"),))
    write_manifest(tmp_path / "m.csv", [record])
    assert read_manifest(tmp_path / "m.csv").records == (record,)
    one = make_predictions(rng, labels=["covid"])
    manifest = Manifest(records=(record,), root=one.manifest.root)
    one = dataclasses.replace(one, name="clinic", kind="external", manifest=manifest)
    write_predictions(tmp_path / "p.csv", one)
    assert read_predictions(tmp_path / "p.csv").manifest.records == (record,)


@pytest.mark.parametrize("cell", HARMLESS)
def test_other_text_and_numbers_are_written_as_they_are(cell):
    assert escape_formula(cell) == cell


@given(st.text(st.sampled_from("'=+-@\t\r1.ea"), max_size=6) | st.text(max_size=6))
def test_what_is_read_is_what_was_written(cell):
    assert original_cell(escape_formula(cell)) == cell


def lines_of(path):
    return io.StringIO(path.read_bytes().decode(), newline="")


def no_formula(path):
    cells = [cell for row in csv.reader(lines_of(path)) for cell in row]
    return not [cell for cell in cells if cell.startswith(("=", "@")) or cell in FORMULAS]


def hostile_records():
    cells = [*FORMULAS, "'=2", "''-x"]
    return [
        Record(file=f"{cell}{i}", label=cell, patient=cell, group=cell, source=cell, view=cell)
        for i, cell in enumerate(cells)
    ]


def test_a_manifest_of_formulas_is_harmless_and_read_as_it_was(tmp_path):
    write_manifest(tmp_path / "m.csv", hostile_records())
    assert no_formula(tmp_path / "m.csv")
    assert list(read_manifest(tmp_path / "m.csv").records) == hostile_records()


def test_predictions_of_formulas_are_harmless_and_read_as_they_were(tmp_path):
    records = tuple(
        dataclasses.replace(record, label=label)
        for record, label in zip(hostile_records(), CLASSES * 3, strict=False)
    )
    predictions = dataclasses.replace(
        make_predictions(
            np.random.default_rng(0),
            images=len(records),
            name="elsewhere",
            labels=[record.label for record in records],
        ),
        manifest=Manifest(records=records, root=tmp_path),
    )
    write_predictions(tmp_path / "p.csv", predictions)
    assert no_formula(tmp_path / "p.csv")
    assert read_predictions(tmp_path / "p.csv").manifest.records == records


def test_a_table_of_what_was_predicted_is_harmless(tmp_path):
    rows = [Row(file=cell, probabilities=(0.25, 0.75), error="") for cell in FORMULAS]
    rows += [Row(file="a.png", probabilities=None, error=cell) for cell in FORMULAS]
    write_rows(tmp_path / "p.csv", rows, ["=a", "@b"], calibrated=True)
    assert no_formula(tmp_path / "p.csv")
    read = list(csv.DictReader(lines_of(tmp_path / "p.csv")))
    assert [original_cell(row["file"]) for row in read[: len(FORMULAS)]] == FORMULAS
    assert {row["predicted"] for row in read[: len(FORMULAS)]} == {"'@b"}
