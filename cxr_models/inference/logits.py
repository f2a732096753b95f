"""The logits of a model, before its softmax or sigmoid; calibration needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from cxr_models.inputs.pipeline import plain_errors
from cxr_models.networks.classifier import HEAD

if TYPE_CHECKING:
    import numpy.typing as npt


def logits_model(model: keras.Model) -> keras.Model:
    """Return a model with the weights of `model` that ends before its softmax or sigmoid.

    Calibration needs logits, because float32 probabilities close to 0 and 1 have lost precision.

    Parameters
    ----------
    model : keras.Model
        The classifier.
    """
    head = model.get_layer(HEAD)
    bare = keras.layers.Dense(head.units, dtype="float32", name="logits")
    logits = keras.Model(model.input, bare(head.input), name="logits")
    bare.set_weights(head.get_weights())
    return logits


def predict_logits(
    model: keras.Model, batches: Any, *, multilabel: bool
) -> npt.NDArray[np.float64]:
    """Return the logits of images.

    Parameters
    ----------
    model : keras.Model
        The result of `logits_model`.
    batches : tf.data.Dataset, or ndarray of shape (N, H, W, C), dtype uint8
        Images, with or without their targets.
    multilabel : bool
        Whether the run has the task ``multilabel``, so that each output is a finding.

    Returns
    -------
    ndarray of shape (N, K), dtype float64
        The logits of K classes or findings. A binary model has one output, the logit of the
        positive class. The result then has two columns, and the other class has the logit 0.

    Raises
    ------
    ValueError
        If a file of a dataset is not a readable image, or the logits of the model are not finite.
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
