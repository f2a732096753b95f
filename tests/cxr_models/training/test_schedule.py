import numpy as np
import pytest

from cxr_models import ModelConfig, TrainingConfig
from cxr_models.runs.facts import EpochRow
from cxr_models.training.schedule import (
    best_epochs,
    decide_after_epochs,
    kept_epoch,
    monitor_of,
    scores_of,
)

TRAINING = TrainingConfig(patience=7, plateau_patience=3, min_learning_rate=2e-6)


def test_an_epoch_no_better_than_the_best_does_not_become_it():
    assert decide_after_epochs([], 1e-3, TRAINING) == (-1, 1e-3, False)
    assert decide_after_epochs([0.5, 0.7, 0.7, 0.6], 1e-3, TRAINING).best_epoch == 1


def test_learning_rate_falls_at_a_plateau_down_to_its_floor():
    rates = [decide_after_epochs([0.5] * n, 1e-3, TRAINING).learning_rate for n in range(1, 14)]
    assert rates[:3] == [1e-3] * 3
    assert rates[3] == pytest.approx(1e-4)
    assert rates[6] == pytest.approx(1e-5)
    assert rates[12] == 2e-6


def test_stops_when_patience_is_over():
    assert not decide_after_epochs([0.5, 0.9, *[0.8] * 6], 1e-3, TRAINING).stop
    assert decide_after_epochs([0.5, 0.9, *[0.8] * 7], 1e-3, TRAINING).stop


OTHERS = dict.fromkeys(("learning_rate", "loss", "accuracy", "val_loss", "seconds"), 0.5)


def history(**phases):
    return [
        EpochRow(phase=phase, epoch=epoch, val_accuracy=accuracy, **OTHERS)
        for phase, accuracies in phases.items()
        for epoch, accuracy in enumerate(accuracies)
    ]


@pytest.mark.parametrize(
    ("head", "fine_tune", "kept"),
    [
        ([0.5, 1.0, 1.0], [0.33, 0.5], ("head", 1)),
        ([0.5, 0.9, 0.9], [0.5, 0.95], ("fine_tune", 1)),
        ([0.5, 0.9, 0.9], [0.9, 0.9], ("fine_tune", 0)),
        ([0.5, 0.6], [], ("head", 1)),
        ([], [0.6, 0.5], ("fine_tune", 0)),
    ],
)
def test_a_run_keeps_the_best_epoch_of_all_phases_and_of_equal_phases_the_last(
    head, fine_tune, kept
):
    row = kept_epoch(history(head=head, fine_tune=fine_tune))
    assert (row.phase, row.epoch) == kept


def test_a_run_without_epochs_keeps_none():
    assert kept_epoch([]) is None
    assert best_epochs([]) == []


def losses(*values, phase="head"):
    others = dict.fromkeys(("learning_rate", "loss", "accuracy", "val_accuracy", "seconds"), 0.5)
    return [
        EpochRow(phase=phase, epoch=epoch, val_loss=loss, **others)
        for epoch, loss in enumerate(values)
    ]


def test_of_several_findings_the_lowest_validation_loss_is_the_best():
    monitor = monitor_of(ModelConfig(task="multilabel", findings=("Mass",)))
    assert monitor == "val_loss"
    assert monitor_of(ModelConfig(task="binary")) == "val_accuracy"
    rows = [*losses(0.7, 0.4, 0.4), *losses(0.5, 0.45, phase="fine_tune")]
    assert [(row.phase, row.epoch) for row in best_epochs(rows, monitor)] == [
        ("head", 1),
        ("fine_tune", 1),
    ]
    assert kept_epoch(rows, monitor).phase == "head"
    scores = scores_of(losses(0.7, 0.4, 0.4, *[0.6] * 6), monitor)
    assert decide_after_epochs(scores, 1e-3, TRAINING)[0] == 1
    assert decide_after_epochs(scores, 1e-3, TRAINING).stop


def test_a_loss_that_is_no_number_is_never_the_best_but_of_none_better():
    rows = losses(float("nan"), 3.0, float("inf"))
    assert best_epochs(rows, "val_loss")[0].epoch == 1
    nothing = scores_of(losses(float("nan")), "val_loss")
    assert decide_after_epochs(nothing, 1e-3, TRAINING).best_epoch == 0


def test_decides_what_the_callbacks_of_keras_decide():
    keras = pytest.importorskip("keras", reason="keras is not installed", exc_type=ImportError)
    rng = np.random.default_rng(7)
    for _ in range(20):
        accuracies = np.round(rng.uniform(0.5, 0.6, 40), 2).tolist()
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.Adam(1e-3))
        stopping = keras.callbacks.EarlyStopping("val_accuracy", patience=7, mode="max")
        plateau = keras.callbacks.ReduceLROnPlateau(
            "val_accuracy", factor=0.1, patience=3, min_lr=2e-6, mode="max"
        )
        for callback in (stopping, plateau):
            callback.set_model(model)
            callback.on_train_begin()
        model.stop_training = False
        for epoch in range(len(accuracies)):
            logs = {"val_accuracy": accuracies[epoch]}
            stopping.on_epoch_end(epoch, logs)
            plateau.on_epoch_end(epoch, logs)
            decision = decide_after_epochs(accuracies[: epoch + 1], 1e-3, TRAINING)
            assert decision.best_epoch == stopping.best_epoch
            assert decision.stop == model.stop_training
            rate = float(model.optimizer.learning_rate)
            assert decision.learning_rate == pytest.approx(rate, rel=1e-5)
            if decision.stop:
                break
