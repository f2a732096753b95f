import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")
pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from cxr_models.audit.perturbations import PERTURBATIONS
from cxr_models.cli import main
from cxr_models.evaluation.calibration import fit_temperature
from cxr_models.evaluation.predictions import write_predictions
from cxr_models.inference import predict_perturbed as module
from cxr_models.runs.finished import read_run
from tests.helpers.findings import FINDINGS, write_findings_split
from tests.helpers.predicted import ORIGIN, make_predictions
from tests.helpers.runs import make_run, write_small_split

pytestmark = pytest.mark.usefixtures("tiny_backbone")
FEW = ["--draws", "100"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make one run and its split."""
    folder = tmp_path_factory.mktemp("made")
    split = write_small_split(folder / "images")
    return make_run(folder / "run", split), folder / "images/split.csv"


@pytest.fixture
def run(made):
    """Give the run as it was made, without an audit."""
    for path in (made[0] / "evaluation").glob("*"):
        path.unlink()
    return made[0]


def perturb(run, split_file, *options):
    return main(["audit", str(split_file), "--run", str(run), "--perturb", *options, *FEW])


def stored(run):
    return json.loads((run / "evaluation/robustness.json").read_text())


def test_changed_images_are_predicted_and_kept_beside_the_audit(run, made, capsys):
    assert perturb(run, made[1], "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    robustness = printed.pop("robustness")
    assert stored(run) == robustness
    assert json.loads((run / "evaluation/audit.json").read_text()) == printed
    assert robustness["unperturbed"]["accuracy"]["value"] == printed["run"]["accuracy"]
    names = [row["name"] for row in robustness["perturbed"]]
    assert names == [*(one.name for one in PERTURBATIONS), "enhancement"]
    assert robustness["images"] == robustness["test_images"] == printed["test_images"] == 6
    assert robustness["weights_sha256"] == read_run(run).weights_sha256
    for row in robustness["perturbed"]:
        difference = row["accuracy"]["value"] - printed["run"]["accuracy"]
        assert row["differences"]["accuracy"]["value"] == pytest.approx(difference)


def test_the_table_names_every_change(run, made, capsys):
    assert perturb(run, made[1]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Verdict: ") for line in lines)
    start = next(i for i, line in enumerate(lines) if line.startswith("the run on 6 test images"))
    whole = stored(run)["unperturbed"]["accuracy"]["value"]
    assert lines[start + 1].split()[:4] == ["as", "they", "are", f"{whole:.3f}"]
    titles = [*(one.title for one in PERTURBATIONS), "without enhancement"]
    for title, line in zip(titles, lines[start + 2 :], strict=False):
        assert line.startswith(title)


def test_equal_seeds_give_equal_values_and_few_images_are_whole_patients(run, made, capsys):
    assert perturb(run, made[1], "--perturb-images", "3", "--seed", "4") == 0
    first = stored(run)
    assert perturb(run, made[1], "--perturb-images", "3", "--seed", "4") == 0
    assert stored(run) == first
    assert 2 <= first["images"] <= 4
    assert first["images"] == 2 * first["patients"]
    assert (first["test_images"], first["seed"]) == (6, 4)


def test_an_interruption_leaves_the_audit_and_the_former_values(run, made, monkeypatch, capsys):
    assert perturb(run, made[1]) == 0
    former = stored(run)
    (run / "evaluation/audit.json").unlink()

    def interrupted(*_, **__):
        raise OSError(5, "Input/output error", "a.png")

    monkeypatch.setattr(module, "predict_perturbed", interrupted)
    assert perturb(run, made[1]) == 1
    assert "a.png: Input/output error" in capsys.readouterr().err
    assert stored(run) == former
    assert "verdict" in json.loads((run / "evaluation/audit.json").read_text())
    assert {path.name for path in (run / "evaluation").iterdir()} == {
        "audit.json",
        "robustness.json",
    }


def test_images_are_ranked_at_the_temperature_of_the_evaluation(run, made, capsys):
    from tests.helpers.runs import calibrate

    calibrate(run, temperature=1.7)
    assert perturb(run, made[1]) == 0
    assert stored(run)["temperature"] == 1.7
    assert np.isfinite(stored(run)["unperturbed"]["macro_roc_auc"]["value"])


def test_areas_of_an_evaluation_of_patients_are_ranked_at_the_temperature_of_images(
    run, made, rng, capsys
):
    from tests.helpers.runs import calibrate

    finished = read_run(run)
    calibrate(run, temperature=1.7, aggregate={"of": "patient", "by": "mean"})
    assert perturb(run, made[1]) == 0
    told = stored(run)
    assert told["temperature"] == 1.0
    assert told["uncalibrated"].startswith("a row of the run's evaluation is a patient")
    sentence = "ROC-AUC ranks images by probabilities that are not calibrated: a row of the run's"
    assert sentence in capsys.readouterr().out
    origin = dataclasses.replace(ORIGIN, weights_sha256=finished.weights_sha256)
    validation = make_predictions(rng, name="val", origin=origin)
    assert validation.class_names == finished.class_names
    write_predictions(run / "evaluation/val.csv", validation)
    assert perturb(run, made[1]) == 0
    told = stored(run)
    outcomes = validation.outcomes()
    expected = fit_temperature(outcomes.logits, outcomes.targets)
    assert expected.reason is None
    assert told["temperature"] == pytest.approx(expected.value)
    assert "uncalibrated" not in told
    assert "not calibrated" not in capsys.readouterr().out


@pytest.mark.parametrize("findings", [FINDINGS, FINDINGS[1:]], ids=["two", "one"])
def test_a_run_with_findings_is_tested_on_changed_images(tmp_path, capsys, findings):
    split = write_findings_split(tmp_path / "images", 48, hidden=0.1)
    run = make_run(tmp_path / "run", split, model__task="multilabel", model__findings=findings)
    split_file = tmp_path / "images/split.csv"
    assert perturb(run, split_file, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    robustness = printed.pop("robustness")
    assert stored(run) == robustness
    assert json.loads((run / "evaluation/audit.json").read_text()) == printed
    assert robustness["findings"] == list(findings)
    assert robustness["images"] == robustness["test_images"] == printed["test_images"]
    names = [row["name"] for row in robustness["perturbed"]]
    assert names == [*(one.name for one in PERTURBATIONS), "enhancement"]
    for finding in findings:  # the audit predicts the same images
        area = printed["findings"][finding]["run"]["roc_auc"]["value"]
        assert robustness["unperturbed"]["roc_auc"][finding]["value"] == pytest.approx(area)
    assert perturb(run, split_file, "--perturb-images", "10") == 0
    few = stored(run)
    assert few["images"] < few["test_images"]
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("the run on "))
    assert lines[start].split()[-5:] == ["mean", "ROC-AUC", "difference", "falls", "most"]
    titles = [*(one.title for one in PERTURBATIONS), "without enhancement"]
    for title, line in zip(titles, lines[start + 2 :], strict=False):
        assert line.startswith(title)
