"""Losses and metrics of training, by task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxr_models.config import ModelConfig

KNOWN_LOSS = "known_loss"  # name of the metric


class KnownLabelsLoss(keras.losses.Loss):  # type: ignore[misc]
    """Binary cross-entropy of several findings, averaged over the known labels of a batch.

    A label is 1 (present), 0 (absent) or negative (unknown). Unknown labels have no influence:
    their gradients are zero. If several devices share a batch, each device averages over the known
    labels of its share.

    Parameters
    ----------
    positive_weights : sequence of float, optional
        Weight of the positives of each finding. The mean is then a weighted mean. None gives all
        known labels the weight 1.
    """

    def __init__(self, positive_weights: Sequence[float] | None = None) -> None:
        super().__init__(name="known_labels", reduction="mean_with_sample_weight")
        self._positive_weights = (
            None if positive_weights is None else np.asarray(positive_weights, np.float32)
        )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the mean loss of a batch; unknown labels have weight 0."""
        del sample_weight  # batches of this task have no sample weights
        labels = ops.convert_to_tensor(y_true, self.dtype)
        weights = _is_known(labels)
        if self._positive_weights is not None:
            weights = ops.where(labels > 0, weights * self._positive_weights, weights)
        return super().__call__(labels, y_pred, sample_weight=weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of every label, of shape (N, K)."""
        return _losses(y_true, y_pred)


class KnownLabelsMean(keras.metrics.Mean):  # type: ignore[misc]
    """Mean over the known labels of an epoch, of their unweighted loss or of their accuracy.

    Parameters
    ----------
    name : {"known_loss", "accuracy"}
        Name of the metric. ``known_loss`` is the mean loss. ``accuracy`` is the share of labels
        whose probability is on the correct side of 0.5.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the labels of a batch to the mean."""
        del sample_weight
        labels = ops.convert_to_tensor(y_true, self.dtype)
        probabilities = ops.convert_to_tensor(y_pred, self.dtype)
        if self.name == KNOWN_LOSS:
            values = _losses(labels, probabilities)
        else:
            values = ops.cast(ops.equal(probabilities > 0.5, labels > 0), self.dtype)
        super().update_state(values, sample_weight=_is_known(labels))


def loss_of(config: ModelConfig, positive_weights: Sequence[float] | None = None) -> Any:
    """Return the loss of a task, for `keras.Model.compile`."""
    if config.task == "multilabel":
        return KnownLabelsLoss(positive_weights)
    return "binary_crossentropy" if config.task == "binary" else "sparse_categorical_crossentropy"


def metrics_of(config: ModelConfig) -> list[Any]:
    """Return the metrics of a task, for `keras.Model.compile`."""
    if config.task == "multilabel":
        return [KnownLabelsMean(name="accuracy"), KnownLabelsMean(name=KNOWN_LOSS)]
    return ["accuracy"]


def with_known_losses(logs: Mapping[str, float]) -> dict[str, float]:
    """Return the logs of Keras, with ``loss`` replaced by the metric ``known_loss`` if it exists.

    For several findings, ``loss`` and ``val_loss`` are then unweighted means over all known labels.
    """
    known = {name: value for name, value in logs.items() if name.endswith(KNOWN_LOSS)}
    exact = {name.replace(KNOWN_LOSS, "loss"): value for name, value in known.items()}
    return {name: exact.get(name, value) for name, value in logs.items() if name not in known}


def _is_known(labels: Any) -> Any:
    return ops.cast(labels >= 0, labels.dtype)


def _losses(labels: Any, probabilities: Any) -> Any:
    return ops.binary_crossentropy(ops.maximum(labels, 0), probabilities)
