import functools
import json
import re

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

from cxr_models.config import RunConfig
from cxr_models.runs.facts import RunFacts
from cxr_models.runs.folder import RunFolder
from cxr_models.training import epoch_callback
from cxr_models.training.own_parts import OwnParts
from cxr_models.training.train import train
from tests.helpers.findings import multilabel, write_findings_split
from tests.helpers.tiny_backbone import tiny_config
from tests.helpers.trained import trained_model

pytestmark = pytest.mark.usefixtures("tiny_backbone")

ONE_AND_ONE = {"epochs_head": 1, "epochs_fine_tune": 1}


def own_config(part):
    """Return the options of a part that its description contains."""
    config = part.get_config().items()
    return {name: value for name, value in config if name != "name" and value is not None}


def rates(folder):
    return [row.learning_rate for row in RunFolder(path=folder).read_history()]


def test_an_optimizer_is_made_of_the_learning_rate_of_each_phase(small_split, tmp_path):
    asked = []

    def momentum(rate):
        asked.append(rate)
        return keras.optimizers.SGD(rate, momentum=0.9)

    config = tiny_config(**ONE_AND_ONE, learning_rate_head=0.02, learning_rate_fine_tune=0.003)
    seen = keras.callbacks.Callback()  # Keras gives it the model
    own = OwnParts(callbacks=(seen,), optimizer=momentum)
    train(small_split, config, tmp_path / "run", own=own)
    assert {*asked} == {0.02, 0.003}
    assert rates(tmp_path / "run") == pytest.approx([0.02, 0.003])
    assert type(seen.model.optimizer) is keras.optimizers.SGD
    facts = RunFolder(path=tmp_path / "run").read_facts()
    assert facts.optimizer.startswith("SGD {")
    assert json.loads(facts.optimizer.removeprefix("SGD "))["momentum"] == 0.9


def test_a_given_optimizer_is_copied_and_keeps_its_learning_rate(small_split, tmp_path):
    given = keras.optimizers.SGD(0.25)
    config = tiny_config(**ONE_AND_ONE)
    train(small_split, config, tmp_path / "run", own=OwnParts(optimizer=given))
    assert not given.built
    assert rates(tmp_path / "run") == [0.25, 0.25]


def test_one_step_of_plain_descent_is_the_gradient_of_the_given_loss(small_split, tmp_path):
    # From scratch with one batch: the head's bias moves by the rate times the mean of p - target.
    config = tiny_config(epochs_head=1, batch_size=12)
    for name, value in {"model.weights": "none", "data.flip": False, "data.rotation": 0}.items():
        config = config.with_setting(name, value)

    def half_of_all(targets, probabilities):
        return 0.5 * keras.losses.sparse_categorical_crossentropy(targets, probabilities)

    biases = {}
    for name, loss in {"whole": None, "half": half_of_all}.items():
        own = OwnParts(optimizer=lambda _: keras.optimizers.SGD(1.0), loss=loss)
        model = trained_model(small_split, config, tmp_path / name, own=own)
        biases[name] = model.get_layer("probabilities").get_weights()[1]
    assert np.abs(biases["whole"]).max() > 0.01
    np.testing.assert_allclose(biases["half"], biases["whole"] / 2, rtol=1e-5)
    assert RunFolder(path=tmp_path / "half").read_facts().loss.endswith("half_of_all")


class Counter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, sorted(logs)))


def test_callbacks_are_called_in_each_phase(small_split, tmp_path):
    counter = Counter()
    config = tiny_config(epochs_head=2, epochs_fine_tune=1)
    train(small_split, config, tmp_path / "run", own=OwnParts(callbacks=(counter,)))
    assert [epoch for epoch, _ in counter.seen] == [0, 1, 0]
    assert counter.seen[0][1] == ["accuracy", "loss", "val_accuracy", "val_loss"]


class Lowering(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.model.optimizer.learning_rate = 0.004


class StopAtOnce(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


@pytest.fixture
def stopped_after(monkeypatch):
    """Give a function that trains until a backup, given as phase and epochs, and is interrupted."""

    def run(backup, *arguments, **options):
        save = RunFolder.save_backup

        def save_then_stop(self, model, phase, epochs):
            save(self, model, phase, epochs)
            if (phase, epochs) == backup:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "save_backup", save_then_stop)
            with pytest.raises(KeyboardInterrupt):
                train(*arguments, **options)

    return run


def test_a_learning_rate_that_a_callback_sets_holds_and_is_resumed(
    small_split, tmp_path, stopped_after
):
    config = tiny_config(epochs_head=3, epochs_fine_tune=0, learning_rate_head=0.02)
    own = OwnParts(callbacks=(Lowering(),))
    stopped_after((0, 1), small_split, config, tmp_path / "run", own=own)
    train(small_split, config, tmp_path / "run", own=own)
    assert rates(tmp_path / "run") == pytest.approx([0.02, 0.004, 0.004])


def test_a_plateau_lowers_the_learning_rate_and_never_raises_it(small_split, tmp_path, monkeypatch):
    monkeypatch.setattr(epoch_callback, "scores_of", lambda rows, _: [0.5] * len(rows))
    plateaus = {"plateau_patience": 1, "plateau_factor": 0.5, "learning_rate_head": 0.02}
    config = tiny_config(epochs_head=4, epochs_fine_tune=0, **plateaus)
    train(small_split, config, tmp_path / "run", own=OwnParts(callbacks=(Lowering(),)))
    assert rates(tmp_path / "run") == pytest.approx([0.02, 0.004, 0.004, 0.004])
    assert RunFolder(path=tmp_path / "run").read_facts().stopped is None


def test_a_phase_that_a_callback_stopped_is_not_trained_on_by_a_resumed_run(
    small_split, tmp_path, stopped_after
):
    own = OwnParts(callbacks=(StopAtOnce(),))
    stopped_after((0, 1), small_split, tiny_config(), tmp_path / "run", own=own)
    train(small_split, tiny_config(), tmp_path / "run")
    folder = RunFolder(path=tmp_path / "run")
    phases = [row.phase for row in folder.read_history()]
    assert phases == ["head", "fine_tune", "fine_tune"]
    assert folder.read_facts().stopped == {"head": 1}


def test_a_run_that_was_stopped_goes_on_with_its_own_optimizer_and_refuses_others(
    small_split, tmp_path, monkeypatch
):
    config = tiny_config(epochs_head=2, epochs_fine_tune=0)
    own = OwnParts(optimizer=lambda rate: keras.optimizers.SGD(rate, momentum=0.5))
    whole = trained_model(small_split, config, tmp_path / "whole", own=own)
    save = RunFolder.save_backup

    def stopped(self, model, phase, epochs):
        save(self, model, phase, epochs)
        raise KeyboardInterrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save_backup", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(small_split, config, run, own=own)
    others = {
        None: "the default",
        keras.optimizers.Adam: "Adam {",
        keras.optimizers.SGD: 'SGD {.*"momentum": 0.0',
    }
    for optimizer, shown in others.items():
        sentence = rf'begun with, SGD {{.*"momentum": 0.5.*; got {shown}.*Give the same one'
        with pytest.raises(ValueError, match=sentence):
            train(small_split, config, run, own=OwnParts(optimizer=optimizer))
    other = OwnParts(optimizer=own.optimizer, loss="mean_squared_error")
    with pytest.raises(ValueError, match=r"`loss` must be .* the default; got mean_squared_error"):
        train(small_split, config, run, own=other)
    model = trained_model(small_split, config, run, own=own)
    for expected, got in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, got)
    with pytest.raises(ValueError, match="got the default"):
        train(small_split, config, run)  # it has ended, and still is another run


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ("mean_squared_error", "ncompatible shapes"),  # of 3 images it would be a number
        ("no_such_loss", "Could not interpret loss identifier: no_such_loss"),
        (keras.losses.CategoricalCrossentropy(), r"Received: target\.shape=\(4,\)"),
    ],
    ids=["of one output", "unknown", "of one-hot targets"],
)
def test_a_loss_that_does_not_take_the_targets_is_refused_before_anything_is_written(
    small_split, tmp_path, loss, reason
):
    sentence = r"`loss` must take targets of shape \(4,\) and .* shape \(4, 3\), for 4 images; got "
    with pytest.raises(ValueError, match=sentence + f".*{reason}"):
        train(small_split, tiny_config(), tmp_path / "run", own=OwnParts(loss=loss))
    assert not (tmp_path / "run").exists()


def scaled(targets, probabilities, factor=1.0):
    return factor * keras.losses.sparse_categorical_crossentropy(targets, probabilities)


class Wrapped(keras.losses.Loss):
    """A loss with a function in its config."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def get_config(self):
        return {"function": self.function}


class Unconfigured(keras.optimizers.SGD):
    """An optimizer without a config of its own."""

    def __init__(self, learning_rate, other=1, **options):
        super().__init__(learning_rate, **options)


@pytest.mark.parametrize(
    ("own", "optimizer", "loss"),
    [
        (OwnParts(loss=scaled), None, f"{__name__}.scaled"),
        (OwnParts(loss=functools.partial(scaled, factor=2)), None, "functools.partial"),
        (OwnParts(loss=lambda y, p: scaled(y, p)), None, f"{__name__}.<lambda>"),
        (
            OwnParts(loss=Wrapped(scaled)),
            None,
            'Wrapped {"function": "<function scaled at 0x7f0011223344>"}',
        ),
        (
            OwnParts(optimizer=Unconfigured(0.5)),
            f"Unconfigured {json.dumps(own_config(Unconfigured(0.5)), sort_keys=True)}",
            None,
        ),
    ],
    ids=["defaults", "partial", "lambda", "address", "optimizer"],
)
def test_own_parts_are_compared_with_the_descriptions_of_an_earlier_version(
    own, optimizer, loss, tmp_path
):
    facts = RunFacts(split_sha256="s", class_names=("a",), optimizer=optimizer, loss=loss)
    folder = RunFolder(path=tmp_path)
    folder.begin(RunConfig(), facts)
    own.check_resumed(folder, 0.001)
    for other in (OwnParts(), OwnParts(loss="mean_squared_error")):
        with pytest.raises(ValueError, match=r"that the run in .* was begun with"):
            other.check_resumed(folder, 0.001)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"callbacks": (print,)}, TypeError, "`callbacks` must be Keras callbacks; got <built-in"),
        (
            {"optimizer": "sgd"},
            TypeError,
            "`optimizer` must be a Keras optimizer, or .*; got 'sgd'",
        ),
        (
            {"callbacks": (keras.callbacks.BackupAndRestore("x.weights.h5"),)},
            ValueError,
            "`callbacks` must not have a BackupAndRestore",
        ),
        ({"loss": 3}, TypeError, "`loss` must be a Keras loss, its name, or a function of .*got 3"),
        ({"loss": keras.losses.Huber}, TypeError, "`loss` must be a Keras loss, .*Huber"),
    ],
)
def test_what_is_no_part_of_keras_is_told(options, error, sentence):
    with pytest.raises(error, match=sentence):
        OwnParts(**options)


def test_an_optimizer_that_cannot_be_used_is_told():
    with pytest.raises(TypeError, match=r"must make a keras.optimizers.Optimizer .*; got 0\.5"):
        OwnParts(optimizer=lambda rate: rate / 2).optimizer_of(1.0)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    for given in (keras.optimizers.SGD(schedule), lambda _: keras.optimizers.SGD(schedule)):
        with pytest.raises(ValueError, match=r"must have a number as its learning rate.*schedule"):
            OwnParts(optimizer=given).optimizer_of(1.0)


def test_texts_tell_parts_apart_and_do_not_hold_names_that_keras_numbers():
    texts = [
        OwnParts(optimizer=made).described(0.1)[0]
        for made in (
            keras.optimizers.SGD,
            keras.optimizers.SGD(0.1, name="another"),
            lambda rate: keras.optimizers.SGD(rate, momentum=0.1),
        )
    ]
    assert texts[0] == texts[1] != texts[2]
    focal = keras.losses.CategoricalFocalCrossentropy
    losses = (focal(gamma=2.0), focal(gamma=1.0), "mse", None)
    described = [OwnParts(loss=loss).described(0.1)[1] for loss in losses]
    assert len({*described}) == 4
    assert re.match(r'CategoricalFocalCrossentropy \{.*"gamma": 2.0', described[0])
    assert described[2:] == ["mse", None]


def test_positive_weights_that_an_own_loss_would_ignore_are_refused(tmp_path):
    split = write_findings_split(tmp_path / "images")
    config = multilabel(tiny_config(**ONE_AND_ONE), training__positive_weights=True)
    sentence = "`loss` is only allowed without training.positive_weights.*; got binary_crossentropy"
    with pytest.raises(ValueError, match=sentence):
        train(split, config, tmp_path / "run", own=OwnParts(loss="binary_crossentropy"))
    assert not (tmp_path / "run").exists()


def test_an_optimizer_whose_options_a_copy_would_lose_is_refused():
    class Own(keras.optimizers.SGD):
        def __init__(self, learning_rate, drift=0.0, **options):
            super().__init__(learning_rate, **options)
            self.drift = drift

    with pytest.raises(ValueError, match=r"whose get_config returns all options.*; got Own"):
        OwnParts(optimizer=Own(0.1, drift=0.5)).optimizer_of(0.1)
    assert OwnParts(optimizer=lambda rate: Own(rate, drift=0.5)).optimizer_of(0.1).drift == 0.5
    texts = {
        OwnParts(optimizer=lambda rate, drift=drift: Own(rate, drift=drift)).described(0.1)[0]
        for drift in (0.0, 0.5)
    }
    assert len(texts) == 2
