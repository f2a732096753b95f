"""`evaluate_predictions` says what the command says, of files and of columns in memory."""

import csv
import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

import cxr_models as cxm
from cxr_models._typed_json import to_json
from tests.helpers.foreign_tables import write_csv, write_finding_table, write_table
from tests.helpers.fresh_process import run_code
from tests.helpers.predicted import make_finding_predictions, make_predictions


@pytest.fixture
def table(tmp_path, rng):
    """Write val and test of a model of three classes."""
    return write_table(
        tmp_path / "mine.csv", [make_predictions(rng, 80, name=name) for name in ("val", "test")]
    )


def columns_of(table):
    """Return a table as columns in memory; probabilities as an array."""
    rows = list(csv.DictReader(table.read_text().splitlines()))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: np.array(cells, np.float64) if name.startswith("prob:") else cells
        for name, cells in columns.items()
    }


def files_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_values_and_folders_are_those_of_the_command(table, tmp_path, capsys):
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models.cli import main

    options = ["--sensitivity", "0.9", "--prevalence", "0.1,0.3", "--at-specificity", "0.8"]
    options += ["--aggregate", "patient", "--aggregate-by", "mean", "--by", "view", "--seed", "3"]
    words = ["evaluate-predictions", str(table), "--out", str(tmp_path / "a/out"), *options]
    assert main([*words, "--draws", "100", "--json"]) == 0
    told = capsys.readouterr()
    said = []
    evaluated = cxm.evaluate_predictions(
        table,
        sensitivity=0.9,
        prevalence=[0.1, 0.3],
        at_specificity=0.8,
        aggregate="patient",
        by=["view"],
        seed=3,
        draws=100,
        out=tmp_path / "b/out",
        say=said.append,
    )
    assert to_json(evaluated.evaluation) == json.loads(told.out)
    assert files_in(tmp_path / "b/out") == files_in(tmp_path / "a/out")
    assert told.err.splitlines() == said
    assert evaluated.remarks == {"out": tuple(line.removeprefix("out: ") for line in said)}
    assert evaluated.audits == {}
    assert evaluated.several is None


def test_columns_in_memory_give_the_values_of_the_file(table):
    of_file = cxm.evaluate_predictions(table, draws=100).evaluation
    of_columns = cxm.evaluate_predictions(columns_of(table), draws=100).evaluation
    assert dataclasses.replace(of_columns, run="mine") == of_file
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    of_frame = cxm.evaluate_predictions(pandas.DataFrame(columns_of(table)), draws=100).evaluation
    assert of_frame == of_columns


def test_findings_of_columns_are_unknown_where_cells_are_empty(tmp_path, rng):
    predictions = make_finding_predictions(rng)
    of_file = write_finding_table(tmp_path / "mine.csv", [predictions])
    columns = {"file": [record.file for record in predictions.manifest.records]}
    columns["patient"] = [record.patient for record in predictions.manifest.records]
    for k, name in enumerate(predictions.findings):
        targets = predictions.targets[:, k].astype(np.float64)
        columns[f"finding:{name}"] = np.where(targets < 0, np.nan, targets)
        columns[f"prob:{name}"] = predictions.probabilities[:, k]
        columns[f"logit:{name}"] = predictions.logits[:, k]
    expected = cxm.evaluate_predictions(of_file, draws=100).evaluation.sets["test"]
    found = cxm.evaluate_predictions(columns, draws=100).evaluation.sets["test"]
    assert found.findings == expected.findings


def test_several_models_are_named_and_compared(table, tmp_path):
    mine = columns_of(table)
    theirs = mine | {
        name: mine["prob:normal" if name == "prob:virus" else "prob:virus"]
        for name in ("prob:normal", "prob:virus")
    }
    both = cxm.evaluate_predictions(
        {"mine": table, "theirs": theirs}, draws=100, out=tmp_path / "both"
    )
    assert list(both.evaluations) == ["mine", "theirs"]
    (pair,) = both.several.comparisons
    assert (pair.first, pair.second, pair.images) == ("mine", "theirs", 80)
    accuracies = [e.sets["test"].overall.accuracy.value for e in both.evaluations.values()]
    assert pair.accuracy.value == pytest.approx(accuracies[0] - accuracies[1])
    with pytest.raises(ValueError, match=r"`evaluation` is only .* one model; got mine, theirs"):
        _ = both.evaluation
    assert (tmp_path / "both/theirs/evaluation/evaluation.json").is_file()
    (tmp_path / "b").mkdir()
    copy = write_csv(tmp_path / "b/mine.csv", list(csv.DictReader(table.read_text().splitlines())))
    listed = cxm.evaluate_predictions([table, copy], draws=100)
    assert listed.several.comparisons[0].accuracy.value == 0
    assert list(listed.evaluations) == [f"{tmp_path.name}-mine", "b-mine"]


def test_a_patient_in_two_parts_is_warned_of(tmp_path, rng):
    sets = [make_predictions(rng, 20, name=name) for name in ("val", "test")]
    columns = columns_of(write_table(tmp_path / "t.csv", sets, drop=("patient",)))
    columns |= {"patient": [f"p{i % 20}" for i in range(40)]}
    with pytest.warns(UserWarning, match="^predictions: 20 patients are in train or val and in"):
        evaluated = cxm.evaluate_predictions(columns, draws=100)
    assert evaluated.remarks["predictions"][0].startswith("WARNING: 20 patients")


@pytest.mark.parametrize(
    ("predictions", "options", "error", "sentence"),
    [
        (3, {}, TypeError, "`predictions` must be a file, columns by name, or several of these"),
        ([], {}, TypeError, "`predictions` must list files, at least one; got none"),
        ([{"file": []}], {}, TypeError, "got dict. Name tables in memory, as in {'mine': table"),
        ({}, {}, ValueError, "`predictions` must have the columns file and label"),
        ({"a/b": "t.csv"}, {}, ValueError, "must name models by different words .*; got a/b"),
        ({"a": "t.csv", "A": "u.csv"}, {}, ValueError, "must name models by different words"),
        (["t.csv", "./t.csv"], {}, ValueError, "`predictions` must name different tables"),
        ("t.csv", {"draws": 7}, ValueError, "`draws` must be at least 100"),
        ("t.csv", {"aggregate_by": "max"}, ValueError, "`aggregate_by` is only allowed with `agg"),
        ("gone.csv", {}, FileNotFoundError, r"gone\.csv"),
    ],
)
def test_other_arguments_are_refused(predictions, options, error, sentence):
    with pytest.raises(error, match=sentence):
        cxm.evaluate_predictions(predictions, **options)


def test_options_that_a_table_does_not_allow_are_named_as_arguments(table, tmp_path):
    with pytest.raises(ValueError, match="`threshold` is only allowed without a validation part"):
        cxm.evaluate_predictions(table, threshold=0.3)
    rng = np.random.default_rng(1)
    test = write_table(tmp_path / "test.csv", [make_predictions(rng)], part=False)
    with pytest.raises(
        ValueError, match=r"`sensitivity` is only .* table of that part with `valid"
    ):
        cxm.evaluate_predictions(test, sensitivity=0.9)
    with pytest.raises(ValueError, match="`images` must be the folder that the names"):
        cxm.evaluate_predictions(test, images=tmp_path)
    points = cxm.evaluate_predictions(test, threshold=0.3, draws=100).evaluation.operating_points
    assert set(points.thresholds.values()) == {0.3}
    val = columns_of(write_table(tmp_path / "v.csv", [make_predictions(rng, name="val")]))
    evaluation = cxm.evaluate_predictions(test, validation=val, draws=100).evaluation
    assert evaluation.calibration.fitted_on == "val"


def test_only_an_output_of_this_function_is_replaced(table, tmp_path):
    out = tmp_path / "out"
    cxm.evaluate_predictions(table, draws=100, out=out)
    with pytest.raises(FileExistsError, match=r"`out` must not exist; .* with overwrite=True"):
        cxm.evaluate_predictions(table, draws=100, out=out)
    cxm.evaluate_predictions(table, draws=100, out=out, overwrite=True)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="`out` must not name a folder of other files"):
        cxm.evaluate_predictions(table, draws=100, out=out, overwrite=True)


def test_no_framework_is_needed(table):
    code = "import cxr_models as cxm\nprint(cxm.evaluate_predictions(sys.argv[1], draws=100))"
    without = ("tensorflow", "keras", "jax", "typer", "sklearn")
    assert "EvaluatedPredictions" in run_code(code, table, without=without).stdout


@pytest.mark.parametrize("logit", [300.0, 40.0])
def test_logits_whose_probabilities_are_all_0_or_1_are_evaluated(logit):
    places = range(48)
    table = {
        "file": [f"{i}.png" for i in places],
        "patient": [f"p{i}" for i in places],
        "finding:Mass": [i // 2 % 2 for i in places],
        "logit:Mass": [logit * (-1) ** i for i in places],
    }
    (evaluation,) = cxm.evaluate_predictions(table, draws=100).evaluations.values()
    clinic = evaluation.sets["test"].clinic["Mass"]
    assert evaluation.sets["test"].findings["Mass"].roc_auc.value == 0.5
    assert clinic.calibration_slope.value == pytest.approx(0.0, abs=1e-9)
    assert clinic.calibration_intercept.value is None or logit == 40.0
    assert clinic.calibration_intercept.reason or clinic.calibration_intercept.interval
