"""What a model says before its softmax or sigmoid: logits, which calibration needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from cxr_models.inputs.pipeline import plain_errors
from cxr_models.networks.classifier import HEAD

if TYPE_CHECKING:
    import numpy.typing as npt


def logits_model(model: keras.Model) -> keras.Model:
    """Return a model that ends before the softmax or sigmoid of `model`, with its weights.

    Float32 probabilities close to 0 and 1 have lost what calibration needs; logits have not.
    """
    head = model.get_layer(HEAD)
    bare = keras.layers.Dense(head.units, dtype="float32", name="logits")
    logits = keras.Model(model.input, bare(head.input), name="logits")
    bare.set_weights(head.get_weights())
    return logits


def predict_logits(
    model: keras.Model, batches: Any, *, multilabel: bool = False
) -> npt.NDArray[np.float64]:
    """Return logits of shape (N, K), K at least 2 unless they are of findings.

    Parameters
    ----------
    model : keras.Model
        As `logits_model` returns it.
    batches : tf.data.Dataset, or ndarray of shape (N, H, W, C), dtype uint8
        Images, with or without their targets.
    multilabel : bool, default False
        Whether the model is of a run with that task: then each of its outputs is a finding.

    Returns
    -------
    ndarray of shape (N, K), dtype float64
        Where a model of classes has one output, that of the positive class, the rest have the
        logit 0.

    Raises
    ------
    ValueError
        If a file of a dataset holds no image, or the model gives no numbers.
    OSError
        If a file of a dataset cannot be read.
    """
    with plain_errors():
        logits = np.asarray(model.predict(batches, verbose=0), np.float64)
    if not np.isfinite(logits).all():
        raise ValueError(
            "`RUN` must give finite logits; got others. Weights that are no numbers come from a "
            "training that diverged: lower its learning rate."
        )
    if logits.shape[1] == 1 and not multilabel:
        return np.concatenate([np.zeros_like(logits), logits], axis=1)
    return logits
