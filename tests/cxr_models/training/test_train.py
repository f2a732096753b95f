import dataclasses
import hashlib
import itertools
import json
import os
import pickle
import re
import shutil
import signal
import time

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import h5py
import keras

import cxr_models as cxm
from cxr_enhance import read_image
from cxr_models import Manifest
from cxr_models.inputs.loader import ImageLoader
from cxr_models.inputs.targets import targets_of
from cxr_models.runs.facts import KeptEpoch
from cxr_models.runs.folder import RunFolder
from cxr_models.training import computation, epoch_callback
from cxr_models.training.own_parts import OwnParts
from cxr_models.training.schedule import PhaseDecision
from cxr_models.training.train import phases_of, train
from tests.helpers.fresh_process import run_code
from tests.helpers.random_states import draws_around
from tests.helpers.runs import write_small_split
from tests.helpers.tiny_backbone import application_with_block, tiny_application, tiny_config
from tests.helpers.trained import assert_best_weights_are_kept, trained_model

pytestmark = pytest.mark.usefixtures("tiny_backbone")

# Trains in a process of its own, and dies by SIGKILL when the given number of epochs is done.
_SCRIPT = """
import os, pickle, signal, sys
import keras
from cxr_models.runs.facts import KeptEpoch
from cxr_models.runs.folder import RunFolder
from cxr_models.training.train import train
from tests.helpers.tiny_backbone import tiny_application
keras.applications.NASNetMobile = tiny_application
split, config, outs, epochs = pickle.load(open(sys.argv[1], "rb"))
save, done = RunFolder.save_backup, []
def save_then_die(self, model, phase, number):
    done.append(number)
    if len(done) == epochs:
        os.kill(os.getpid(), signal.SIGKILL)
    save(self, model, phase, number)
RunFolder.save_backup = save_then_die
for out in outs:
    train(split, config, out)
"""


def weights_in(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return {name: value for name, value in found.items() if name.startswith("layers")}


def assert_same_weights(one, other):
    expected, got = weights_in(one), weights_in(other)
    assert expected.keys() == got.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(value, got[name], err_msg=name)


def test_two_phases_leave_a_run_folder_with_all_that_tells_what_happened(small_split, tmp_path):
    out = tmp_path / "run"
    train(small_split, tiny_config(), out)
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "run.json", "history.csv", "best.weights.h5", "tensorboard"} <= names
    facts = json.loads((out / "run.json").read_text())
    assert facts["split_sha256"] == "0" * 64
    assert facts["class_names"] == ["covid", "normal", "virus"]
    assert facts["weights"] == "imagenet"
    assert facts["versions"]["keras"]
    lines = (out / "history.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        *(["head", str(epoch)] for epoch in range(3)),
        *(["fine_tune", str(epoch)] for epoch in range(2)),
    ]


def test_head_phase_leaves_the_backbone_alone_and_fine_tuning_does_not(small_split, tmp_path):
    config = tiny_config(epochs_head=2, epochs_fine_tune=0)
    from cxr_models.networks.classifier import build_classifier

    start = build_classifier(config, 3).get_layer("stem").get_weights()[0]
    frozen = trained_model(small_split, config, tmp_path / "one").get_layer("stem").get_weights()[0]
    config = tiny_config(epochs_head=0, epochs_fine_tune=2, learning_rate_fine_tune=0.01)
    free = trained_model(small_split, config, tmp_path / "two").get_layer("stem").get_weights()[0]
    np.testing.assert_array_equal(start, frozen)
    assert not np.array_equal(start, free)


def test_from_scratch_there_is_one_phase():
    config = tiny_config().with_setting("model.weights", "none")
    assert [(p.name, p.epochs, p.frozen) for p in phases_of(config)] == [("scratch", 3, False)]
    study = tiny_config(epochs_head=50, epochs_fine_tune=30)
    assert [(p.name, p.learning_rate) for p in phases_of(study)] == [
        ("head", 1e-3),
        ("fine_tune", 1e-4),
    ]


@pytest.fixture
def fine_tuning_that_loses(monkeypatch):
    """Let validation find fine-tuning worse than the head, whose second epoch is its best."""
    found = {"head": [0.5, 0.75, 0.75], "fine_tune": [0.25, 0.5]}
    on_epoch_end = epoch_callback.EpochCallback.on_epoch_end

    def as_found(self, epoch, logs=None):
        on_epoch_end(self, epoch, {**logs, "val_accuracy": found[self._phase][epoch]})

    monkeypatch.setattr(epoch_callback.EpochCallback, "on_epoch_end", as_found)
    return found


@pytest.mark.usefixtures("fine_tuning_that_loses")
@pytest.mark.parametrize("views", [0, 2], ids=["images", "kept-features"])
@pytest.mark.parametrize("stopped", [False, True], ids=["in-one-go", "stopped-in-fine-tuning"])
def test_the_best_weights_of_all_phases_are_kept_and_their_phase_is_told(
    small_split, tmp_path, monkeypatch, views, stopped
):
    config = tiny_config(cache_features=views, learning_rate_fine_tune=0.01)
    save = RunFolder.save_backup

    def stopped_in_fine_tuning(self, model, phase, epochs):
        save(self, model, phase, epochs)
        if (phase, epochs) == (1, 1):
            raise KeyboardInterrupt

    if stopped:
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "save_backup", stopped_in_fine_tuning)
            with pytest.raises(KeyboardInterrupt):
                train(small_split, config, tmp_path / "run")
    model = trained_model(small_split, config, tmp_path / "run")
    head = trained_model(
        small_split,
        config.with_setting("training.epochs_fine_tune", 0),
        tmp_path / "head alone",
    )
    for expected, got in zip(head.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, got)
    assert_same_weights(tmp_path / "head alone/best.weights.h5", tmp_path / "run/best.weights.h5")
    kept = {"phase": "head", "epoch": 1, "val_accuracy": 0.75}
    assert json.loads((tmp_path / "run/run.json").read_text())["kept"] == kept
    assert RunFolder(path=tmp_path / "run").read_facts().kept == KeptEpoch(**kept)


@pytest.mark.usefixtures("fine_tuning_that_loses")
def test_the_command_says_which_weights_were_kept(tmp_path, capsys):
    from cxr_models.cli import main

    write_small_split(tmp_path)
    (tmp_path / "config.json").write_text(tiny_config().to_json())
    names = [str(tmp_path / name) for name in ("split.csv", "config.json", "run")]
    assert main(["train", names[0], "--config", names[1], "--out", names[2]]) == 0
    said = capsys.readouterr().out
    assert "best validation accuracy: 0.7500 in head, 0.5000 in fine_tune\n" in said
    assert "kept the weights of epoch 2 of head\n" in said


@pytest.mark.usefixtures("fine_tuning_that_loses")
def test_a_run_that_an_earlier_version_ended_keeps_its_weights(small_split, tmp_path):
    run = tmp_path / "run"
    train(small_split, tiny_config(learning_rate_fine_tune=0.01), run)
    facts = json.loads((run / "run.json").read_text())
    del facts["kept"]
    (run / "run.json").write_text(json.dumps(facts))
    shutil.copy(run / "phases/fine_tune.weights.h5", run / "best.weights.h5")
    train(small_split, tiny_config(learning_rate_fine_tune=0.01), run)
    assert_same_weights(run / "phases/fine_tune.weights.h5", run / "best.weights.h5")


class StopAtOnce(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


@pytest.mark.parametrize("backups", ["kept", "removed"])
def test_a_run_that_has_ended_is_not_trained_again_and_gets_the_curves_that_it_lacks(
    tmp_path, capsys, backups
):
    from cxr_models.cli import main

    split, out, config = write_small_split(tmp_path), tmp_path / "run", tiny_config()
    (tmp_path / "config.json").write_text(config.to_json())
    train(split, config, out, own=OwnParts(callbacks=(StopAtOnce(),)))
    if backups == "removed":
        shutil.rmtree(out / "backup")
    (out / "curves.png").unlink()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    words = ["--config", str(tmp_path / "config.json"), "--out", str(out)]
    assert main(["train", str(tmp_path / "split.csv"), *words]) == 0
    assert "this run has ended and is not trained again\n" in capsys.readouterr().out
    assert (out / "curves.png").is_file()
    cxm.train(split, out=out, config=config)
    for path, content in before.items():
        assert path.read_bytes() == content, path


def test_a_folder_of_another_run_is_refused(small_split, tmp_path):
    config = tiny_config(epochs_head=1, epochs_fine_tune=0)
    train(small_split, config, tmp_path / "run")
    with pytest.raises(ValueError, match="whose run has other settings"):
        train(small_split, tiny_config(epochs_head=2), tmp_path / "run")
    other = dataclasses.replace(small_split, hash="1" * 64)
    with pytest.raises(ValueError, match="whose run has another split"):
        train(other, config, tmp_path / "run")
    with pytest.raises(ValueError, match="which holds other files"):
        train(small_split, config, small_split.manifest.root)


@pytest.mark.parametrize("name", ["config.json", "run.json"])
def test_a_run_whose_files_were_damaged_is_named(small_split, tmp_path, name):
    config = tiny_config(epochs_head=1, epochs_fine_tune=0)
    train(small_split, config, tmp_path / "run")
    (tmp_path / "run" / name).write_text("{}" if name == "run.json" else "{")
    with pytest.raises(ValueError, match=r"as training wrote them; got '.*run': "):
        train(small_split, config, tmp_path / "run")


def test_binary_task_and_class_weights_train(small_split, tmp_path):
    config = tiny_config(epochs_head=1, epochs_fine_tune=1, class_weights=True)
    config = config.with_setting("model.task", "binary")
    model = trained_model(small_split, config, tmp_path / "run")
    assert model.output.shape == (None, 1)
    assert_best_weights_are_kept(tmp_path / "run", small_split, config)


def changed(split, **fields):
    """Change fields of the first record of train."""
    records = list(split.manifest.records)
    place = next(i for i, record in enumerate(records) if record.split == "train")
    records[place] = dataclasses.replace(records[place], **fields)
    manifest = dataclasses.replace(split.manifest, records=tuple(records))
    return dataclasses.replace(split, manifest=manifest)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda split: changed(split, file="gone.png"), r"got 1 in train .* 'gone\.png'|gone"),
        (
            lambda split: dataclasses.replace(
                split, manifest=dataclasses.replace(split.manifest, records=one_label(split))
            ),
            "`split` must have images of two labels at least; got a",
        ),
        (
            lambda split: dataclasses.replace(
                split, manifest=dataclasses.replace(split.manifest, records=without_val(split))
            ),
            "`split` must have records in val",
        ),
    ],
    ids=["missing-file", "one-class", "empty-part"],
)
def test_a_run_that_cannot_start_leaves_no_folder(small_split, tmp_path, spoil, sentence):
    with pytest.raises(ValueError, match=sentence):
        train(spoil(small_split), tiny_config(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def one_label(split):
    return tuple(dataclasses.replace(record, label="a") for record in split.manifest.records)


def without_val(split):
    return tuple(record for record in split.manifest.records if record.split != "val")


def test_after_a_failed_download_the_same_folder_takes_other_weights(
    small_split, tmp_path, monkeypatch
):
    def offline(*, weights, **options):
        if weights == "imagenet":
            raise OSError("URL fetch failure")
        return tiny_application(weights=weights, **options)

    monkeypatch.setattr(keras.applications, "NASNetMobile", offline)
    config = tiny_config(epochs_head=1)
    with pytest.raises(OSError, match="--weights none"):
        train(small_split, config, tmp_path / "run")
    config = config.with_setting("model.weights", "none")
    train(small_split, config, tmp_path / "run")
    assert_best_weights_are_kept(tmp_path / "run", small_split, config)


def test_weights_that_have_seen_the_test_images_are_refused_before_anything_is_written(
    finished, small_split, tmp_path
):
    config = tiny_config().with_setting("model.weights", str(finished / "best.weights.h5"))
    other = {"train": "test", "test": "train"}
    records = tuple(
        dataclasses.replace(record, split=other.get(record.split, record.split))
        for record in small_split.manifest.records
    )
    manifest = Manifest(records=records, root=small_split.manifest.root)
    split = dataclasses.replace(small_split, manifest=manifest)
    with pytest.raises(ValueError, match="which has seen 12 of 12"):
        train(split, config, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_run_tells_which_file_its_weights_came_from(small_split, tmp_path, monkeypatch):
    file = tmp_path / "backbone.weights.h5"
    tiny_application(include_top=False, weights="imagenet", input_shape=(32, 40, 3)).save_weights(
        file
    )
    config = tiny_config(epochs_head=1, epochs_fine_tune=0)
    config = config.with_setting("model.weights", file.name)  # stored as an absolute path
    monkeypatch.chdir(tmp_path)
    train(small_split, config, tmp_path / "run")
    train(small_split, config, tmp_path / "run")
    assert json.loads((tmp_path / "run/config.json").read_text())["model"]["weights"] == str(file)
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts["weights"] == str(file)
    assert facts["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_weights_that_were_replaced_after_the_run_began_are_refused(
    small_split, tmp_path, stopped_after
):
    file = tmp_path / "backbone.weights.h5"
    network = tiny_application(include_top=False, weights="imagenet", input_shape=(32, 40, 3))
    network.save_weights(file)
    config = tiny_config(epochs_head=2, epochs_fine_tune=0, cache_features=1)
    config = config.with_setting("model.weights", str(file))
    stopped_after(small_split, config, tmp_path / "run")
    began_with = file.read_bytes()
    network.set_weights([2 * value for value in network.get_weights()])
    network.save_weights(file)
    with pytest.raises(ValueError, match=r"begun with; got '.*h5', which has changed\. Put the"):
        train(small_split, config, tmp_path / "run")
    file.write_bytes(began_with)
    train(small_split, config, tmp_path / "run")


@pytest.mark.parametrize("cached", [False, True])
def test_an_image_that_cannot_be_read_is_named_in_a_plain_sentence(small_split, tmp_path, cached):
    config = tiny_config(epochs_head=1)
    if cached:
        config = config.with_setting("data.cache_dir", str(tmp_path / "cache"))
    spoilt = small_split.select("train").paths()[3]
    with open(spoilt, "wb") as file:
        file.write(b"no image")
    with pytest.raises(ValueError, match=os.path.basename(spoilt)) as caught:
        train(small_split, config, tmp_path / "run")
    assert "Traceback" not in str(caught.value)
    assert "node" not in str(caught.value)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_its_probabilities_are_float32(small_split, tmp_path, precision):
    config = tiny_config(precision=precision, epochs_head=1, epochs_fine_tune=1)
    seen = keras.callbacks.Callback()  # Keras gives it the model
    train(small_split, config, tmp_path / "run", own=OwnParts(callbacks=(seen,)))
    model = seen.model
    assert model.get_layer("stem").compute_dtype == precision.removeprefix("mixed_")
    assert model.output.dtype == "float32"
    assert all(weight.dtype == "float32" for weight in model.trainable_weights)
    assert keras.config.dtype_policy().name == "float32"
    for row in RunFolder(path=tmp_path / "run").read_history():
        assert np.isfinite(row.loss)


@pytest.fixture
def stopped_after(monkeypatch):
    """Give a function that trains until a number of backups, and is then interrupted."""

    def run(split, config, out, backups=1, **options):
        save, done = RunFolder.save_backup, []

        def save_then_stop(self, model, phase, epochs):
            save(self, model, phase, epochs)
            done.append(epochs)
            if len(done) == backups:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "save_backup", save_then_stop)
            with pytest.raises(KeyboardInterrupt):
                train(split, config, out, **options)

    return run


@pytest.mark.parametrize("begun_on_gpu", [True, False])
def test_a_run_goes_on_in_the_precision_that_it_began_with_on_a_machine_of_another_kind(
    small_split, tmp_path, monkeypatch, stopped_after, begun_on_gpu
):
    config = tiny_config(epochs_head=2, epochs_fine_tune=0, learning_rate_head=0.05)
    monkeypatch.setattr(computation, "has_gpu", lambda: begun_on_gpu)
    undisturbed = trained_model(small_split, config, tmp_path / "undisturbed")
    stopped_after(small_split, config, tmp_path / "run")
    monkeypatch.setattr(computation, "has_gpu", lambda: not begun_on_gpu)
    said = []
    resumed = trained_model(small_split, config, tmp_path / "run", say=said.append)
    here, there = ("mixed_float16", "float32") if begun_on_gpu else ("float32", "mixed_float16")
    assert RunFolder(path=tmp_path / "run").read_facts().precision == here
    assert f"computing in {here}, as the run began; a new run would use {there}" in said
    for expected, got in zip(undisturbed.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, got)


def test_a_run_without_a_known_precision_is_not_resumed_without_the_state_of_its_optimizer(
    small_split, tmp_path, monkeypatch, stopped_after
):
    config = tiny_config(epochs_head=2, epochs_fine_tune=0)
    monkeypatch.setattr(computation, "has_gpu", lambda: True)
    stopped_after(small_split, config, tmp_path / "run")
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts.pop("precision") == "mixed_float16"
    (tmp_path / "run/run.json").write_text(json.dumps(facts))  # as an earlier version wrote it
    monkeypatch.setattr(computation, "has_gpu", lambda: False)
    with pytest.raises(ValueError, match=r"got the backup .*00001.*only be resumed on a GPU"):
        train(small_split, config, tmp_path / "run")
    monkeypatch.setattr(computation, "has_gpu", lambda: True)
    train(small_split, config, tmp_path / "run")


def test_training_leaves_the_random_states_and_the_order_of_additions_of_the_caller(
    small_split, tmp_path
):
    from tensorflow.python.framework.config import is_op_determinism_enabled

    config = tiny_config(epochs_head=1, epochs_fine_tune=0)
    assert config.data.deterministic
    drawn = draws_around(lambda: train(small_split, config, tmp_path / "run"))
    assert drawn["python and numpy"] == draws_around()["python and numpy"]
    assert not is_op_determinism_enabled()


def unnamed_dropout(**options):
    network = tiny_application(**options)
    return keras.Model(network.input, keras.layers.Dropout(0.5)(network.output))


def test_layers_without_names_have_the_same_states_whatever_was_built_before(
    small_split, tmp_path, monkeypatch, stopped_after
):
    monkeypatch.setattr(keras.applications, "NASNetMobile", unnamed_dropout)
    config = tiny_config(epochs_head=2, epochs_fine_tune=0, learning_rate_head=0.05)
    first = trained_model(small_split, config, tmp_path / "first")
    keras.layers.Dropout(0.5)  # takes a number
    stopped_after(small_split, config, tmp_path / "other")
    other = trained_model(small_split, config, tmp_path / "other")
    for expected, got in zip(first.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, got)


def test_random_layers_inside_of_layers_draw_in_a_resumed_run_as_in_one_that_was_not_stopped(
    small_split, tmp_path, monkeypatch, stopped_after
):
    monkeypatch.setattr(keras.applications, "NASNetMobile", application_with_block)
    config = tiny_config(epochs_head=0, epochs_fine_tune=2, learning_rate_fine_tune=0.05)
    train(small_split, config, tmp_path / "undisturbed")
    stopped_after(small_split, config, tmp_path / "run")
    train(small_split, config, tmp_path / "run")
    last = "backup/1-00002.weights.h5"  # the best weights may be those of the first epoch
    assert_same_weights(tmp_path / "undisturbed" / last, tmp_path / "run" / last)


def test_every_random_layer_draws_otherwise_than_the_others_and_than_in_another_epoch():
    model = application_with_block(include_top=False, weights=None, input_shape=(32, 40, 3))
    block = model.layers[-1]
    states = []
    for key in ("0/head/0", "0/head/1"):
        epoch_callback.set_random_states(model, key)
        states += [int(layer.seed_generator.state[0]) for layer in block.random.layers]
    assert len({*states}) == 4


def test_dicom_files_train_as_the_same_pixels_in_png_do(small_split, tmp_path):
    pytest.importorskip("pydicom", reason="pydicom is not installed")
    from tests.helpers.dicom_files import data_set, saved

    folder = tmp_path / "dicom"
    records = []
    for record, path in zip(
        small_split.manifest.records, small_split.manifest.paths(), strict=True
    ):
        name = record.file.replace("/", "-").replace(".png", "")  # no suffix: told by content
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(saved(data_set(read_image(path))))
        records.append(dataclasses.replace(record, file=name))
    manifest = Manifest(records=tuple(records), root=folder)
    config = tiny_config(epochs_head=2, epochs_fine_tune=0)
    train(small_split, config, tmp_path / "png")
    train(dataclasses.replace(small_split, manifest=manifest), config, tmp_path / "dcm")
    assert_same_weights(tmp_path / "png/best.weights.h5", tmp_path / "dcm/best.weights.h5")


@pytest.mark.slow
def test_a_run_killed_and_resumed_ends_with_the_weights_of_one_that_was_not(small_split, tmp_path):
    def run(*outs, kill_after=0):
        job = tmp_path / "job.pickle"
        job.write_bytes(pickle.dumps((small_split, tiny_config(), outs, kill_after)))
        run_code(_SCRIPT, job, status=-signal.SIGKILL if kill_after else 0)

    undisturbed = tmp_path / "undisturbed"
    places = {"in-the-head-phase": 2, "between-phases": 4, "in-fine-tuning": 5}
    killed = [tmp_path / name for name in places]
    for out, epochs in zip(killed, places.values(), strict=True):
        run(out, kill_after=epochs)
        assert not (out / "best.weights.h5").exists()
    run(undisturbed, *killed)
    for out in killed:
        assert_same_weights(undisturbed / "best.weights.h5", out / "best.weights.h5")


def test_training_does_not_depend_on_how_long_images_take_to_read(
    small_split, tmp_path, monkeypatch
):
    config = tiny_config(epochs_head=2, epochs_fine_tune=0, learning_rate_head=0.1)
    config = config.with_setting("data.deterministic", False)
    read, calls = ImageLoader.__call__, itertools.count()

    def train_with_late_reads(name, late):
        def some_late(self, paths):
            if next(calls) % 2 in late:
                time.sleep(0.2)
            return read(self, paths)

        monkeypatch.setattr(ImageLoader, "__call__", some_late)
        return trained_model(small_split, config, tmp_path / name).get_weights()

    undisturbed = train_with_late_reads("undisturbed", ())
    for name, late in (("even", (0,)), ("odd", (1,))):
        for expected, got in zip(undisturbed, train_with_late_reads(name, late), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_best_weights_are_never_those_of_an_epoch_that_is_trained_again(
    small_split, tmp_path, monkeypatch
):
    save = RunFolder.save_backup

    def stopped_in_the_second_epoch(self, model, phase, epochs):
        if epochs == 2:
            raise KeyboardInterrupt
        save(self, model, phase, epochs)

    monkeypatch.setattr(RunFolder, "save_backup", stopped_in_the_second_epoch)
    monkeypatch.setattr(
        epoch_callback,
        "decide_after_epochs",
        lambda rates, *_: PhaseDecision(len(rates) - 1, 1e-3, False),
    )
    with pytest.raises(KeyboardInterrupt):
        train(small_split, tiny_config(), tmp_path / "run")
    assert_same_weights(
        tmp_path / "run/backup/0-00001.weights.h5", tmp_path / "run/phases/head.weights.h5"
    )


def test_best_weights_that_only_the_backup_holds_are_saved_from_it(small_split, tmp_path):
    config = tiny_config(epochs_head=1, epochs_fine_tune=0)
    train(small_split, config, tmp_path / "run")
    for name in ("phases/head.weights.h5", "best.weights.h5"):  # as if stopped before these
        (tmp_path / "run" / name).rename(tmp_path / name.replace("/", "-"))
    train(small_split, config, tmp_path / "run")
    assert_same_weights(tmp_path / "best.weights.h5", tmp_path / "run/best.weights.h5")


@pytest.mark.parametrize("name", ["backup/1-00001.weights.h5", "phases/head.weights.h5"])
def test_weights_that_were_damaged_before_a_run_is_resumed_are_named(
    small_split, tmp_path, stopped_after, name
):
    out, config = tmp_path / "run", tiny_config(epochs_head=1, epochs_fine_tune=2)
    stopped_after(small_split, config, out, backups=2)
    whole = (out / name).read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"other"):
        (out / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"`--out` must hold weights .*{name}', which cannot"):
            train(small_split, config, out)
    (out / name).unlink()
    (out / name).write_bytes(whole)
    train(small_split, config, out)


def test_a_run_is_not_resumed_without_the_history_of_the_epochs_of_its_backup(
    small_split, tmp_path, stopped_after
):
    out, config = tmp_path / "run", tiny_config(epochs_head=2, epochs_fine_tune=2)
    stopped_after(small_split, config, out, backups=3)
    lines = (out / "history.csv").read_text().splitlines(keepends=True)
    for kept, sentence in (
        ([0], "must have epochs 0 to 0 of phase head, which the backup holds; got []"),
        ([0, 2, 3], "must have epochs 0 to 0 of phase head, which the backup holds; got [1]"),
        ([0, 1, 2], "must have epochs 0 to 0 of phase fine_tune, which the backup holds; got []"),
    ):
        (out / "history.csv").write_text("".join(lines[place] for place in kept))
        with pytest.raises(ValueError, match=re.escape(sentence)):
            train(small_split, config, out)
    (out / "history.csv").write_text("".join(lines))
    train(small_split, config, out)


def test_weights_of_classes_reach_the_loss(small_split, tmp_path, monkeypatch):
    from cxr_models.networks import classifier

    monkeypatch.setattr(classifier, "_DROPOUTS", ())
    records = list(small_split.manifest.records)
    dropped = [r for r in records if r.split == "train" and r.label == "covid"][1:]
    manifest = dataclasses.replace(
        small_split.manifest, records=tuple(r for r in records if r not in dropped)
    )
    split = dataclasses.replace(small_split, manifest=manifest)
    config = tiny_config(
        epochs_head=1, epochs_fine_tune=0, learning_rate_head=0, class_weights=True
    )
    config = dataclasses.replace(
        config, data=dataclasses.replace(config.data, flip=False, rotation=0.0)
    )
    model = trained_model(split, config, tmp_path / "run")  # at a rate of 0: the loss of the start
    part = split.select("train")
    targets = targets_of(part, split.class_names(), config.model)
    probabilities = model.predict(ImageLoader(config.data)(part.paths()), verbose=0)
    losses = -np.log(probabilities[np.arange(len(targets)), targets])
    counts = np.bincount(targets)
    assert len(set(counts)) > 1
    expected = np.mean(losses * len(targets) / (len(counts) * counts[targets]))
    (row,) = RunFolder(path=tmp_path / "run").read_history()
    np.testing.assert_allclose(row.loss, expected, rtol=1e-5)


def test_a_label_that_train_lacks_is_said(small_split, tmp_path):
    records = small_split.manifest.records
    kept = tuple(r for r in records if (r.split, r.label) != ("train", "virus"))
    split = dataclasses.replace(
        small_split, manifest=dataclasses.replace(small_split.manifest, records=kept)
    )
    said = []
    train(split, tiny_config(epochs_head=1, epochs_fine_tune=0), tmp_path / "run", say=said.append)
    assert said[0] == "train has no image of virus, which cannot be learned"


def test_a_cache_that_cannot_be_made_leaves_no_run(small_split, tmp_path):
    (tmp_path / "taken").write_bytes(b"")
    config = tiny_config().with_setting("data.cache_dir", str(tmp_path / "taken"))
    with pytest.raises(FileExistsError, match="taken"):
        train(small_split, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_cache_may_be_inside_of_the_folder_of_a_new_run(small_split, tmp_path):
    out = tmp_path / "run"
    config = tiny_config(epochs_head=1, epochs_fine_tune=0)
    config = config.with_setting("data.cache_dir", str(out / "cache"))
    train(small_split, config, out)
    assert any((out / "cache").iterdir())
