import json

import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("scipy", reason="scipy is not installed")

from cxr_models import evaluate_predictions
from cxr_models._typed_json import converted
from cxr_models.cli import main
from cxr_models.cli._evaluation_text import counted_rows
from cxr_models.cli._findings_text import several_findings_lines
from cxr_models.evaluation.compare_findings import compare_or_pool_findings
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.findings import evaluate_findings
from cxr_models.evaluation.findings_results import SeveralFindingRuns
from cxr_models.evaluation.results import Aggregation
from tests.helpers.findings import multilabel, write_findings_split
from tests.helpers.predicted import FINDINGS, make_finding_predictions
from tests.helpers.report_runs import change_records, write_finding_run, write_run

FEW = ["--draws", "100"]


@pytest.fixture
def run(tmp_path):
    return write_finding_run(tmp_path / "first")


def test_tables_of_findings_are_evaluated_without_weights_or_images(run, capsys):
    stored = (run / "evaluation/evaluation.json").read_text()
    (run / "evaluation/evaluation.json").unlink()
    assert main(["evaluate", str(run), "--from-predictions", "--json", *FEW]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((run / "evaluation/evaluation.json").read_text())
    assert shown == json.loads(stored)
    assert shown["task"] == "multilabel"
    assert list(shown["sets"]) == ["train", "val", "test", "clinic"]


def test_the_terminal_shows_every_finding_of_tested_sets_and_their_mean(run, capsys):
    assert main(["evaluate", str(run), "--from-predictions", *FEW]) == 0
    stored = json.loads((run / "evaluation/evaluation.json").read_text())
    out = capsys.readouterr().out
    for name in ("test", "clinic"):
        values = stored["sets"][name]
        for finding in FINDINGS:
            area = values["findings"][finding]["roc_auc"]
            low, high = area["interval"]
            assert f"{area['value']:.3f} [{low:.3f}, {high:.3f}]" in out
        mean = values["means"]["roc_auc"]
        assert f"mean of 3 findings: ROC-AUC {mean['value']:.3f} [" in out
    assert "val: 240 images of 120 patients: used for choices" in out
    assert f"wrote {run}/evaluation/evaluation.json" in out
    assert out.endswith("Beside every area belongs what shortcuts reach: cxr-models audit SPLIT.\n")


def test_two_runs_are_compared_finding_by_finding(run, tmp_path, capsys):
    other = write_finding_run(tmp_path / "second", seed=1)
    out = tmp_path / "both.json"
    command = ["evaluate", str(run), str(other), "--from-predictions", *FEW]
    assert main([*command, "--out", str(out)]) == 1  # other labels of the same images
    assert "must hold the same images and labels in " in capsys.readouterr().err
    other = write_finding_run(tmp_path / "third", training__seed=3)
    command[2] = str(other)
    assert main([*command, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "training.seed: first 0, third 3" in shown
    assert "first minus third on test, 240 images" in shown
    assert "Mass: not tested: both models rank the images alike" in shown
    stored = json.loads(out.read_text())
    assert list(stored) == ["runs", "differ", "comparisons", "seeds"]
    assert [pair["set"] for pair in stored["comparisons"]] == ["test", "clinic"]
    assert main([*command, "--out", str(out), "--overwrite"]) == 0


def test_what_images_were_joined_to_is_counted_where_runs_are_compared(tmp_path, capsys):
    runs = [write_finding_run(tmp_path / name, training__seed=i) for i, name in enumerate("ab")]
    joined = ["--from-predictions", "--aggregate", "patient", *FEW]
    assert main(["evaluate", *map(str, runs), *joined]) == 0
    assert "a minus b on test, 120 patients\n" in capsys.readouterr().out


def test_pooled_runs_count_what_their_images_were_joined_to(rng):
    runs = {
        name: [
            make_finding_predictions(rng, name="val"),
            change_records(
                make_finding_predictions(rng), lambda i, _, n=name: {"file": f"{n}{i}.png"}
            ),
        ]
        for name in "ab"
    }
    method = Method(draws=100, aggregate=Aggregation(of="patient", by="mean"))
    several = converted(
        SeveralFindingRuns,
        compare_or_pool_findings(runs, method),
        runs={name: evaluate_findings(name, sets, method) for name, sets in runs.items()},
        differ={},
    )
    lines = list(several_findings_lines(several))
    assert [line.split()[:4] for line in lines if line.startswith("test sets of")] == [
        ["test", "sets", "of", "patients"]
    ]
    (line,) = [line for line in lines if line.startswith("pooled: ")]
    assert line == f"pooled: {several.pooled.images} patients"


def test_one_row_is_counted_as_one(rng):
    table = {"file": ["a"], "patient": ["p"], "label": ["TB"], "prob:TB": [0.5]}
    group = evaluate_predictions(table, draws=100).evaluation.sets["test"]
    assert counted_rows(group, "images") == "1 image of 1 patient"
    assert counted_rows(group, "studies") == "1 study of 1 patient"
    assert counted_rows(group, "patients") == "1 patient"


def test_runs_of_findings_and_of_classes_are_not_compared(run, tmp_path, capsys):
    other = write_run(tmp_path / "classes")
    assert main(["evaluate", str(run), str(other), "--from-predictions", *FEW]) == 1
    error = capsys.readouterr().err
    assert "got classes with classes and first with findings." in error


def test_a_run_with_findings_is_evaluated_audited_and_reported(tmp_path, request, capsys):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from cxr_models.training.train import train

    request.getfixturevalue("tiny_backbone")
    from tests.helpers.tiny_backbone import tiny_config

    split = write_findings_split(tmp_path / "images", 40)
    run = tmp_path / "run"
    train(split, multilabel(tiny_config(epochs_head=1, epochs_fine_tune=0)), run)
    assert main(["evaluate", str(run), "--json", *FEW]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    command = ["audit", str(tmp_path / "images/split.csv"), "--run", str(run), "--json", *FEW]
    assert main(command) == 0
    audited = json.loads(capsys.readouterr().out)
    assert audited == json.loads((run / "evaluation/audit.json").read_text())
    test = evaluated["sets"]["test"]["findings"]
    for finding in split.manifest.finding_names():
        reached = audited["findings"][finding]
        assert reached["images"] == test[finding]["images"]
        area = test[finding]["roc_auc"]["value"]
        assert reached["run"]["roc_auc"]["value"] == pytest.approx(area, abs=1e-6)
        assert reached["border_blanked"]["roc_auc"]["value"] is not None
    assert main(["report", str(run), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "ROC-AUC of models that see no lungs, or hardly" in page
    assert "called, but absent" in page or "missed" in page
