import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras
import tensorflow as tf

from cxr_models import ModelConfig
from cxr_models.training.objective import (
    KnownLabelsLoss,
    KnownLabelsMean,
    loss_of,
    metrics_of,
    with_known_losses,
)

MODEL = ModelConfig(task="multilabel", findings=("Edema", "Mass"))
# Labels and probabilities of three images; the second knows nothing.
LABELS = np.array([[1, 0], [-1, -1], [-1, 1]], np.float32)
SHARES = np.array([[0.8, 0.3], [0.9, 0.1], [0.2, 0.4]], np.float32)
KNOWN = np.array([-np.log(0.8), -np.log(0.7), -np.log(0.4)])  # by hand, of the three known labels


def test_the_loss_is_the_mean_over_known_labels():
    assert float(KnownLabelsLoss()(LABELS, SHARES)) == pytest.approx(KNOWN.mean(), rel=1e-5)


def test_unknown_labels_have_no_influence_whatever_is_predicted_for_them():
    other = np.where(LABELS < 0, 0.999, SHARES).astype(np.float32)
    assert float(KnownLabelsLoss()(LABELS, other)) == float(KnownLabelsLoss()(LABELS, SHARES))


@pytest.mark.parametrize("weights", [None, [3.0, 7.0]])
def test_gradients_of_unknown_labels_are_zero_and_others_as_by_hand(weights):
    logits = tf.constant([[2.0, -1.0], [30.0, -30.0], [0.5, 0.25]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = KnownLabelsLoss(weights)(LABELS, keras.activations.sigmoid(logits))
    gradient = tape.gradient(loss, logits).numpy()
    known = LABELS >= 0
    assert (gradient[~known] == 0).all()
    factors = np.where(LABELS == 1, weights or [1, 1], 1) * known
    shares = 1 / (1 + np.exp(-logits.numpy()))
    expected = factors * (shares - np.maximum(LABELS, 0)) / factors.sum()
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_positives_weigh_as_told_in_a_weighted_mean():
    loss = float(KnownLabelsLoss([3.0, 7.0])(LABELS, SHARES))
    assert loss == pytest.approx((3 * KNOWN[0] + KNOWN[1] + 7 * KNOWN[2]) / (3 + 1 + 7), rel=1e-5)


def test_a_batch_of_which_nothing_is_known_has_no_loss():
    nothing = np.full((2, 2), -1, np.float32)
    assert float(KnownLabelsLoss()(nothing, SHARES[:2])) == 0


def test_metrics_are_exact_over_batches_with_unequal_numbers_of_known_labels():
    accuracy, loss = metrics_of(MODEL)
    for rows in (slice(0, 2), slice(2, 3)):
        for metric in (accuracy, loss):
            metric.update_state(LABELS[rows], SHARES[rows])
    assert (accuracy.name, loss.name) == ("accuracy", "known_loss")
    assert float(accuracy.result()) == pytest.approx(2 / 3)  # 0.4 for a label of 1 is wrong
    assert float(loss.result()) == pytest.approx(KNOWN.mean(), rel=1e-5)


def test_each_task_has_its_loss():
    assert loss_of(ModelConfig()) == "sparse_categorical_crossentropy"
    assert loss_of(ModelConfig(task="binary")) == "binary_crossentropy"
    assert isinstance(loss_of(MODEL), KnownLabelsLoss)
    assert metrics_of(ModelConfig()) == ["accuracy"]
    assert all(isinstance(metric, KnownLabelsMean) for metric in metrics_of(MODEL))


def test_losses_are_shown_once_those_of_findings_over_known_labels():
    logs = {"accuracy": 0.5, "known_loss": 0.6, "loss": 2.4, "val_known_loss": 0.7, "val_loss": 0.7}
    assert with_known_losses(logs) == {"accuracy": 0.5, "loss": 0.6, "val_loss": 0.7}
    of_classes = {"accuracy": 0.5, "loss": 0.6}
    assert with_known_losses(of_classes) == of_classes
