import csv
import dataclasses
import json
import os

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")
pytest.importorskip("pydicom", reason="pydicom is not installed")
pytest.importorskip("typer", reason="typer is not installed")

from cxr_models.cli import main
from cxr_models.evaluation.aggregate import aggregated_sets
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_statistics import outcomes_of
from cxr_models.evaluation.results import Aggregation
from cxr_models.evaluation.units import unit_keys
from cxr_models.inference.predict_files import Row
from cxr_models.inference.predicted_units import joined_rows, keys_of_files
from cxr_models.records.manifest import Record, write_manifest
from cxr_models.records.splits import read_split
from tests.helpers.dicom_files import data_set, saved
from tests.helpers.predicted import make_finding_predictions, make_predictions
from tests.helpers.runs import (
    calibrate,
    calibrate_findings,
    copy_run,
    make_run,
    write_small_split,
)

pytestmark = pytest.mark.usefixtures("tiny_backbone")

NAMES = ("covid", "normal", "virus")
PATIENTS = Aggregation(of="patient", by="mean")
STUDIES = Aggregation(of="study", by="mean")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make one run, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    return make_run(folder / "run", write_small_split(folder / "images"))


@pytest.fixture
def images(tmp_path):
    write_small_split(tmp_path / "images")
    return tmp_path / "images"


@pytest.fixture
def run(made, images, tmp_path):
    return copy_run(made, tmp_path / "run", images)


def predicted(run, *arguments, out, status=0):
    assert main(["predict", str(run), *map(str, arguments), "--out", str(out)]) == status
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def shares(row):
    return np.array([float(row[f"probability:{name}"]) for name in NAMES])


def write_dicom(path, **elements):
    rng = np.random.default_rng(len(str(path)))
    path.write_bytes(saved(data_set(rng.integers(0, 256, (60, 50), np.uint8), **elements)))
    return path


FAILED = Row(file="b", probabilities=None, error="no image")


def row_of(file, *logits, to_probabilities=softmax, files=()):
    shares = tuple(to_probabilities(np.array([logits]))[0].tolist())
    return Row(file=file, probabilities=shares, error="", logits=logits, files=files)


def test_a_unit_has_the_joined_probabilities_of_its_files_and_failures_their_own_rows():
    rows = [row_of("a", 2.0, 0.0), FAILED, row_of("c", -1.0, 1.5), row_of("d", 0.4, 0.0)]
    keys = ["one", "one", "one", None]
    first, failed, alone = joined_rows(rows, keys, PATIENTS, to_probabilities=softmax)
    assert first == row_of("a", 0.5, 0.75, files=("a", "c"))
    assert failed == FAILED
    assert alone == row_of("d", 0.4, 0.0, files=("d",))
    highest = Aggregation(of="patient", by="max")
    by_max = joined_rows(rows, keys, highest, to_probabilities=softmax)
    assert by_max[0].probabilities == rows[2].probabilities


def test_each_finding_of_a_unit_is_joined_by_itself():
    options = {"to_probabilities": sigmoid}
    rows = [
        row_of("a", 2.0, 0.0, **options),
        FAILED,
        row_of("c", -1.0, 1.5, **options),
        row_of("d", 800.0, -800.0, **options),
    ]
    keys = ["one", "one", "one", None]
    first, failed, alone = joined_rows(rows, keys, PATIENTS, **options, multilabel=True)
    assert first == row_of("a", 0.5, 0.75, files=("a", "c"), **options)
    assert failed == FAILED
    assert alone.probabilities == (1.0, 0.0)
    highest = Aggregation(of="patient", by="max")
    by_max = joined_rows(rows, keys, highest, **options, multilabel=True)
    assert by_max[0].probabilities == row_of("", 2.0, 1.5, **options).probabilities


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("by", ["mean", "max"])
@pytest.mark.parametrize("multilabel", [False, True])
def test_a_patient_has_bit_for_bit_the_probability_that_evaluate_compares_with_thresholds(
    rng, temperature, by, multilabel
):
    aggregation = Aggregation(of="patient", by=by)
    logits = rng.normal(0, 4, (2000, 2)).astype(np.float32).astype(np.float64)
    to_probabilities = sigmoid if multilabel else softmax
    values = {"logits": logits, "probabilities": to_probabilities(logits)}
    if multilabel:
        images = make_finding_predictions(rng, 2000, shares=(0.5, 0.5), hidden=0.0, **values)
        (joined,) = aggregated_sets([images], aggregation)
        outcomes = dataclasses.replace(outcomes_of(joined), temperatures=(temperature,) * 2)
        expected = np.stack([outcomes.of(k).calibrated for k in range(2)], axis=1)
    else:
        images = make_predictions(rng, labels=["covid", "covid", "normal", "normal"] * 500)
        two = {"class_names": ("covid", "normal"), "labels": ("covid", "normal")}
        images = dataclasses.replace(images, **two, **values)
        (joined,) = aggregated_sets([images], aggregation)
        expected = joined.outcomes(temperature=temperature).calibrated
    rows = [
        row_of(record.file, *of_image, to_probabilities=to_probabilities)
        for record, of_image in zip(images.manifest.records, logits.tolist(), strict=True)
    ]
    units = joined_rows(
        rows,
        unit_keys(images.manifest.records, aggregation),
        aggregation,
        # as a run that is served computes them
        to_probabilities=lambda logits: (
            sigmoid(logits / temperature) if multilabel else softmax(logits, temperature)
        ),
        multilabel=multilabel,
    )
    assert len(units) == 1000
    np.testing.assert_array_equal([unit.probabilities for unit in units], expected)


def test_findings_of_patients_are_called_by_an_evaluation_of_patients(images, tmp_path, capsys):
    split = read_split(images / "split.csv")
    options = {"model__task": "multilabel", "model__findings": ["Edema", "Mass"]}
    run = make_run(tmp_path / "findings", split, **options)
    alone = predicted(run, images, out=tmp_path / "alone.csv")
    points = {"Edema": 0.0, "Mass": 1.0}
    calibrate_findings(run, {"Edema": 1.0, "Mass": 1.0}, points)
    words = ("--aggregate", "patient", "--aggregate-by", "max", "--records", images / "split.csv")
    rows = predicted(run, images, *words, out=tmp_path / "p.csv")
    assert {row["calibrated"] for row in rows} == {"no"}
    sentence = "a row of the run's evaluation is an image, not a patient (highest probability)"
    assert sentence in capsys.readouterr().out
    path = run / "evaluation" / "evaluation.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"aggregate": {"of": "patient", "by": "max"}}))
    rows = predicted(run, images, *words, "--overwrite", out=tmp_path / "p.csv")
    by_file = {row["file"]: row for row in alone}
    assert len(rows) == 12
    for row in rows:
        assert (row["images"], row["calibrated"]) == ("2", "yes")
        assert (row["called:Edema"], row["called:Mass"]) == ("1", "0")
        for finding in ("Edema", "Mass"):
            column = f"probability:{finding}"
            highest = max(float(by_file[file][column]) for file in row["files"].split(";"))
            assert float(row[column]) == pytest.approx(highest, rel=1e-6)
    assert "12 patients of 24 images" in capsys.readouterr().out


def test_a_manifest_says_which_files_are_of_one_patient(run, images, tmp_path, capsys):
    alone = predicted(run, images, out=tmp_path / "alone.csv")
    by_file = {row["file"]: shares(row) for row in alone}
    words = ("--aggregate", "patient", "--records", images / "split.csv")
    rows = predicted(run, images, *words, out=tmp_path / "p.csv")
    assert len(rows) == 12
    assert {row["images"] for row in rows} == {"2"}
    for row in rows:
        files = row["files"].split(";")
        assert files[0] == row["file"]
        product = np.sqrt(by_file[files[0]] * by_file[files[1]])
        np.testing.assert_allclose(shares(row), product / product.sum(), rtol=1e-6)
    assert "12 patients of 24 images" in capsys.readouterr().out


def test_headers_say_it_where_there_is_no_manifest_and_no_id_is_written(run, tmp_path):
    folder = tmp_path / "dicom"
    folder.mkdir()
    write_dicom(folder / "1.dcm", PatientID="A", StudyInstanceUID="1.2")
    write_dicom(folder / "22.dcm", PatientID="A", StudyInstanceUID="1.3")
    write_dicom(folder / "333.dcm", PatientID="B", StudyInstanceUID="1.4")
    rows = predicted(run, folder, "--aggregate", "patient", out=tmp_path / "p.csv")
    assert [row["images"] for row in rows] == ["2", "1"]
    rows = predicted(run, folder, "--aggregate", "study", out=tmp_path / "s.csv")
    assert [row["images"] for row in rows] == ["1", "1", "1"]
    again = predicted(run, folder, "--aggregate", "study", "--overwrite", out=tmp_path / "s.csv")
    assert again == rows


def test_predictions_of_patients_equal_what_evaluate_says_of_them(run, images, tmp_path, capsys):
    words = ["--aggregate", "patient"]
    assert main(["evaluate", str(run), "--draws", "100", *words]) == 0
    assert "a row is a patient (mean of the logits)" in capsys.readouterr().out
    rows = predicted(run, images, *words, "--records", images / "split.csv", out=tmp_path / "p.csv")
    assert {row["calibrated"] for row in rows} == {"yes"}
    assert "called at the operating points of evaluate" in capsys.readouterr().out
    alone = predicted(run, images, out=tmp_path / "alone.csv")
    assert {row["calibrated"] for row in alone} == {"no"}
    sentence = "a row of the run's evaluation is a patient (mean of the logits), not an image"
    assert sentence in capsys.readouterr().out


def test_the_evaluation_of_images_does_not_calibrate_patients(run, images, tmp_path, capsys):
    calibrate(run, 1.7)
    words = ("--aggregate", "patient", "--records", images / "split.csv")
    rows = predicted(run, images, *words, out=tmp_path / "p.csv")
    assert {row["calibrated"] for row in rows} == {"no"}
    assert {row["called"] for row in rows} == {""}
    out = capsys.readouterr().out
    assert "make one of these with: cxr-models evaluate RUN --aggregate patient" in out


def test_files_without_a_patient_are_refused_with_a_cure(run, images, tmp_path, capsys):
    def refused(*words):
        out = str(tmp_path / "p.csv")
        assert main(["predict", str(run), str(images), "--out", out, *map(str, words)]) == 2
        assert not os.path.exists(out)
        return capsys.readouterr().err

    error = refused("--aggregate", "patient")
    assert "which no file has in its DICOM header. Name a manifest that has it" in error
    assert "got 'study', which no file has in" in refused(
        "--aggregate", "study", "--records", images / "split.csv"
    )
    assert "`--records` is only allowed with --aggregate" in refused(
        "--records", images / "split.csv"
    )
    assert "`aggregate_by` must be mean for more than two classes" in refused(
        "--aggregate", "patient", "--aggregate-by", "max", "--records", images / "split.csv"
    )


def test_files_that_a_manifest_lacks_are_units_of_their_own(tmp_path):
    manifest = tmp_path / "m.csv"
    write_manifest(
        manifest,
        [Record(file=f"{name}.png", label="covid", patient="1") for name in ("a", "b")],
    )
    paths = [str(tmp_path / f"{name}.png") for name in ("a", "c", "b")]
    keys = keys_of_files(paths, PATIENTS, manifest)
    assert keys[0] == keys[2] != keys[1]
    assert keys[1] is None


def test_a_manifest_is_not_written_over(run, images, tmp_path, capsys):
    split = images / "split.csv"
    before = split.read_bytes()
    words = ["--aggregate", "patient", "--records", str(split), "--out", str(split), "--overwrite"]
    assert main(["predict", str(run), str(images), *words]) == 2
    assert "must not replace what this command reads" in capsys.readouterr().err
    assert split.read_bytes() == before
