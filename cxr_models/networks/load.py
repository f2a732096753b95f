"""The model of a finished run: built from its settings, filled with its weights."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cxr_models.networks.classifier import build_classifier
from cxr_models.networks.weights_files import check_confined

if TYPE_CHECKING:
    import os

    import keras

    from cxr_models.config import RunConfig


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
