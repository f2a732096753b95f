import csv
import dataclasses
import json

import numpy as np
import pytest

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.prediction_tables import Origin, read_origin
from cxr_models.evaluation.predictions import (
    Predictions,
    read_predictions,
    targets_of_labels,
    write_predictions,
)
from cxr_models.records.manifest import Manifest, Record
from cxr_models.records.overlap import Overlap, Shared
from tests.helpers.predicted import CLASSES, ORIGIN, make_predictions, with_logits


@pytest.mark.parametrize("name", ["test", "elsewhere"])
def test_a_written_table_is_read_as_it_was_to_the_last_bit(rng, tmp_path, name):
    predictions = make_predictions(rng, name=name)
    write_predictions(tmp_path / "p.csv", predictions)
    read = read_predictions(tmp_path / "p.csv")
    for field in dataclasses.fields(Predictions):
        expected, got = getattr(predictions, field.name), getattr(read, field.name)
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(got, expected)
        else:
            assert got == expected, field.name
    assert read_origin(tmp_path / "p.csv") == ORIGIN
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_what_a_set_shares_with_seen_images_is_kept_and_older_tables_tell_nothing(rng, tmp_path):
    overlap = Overlap(
        near=(Shared("test/1.png", "a.png", "train", "inverted"),),
        patients=(Shared("test/2.png", "b.png", "val of /runs/one", "patient"),),
        unread=1,
    )
    predictions = dataclasses.replace(make_predictions(rng), overlap=overlap)
    write_predictions(tmp_path / "p.csv", predictions)
    assert read_predictions(tmp_path / "p.csv").overlap == overlap
    tag, text = (tmp_path / "p.csv").read_text().split("{", 1)
    head, body = text.split("\n", 1)
    told = json.loads("{" + head)
    del told["overlap"]
    (tmp_path / "p.csv").write_text(f"{tag}{json.dumps(told)}\n{body}")
    assert read_predictions(tmp_path / "p.csv").overlap is None
    told["overlap"] = {"near": [{"file": "a.png"}], "patients": [], "unread": 0}
    (tmp_path / "p.csv").write_text(f"{tag}{json.dumps(told)}\n{body}")
    with pytest.raises(
        ValueError, match=r"first line .* not valid: overlap\.near\.0\.seen is missing"
    ):
        read_predictions(tmp_path / "p.csv")


def test_any_reader_of_csv_gets_the_probabilities(rng, tmp_path):
    predictions = make_predictions(rng, images=4)
    write_predictions(tmp_path / "p.csv", predictions)
    lines = (tmp_path / "p.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines[1:]))
    assert [row["part"] for row in rows] == ["test"] * 4
    for row, expected in zip(rows, predictions.probabilities, strict=True):
        assert [float(row[f"probability:{name}"]) for name in CLASSES] == expected.tolist()


def test_names_that_csv_must_quote_survive_a_table(rng, tmp_path):
    records = tuple(
        Record(file=f'a "{i}", b.png', label=label, patient="é\n", source="x,y")
        for i, label in enumerate(CLASSES)
    )
    predictions = dataclasses.replace(
        make_predictions(rng, images=3, name="elsewhere", labels=list(CLASSES)),
        manifest=Manifest(records=records, root=make_predictions(rng).manifest.root),
    )
    write_predictions(tmp_path / "p.csv", predictions)
    assert read_predictions(tmp_path / "p.csv").manifest.records == records


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda text: text.replace("covid", "virus", 9),
            "must be as cxr-models wrote it|must tell",
        ),
        (lambda text: text[:-3], "must be as cxr-models wrote it"),
        (lambda text: text + "x,y\n", "must be as cxr-models wrote it"),
        (lambda text: text.partition("\n")[2], "must be a table of predictions"),
        (lambda text: "# cxr-models predictions {}\n" + text, "must be a table of predictions"),
        (lambda text: "", "must be a table of predictions"),
    ],
)
def test_a_changed_table_is_refused(rng, tmp_path, change, sentence):
    path = tmp_path / "p.csv"
    write_predictions(path, make_predictions(rng))
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=sentence):
        read_predictions(path)


def test_a_changed_table_of_another_model_is_to_be_made_of_the_model_s_table_again(rng, tmp_path):
    path = tmp_path / "p.csv"
    foreign = Origin(weights_sha256="", config_sha256="", records_sha256="r", inputs="i")
    write_predictions(path, dataclasses.replace(make_predictions(rng), origin=foreign))
    path.write_text(path.read_text() + "x")
    with pytest.raises(ValueError, match=r"since\. Evaluate the model's table again, into a new fol"
                       "der: cxr-models evaluate-predictions TABLE --out DIR"):  # fmt: skip
        read_predictions(path)


def test_numbers_that_are_none_are_refused_with_the_file_and_the_cure(rng):
    predictions = make_predictions(rng)
    logits = predictions.logits.copy()
    logits[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"`logits` must be finite.*'test/3.png'.*diverged"):
        with_logits(predictions, logits)


def test_probabilities_that_are_not_those_of_the_logits_are_refused(rng):
    predictions = make_predictions(rng)
    with pytest.raises(ValueError, match="must be the softmax of the logits"):
        dataclasses.replace(predictions, probabilities=softmax(predictions.logits, 2.0))


def test_labels_that_the_run_does_not_know_are_named(rng):
    made = make_predictions(rng, images=1)
    records = (Record(file="a", label="pneumonia"),)
    manifest = Manifest(records=records, root=made.manifest.root)
    with pytest.raises(ValueError, match=r"\(covid, normal, virus\); got pneumonia in x"):
        dataclasses.replace(made, name="x", manifest=manifest)


def test_one_class_against_the_rest_has_two_columns_and_knows_all_labels():
    targets = targets_of_labels(["virus", "covid", "normal"], ("not covid", "covid"), CLASSES)
    assert targets.tolist() == [0, 1, 0]
    assert targets_of_labels(["virus", "covid"], CLASSES, CLASSES).tolist() == [2, 0]


def test_images_tied_by_patient_or_group_are_one_patient(rng):
    records = tuple(
        Record(file=str(i), label="covid", patient=patient, group=group)
        for i, (patient, group) in enumerate(
            [("a", ""), ("b", "g"), ("a", "g"), ("", ""), ("", "")]
        )
    )
    made = make_predictions(rng, images=5, labels=["covid"] * 5)
    made = dataclasses.replace(made, manifest=Manifest(records=records, root=made.manifest.root))
    assert made.outcomes().patients.tolist() == [0, 0, 0, 1, 2]
