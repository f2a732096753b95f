import csv
import json

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras
from sklearn.metrics import roc_auc_score

from cxr_models.cli import main
from cxr_models.inputs.loader import ImageLoader
from cxr_models.inputs.targets import finding_targets
from cxr_models.runs.folder import RunFolder
from cxr_models.training.findings import positive_weights
from cxr_models.training.own_parts import OwnParts
from cxr_models.training.train import train
from tests.helpers.findings import FINDINGS, multilabel, truth_of, write_findings_split
from tests.helpers.tiny_backbone import tiny_config
from tests.helpers.trained import assert_lowest_loss_is_kept, trained_model

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture
def split(tmp_path):
    return write_findings_split(tmp_path / "images")


def tiny(**training):
    return multilabel(tiny_config(**training))


@pytest.mark.parametrize("views", [0, 2], ids=["images", "kept-features"])
def test_the_epoch_of_the_lowest_loss_of_known_validation_labels_is_kept(split, tmp_path, views):
    config = tiny(cache_features=views, learning_rate_head=0.1, learning_rate_fine_tune=0.02)
    assert trained_model(split, config, tmp_path / "run").output.shape == (None, 2)
    assert_lowest_loss_is_kept(tmp_path / "run", split, config)


def test_planted_findings_are_learned_though_many_labels_are_hidden(tmp_path):
    split = write_findings_split(tmp_path / "images", 60)
    config = tiny(epochs_head=25, learning_rate_head=0.02, batch_size=16)
    config = config.with_settings([("model.weights", "none"), ("data.rotation", 0)])
    model = trained_model(split, config, tmp_path / "run")
    test = split.select("test")
    shares = model.predict(ImageLoader(config.data)(test.paths()), verbose=0)
    truth = truth_of(test.records)
    areas = [roc_auc_score(truth[:, place], shares[:, place]) for place in range(2)]
    assert min(areas) > 0.9


def test_positive_weights_reach_the_loss_and_the_history_stays_unweighted(split, tmp_path):
    config = tiny(epochs_head=1, epochs_fine_tune=0, learning_rate_head=0.0)
    weighted = config.with_setting("training.positive_weights", True)
    targets = finding_targets(split.select("train"), FINDINGS)
    seen = keras.callbacks.Callback()  # Keras gives it the model
    train(split, weighted, tmp_path / "weighted", own=OwnParts(callbacks=(seen,)))
    np.testing.assert_allclose(
        seen.model.loss._positive_weights, positive_weights(targets), rtol=1e-6
    )
    train(split, config, tmp_path / "plain")
    one, other = (RunFolder(path=tmp_path / n).read_history()[0] for n in ("weighted", "plain"))
    assert one.val_loss == pytest.approx(other.val_loss, rel=1e-6)


def test_one_finding_is_one_output(split, tmp_path):
    config = tiny(epochs_head=1, epochs_fine_tune=0).with_setting("model.findings", ["Dots"])
    assert trained_model(split, config, tmp_path / "run").output.shape == (None, 1)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains(split, tmp_path, precision):
    config = tiny(precision=precision, epochs_head=1, epochs_fine_tune=1)
    seen = keras.callbacks.Callback()  # Keras gives it the model
    train(split, config, tmp_path / "run", own=OwnParts(callbacks=(seen,)))
    assert seen.model.output.dtype == "float32"
    rows = RunFolder(path=tmp_path / "run").read_history()
    assert np.isfinite([row.loss for row in rows]).all()


def test_a_stopped_run_ends_with_the_weights_of_one_that_was_not(split, tmp_path, monkeypatch):
    config = tiny(learning_rate_fine_tune=0.01)
    expected = trained_model(split, config, tmp_path / "undisturbed").get_weights()
    save = RunFolder.save_backup

    def stopped(self, model, phase, epochs):
        save(self, model, phase, epochs)
        if (phase, epochs) == (1, 1):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save_backup", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(split, config, tmp_path / "run")
    resumed = trained_model(split, config, tmp_path / "run").get_weights()
    for one, other in zip(expected, resumed, strict=True):
        np.testing.assert_array_equal(one, other)
    histories = [RunFolder(path=tmp_path / n).read_history() for n in ("undisturbed", "run")]
    assert [r.val_loss for r in histories[0]] == [r.val_loss for r in histories[1]]


def test_a_run_starts_from_the_weights_of_a_run_of_labels(split, small_split, tmp_path):
    short = {"epochs_head": 1, "epochs_fine_tune": 0}
    train(small_split, tiny_config(**short), tmp_path / "labels")
    weights = str(tmp_path / "labels/best.weights.h5")
    config = tiny(**short).with_setting("model.weights", weights)
    train(split, config, tmp_path / "run")
    assert json.loads((tmp_path / "run/run.json").read_text())["weights"] == weights


def test_the_command_trains_findings_and_says_what_it_kept(tmp_path, capsys):
    write_findings_split(tmp_path)
    settings = tiny_config(epochs_head=2, epochs_fine_tune=0)
    (tmp_path / "config.json").write_text(settings.to_json())
    names = [str(tmp_path / name) for name in ("split.csv", "config.json", "run")]
    words = ["train", names[0], "--config", names[1], "--out", names[2]]
    words += ["--task", "multilabel", "--findings", "Dots, Bands", "--uncertain", "absent"]
    assert main([*words, "--set", "training.positive_weights=true"]) == 0
    said = capsys.readouterr().out
    assert "best validation loss of known labels: 0." in said
    config = RunFolder(path=tmp_path / "run").read_config()
    assert config.model.findings == ("Dots", "Bands")
    assert (config.model.uncertain, config.training.positive_weights) == ("absent", True)


def test_the_commands_lead_from_a_split_to_a_decision_of_each_finding(tmp_path, capsys):
    write_findings_split(tmp_path / "images", 40)
    settings = tiny_config(epochs_head=2, epochs_fine_tune=0, batch_size=16)
    (tmp_path / "config.json").write_text(settings.to_json())
    split, run, table = tmp_path / "images/split.csv", tmp_path / "run", tmp_path / "p.csv"
    page = tmp_path / "report.html"
    for words in (
        ["train", split, "--config", tmp_path / "config.json", "--out", run,
         "--task", "multilabel", "--findings", ",".join(FINDINGS)],
        ["evaluate", run, "--draws", "100"],
        ["predict", run, tmp_path / "images", "--out", table],
        ["export", run, "--format", "keras", "--out", tmp_path / "m.keras"],
        ["report", run, "--out", page, "--no-images"],
    ):  # fmt: skip
        assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "calibrated: a temperature of each finding" in said
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    points = json.loads((run / "evaluation/evaluation.json").read_text())["operating_points"]
    for name in FINDINGS:
        point = points["thresholds"][name]
        assert [row[f"called:{name}"] for row in rows] == [
            str(int(float(row[f"probability:{name}"]) >= point)) for row in rows
        ]
    assert "Dots" in page.read_text()
