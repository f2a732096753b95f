"""The model of a finished run and what it says: logits, whose softmax is its probabilities."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from cxr_models.inputs.pipeline import plain_errors
from cxr_models.networks.classifier import build_classifier
from cxr_models.networks.weights_files import check_confined

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from cxr_models.config import RunConfig

HEAD = "probabilities"  # name of the last layer


def load_classifier(
    config: RunConfig, num_labels: int, weights: str | os.PathLike[str]
) -> keras.Model:
    """Build the model of a run and fill it with its weights.

    Parameters
    ----------
    config : RunConfig
        The run's settings.
    num_labels : int
        Labels it was trained on.
    weights : str or PathLike
        Its ``best.weights.h5``.

    Raises
    ------
    ValueError
        If the weights do not fit or the file holds none.
    FileNotFoundError
        If there is no such file.
    """
    # Built bare, then filled: the run's own weights are all it needs.
    model = build_classifier(config.with_setting("model.weights", "none"), num_labels)
    try:
        with warnings.catch_warnings():  # one for every layer of another model, then the error
            warnings.filterwarnings("ignore", message="Skipping nested container")
            check_confined(weights)
            model.load_weights(weights)
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, OSError) as error:  # h5py's does not name the file
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"`weights` must be those of a run with these settings; got {str(weights)!r}: {reason}"
        ) from error
    return model


def logits_model(model: keras.Model) -> keras.Model:
    """Return a model that ends before the softmax or sigmoid of `model`, with its weights.

    Float32 probabilities close to 0 and 1 have lost what calibration needs; logits have not.
    """
    head = model.get_layer(HEAD)
    bare = keras.layers.Dense(head.units, dtype="float32", name="logits")
    logits = keras.Model(model.input, bare(head.input), name="logits")
    bare.set_weights(head.get_weights())
    return logits


def predict_logits(model: keras.Model, batches: Any) -> npt.NDArray[np.float64]:
    """Return logits of shape (N, K), K at least 2.

    Parameters
    ----------
    model : keras.Model
        As `logits_model` returns it.
    batches : tf.data.Dataset, or ndarray of shape (N, H, W, C), dtype uint8
        Images, with or without their targets.

    Returns
    -------
    ndarray of shape (N, K), dtype float64
        Where the model has one output, that of the positive class, the rest have the logit 0.

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
    if logits.shape[1] == 1:
        return np.concatenate([np.zeros_like(logits), logits], axis=1)
    return logits
