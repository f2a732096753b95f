import csv
import dataclasses

import pytest

from cxr_models.evaluation.further_columns import completed, states_more, with_kept
from cxr_models.evaluation.predictions import read_predictions, write_predictions
from tests.helpers.predicted import make_predictions
from tests.helpers.report_runs import change_records

PERSON = {"sex": "F", "age": "034Y", "manufacturer": "=X, Inc.", "study": "s", "date": "2020-01-01"}


@pytest.fixture
def predictions(rng):
    return change_records(make_predictions(rng, images=6), lambda place, _: PERSON if place else {})


def test_tables_keep_what_headers_say_and_kept_columns(predictions, tmp_path):
    kept = (("probability:covid", "high"), ("part", ""), ("note", "-a, b"))
    predictions = change_records(predictions, lambda *_: {"kept": kept})
    write_predictions(tmp_path / "p.csv", predictions)
    assert read_predictions(tmp_path / "p.csv").manifest.records == predictions.manifest.records
    lines = (tmp_path / "p.csv").read_text().splitlines()
    row = list(csv.DictReader(lines[1:]))[1]
    assert (row["sex"], row["manufacturer"], row["kept:note"]) == ("F", "'=X, Inc.", "'-a, b")
    assert (row["part"], float(row["probability:covid"])) == (
        "test",
        predictions.probabilities[1, 0],
    )
    assert "modality" not in row  # no image states it


def test_tables_of_records_that_state_nothing_further_are_as_before(rng, tmp_path):
    write_predictions(tmp_path / "p.csv", make_predictions(rng, images=6))
    header = (tmp_path / "p.csv").read_text().splitlines()[1]
    assert header.startswith("file,label,patient,group,source,view,part,probability:covid,")


def test_records_are_completed_by_those_of_the_same_file(predictions):
    records = predictions.manifest.records
    updates = [
        dataclasses.replace(record, sex="M", age="", kept=(("note", record.file),), split="train")
        for record in records[:2]
    ]
    result = completed(records, updates)
    assert [record.sex for record in result] == ["M", "M", "F", "F", "F", "F"]
    assert [record.age for record in result[:2]] == ["", "034Y"]
    assert result[1].kept == (("note", records[1].file),)
    assert result[1].split == "test"
    assert result[2:] == records[2:]
    assert states_more(result, records)
    assert not states_more(completed(records, records), records)


def test_columns_that_nobody_asked_for_are_left_out(predictions):
    kept = (("note", "a"), ("secret", "b"))
    records = change_records(predictions, lambda *_: {"kept": kept}).manifest.records
    assert {record.kept for record in with_kept(records, {"note"})} == {(("note", "a"),)}
    assert with_kept(predictions.manifest.records, ()) == predictions.manifest.records
