import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

import cxr_models as cxm
from cxr_models import backbones
from cxr_models.records.splits import records_hash
from tests.cxr_models.test_backbones import blue_first_about_a_half, small
from tests.helpers.radiographs import write_class_folders
from tests.helpers.runs import write_small_split
from tests.helpers.tiny_backbone import tiny_config
from tests.helpers.trained import trained_model

pytestmark = pytest.mark.usefixtures("tiny_backbone")

CONFIG = tiny_config(epochs_head=1, epochs_fine_tune=1)


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(backbones, "_registered", {})


@pytest.fixture
def split(tmp_path):
    return write_small_split(tmp_path / "images")


def test_a_run_is_the_one_that_the_training_gives(split, tmp_path):
    said = []
    run = cxm.train(split, out=tmp_path / "run", config=CONFIG, say=said.append)
    model = trained_model(split, CONFIG, tmp_path / "other")
    for expected, got in zip(model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, got)
    assert [row.phase for row in run.history] == ["head", "fine_tune"]
    assert (run.path, run.config) == (tmp_path / "run", CONFIG)
    assert (tmp_path / "run" / "curves.png").is_file()
    assert run.split.hash == split.hash
    assert any(line.startswith("phase head: epochs 1 to 1") for line in said)


def test_a_start_that_has_seen_patients_of_the_test_is_a_warning(split, tmp_path):
    settings = {"model.weights": str(tmp_path / "run/best.weights.h5")}
    cxm.train(split, out=tmp_path / "run", config=CONFIG)
    patient = split.select("train").records[0].patient
    first = split.select("test").records[0]
    records = tuple(
        dataclasses.replace(record, patient=patient if record == first else "")
        for record in split.manifest.records
    )
    manifest = dataclasses.replace(split.manifest, records=records)
    other = dataclasses.replace(split, manifest=manifest, hash=records_hash(records))
    config = CONFIG.with_settings(settings.items())
    with pytest.warns(UserWarning, match="1 image of test is of a patient, by source") as seen:
        cxm.train(other, out=tmp_path / "new", config=config)
    assert [w.filename for w in seen if w.category is UserWarning] == [__file__]


def test_a_split_of_memory_and_a_mapping_of_settings_are_enough(tmp_path):
    write_class_folders(tmp_path / "images", count=8)
    manifest = cxm.index(tmp_path / "images", patient_pattern=r"\w+-p\d+")
    settings = {
        "data.image_size": (32, 40),
        "training.epochs_head": 1,
        "training.epochs_fine_tune": 0,
        "training.batch_size": 4,
    }
    split = cxm.split(manifest, fractions=(0.5, 0.25, 0.25))
    run = cxm.train(split, out=tmp_path / "run", config=settings)
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stored["data"]["image_size"] == [32, 40]
    assert stored["training"]["batch_size"] == 4
    assert run.evaluate(draws=100).sets["test"].images == len(run.split.select("test").records)


def test_a_run_that_has_ended_is_loaded_and_not_trained_again(split, tmp_path):
    class Refusing(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise AssertionError("trained again")

    first = cxm.train(split, out=tmp_path / "run", config=CONFIG)
    again = cxm.train(split, out=tmp_path / "run", config=CONFIG, callbacks=[Refusing()])
    assert again.history == first.history


def test_errors_name_arguments_and_come_before_the_training(split, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(ValueError, match=r"`config={'model.positive_class': 'covid'}|config="):
        cxm.train(split, out=out, config={"model.task": "binary", "model.positive_class": "nobody"})
    with pytest.raises(ValueError, match=r"got 0\. Give `training\.epochs_head` 50"):
        cxm.train(split, out=out, config={"model.weights": "none", "training.epochs_head": 0})
    with pytest.raises(ValueError, match=r"`epochs_fine_tune` is only allowed .*; got 5 and"):
        cxm.train(split, out=out, config={"model.weights": "none", "training.epochs_fine_tune": 5})
    findings = {"model.task": "multilabel", "model.findings": ("Mass",)}
    with pytest.raises(ValueError, match=r"config={'training.positive_weights': True}"):
        cxm.train(split, out=out, config={**findings, "training.class_weights": True})
    with pytest.raises(ValueError, match=r"`name` must be section.setting"):
        cxm.train(split, out=out, config={"epochs_head": 1})
    with pytest.raises(TypeError, match="`config` must be a RunConfig"):
        cxm.train(split, out=out, config=3)
    with pytest.raises(TypeError, match="`optimizer` must be a Keras optimizer"):
        cxm.train(split, out=out, config=CONFIG, optimizer=3)
    with pytest.raises(ValueError, match="`out` must be a new folder or that of a run"):
        cxm.train(split, out=tmp_path / "images", config=CONFIG)
    with pytest.raises(TypeError, match="`backbone` must be a name, or a function"):
        cxm.train(split, out=out, backbone=3)
    assert not out.exists()


def test_a_network_is_built_for_a_training_of_ones_own(split):
    model = cxm.build_classifier(
        3,
        config={"data.image_size": (32, 40), "model.weights": "none"},
        backbone=small,
        preprocess=blue_first_about_a_half,
    )
    assert model.name == "cxr_small"
    assert (model.input.shape, model.output.shape) == ((None, 32, 40, 1), (None, 3))
    model.compile("sgd", "sparse_categorical_crossentropy")
    batches = split.to_tf("train", config={"data.image_size": (32, 40)}, batch_size=4)
    history = model.fit(batches, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    named = cxm.build_classifier(
        2, config={"data.image_size": (32, 40), "model.weights": "none"}, backbone="densenet121"
    )
    assert named.name == "cxr_densenet121"
