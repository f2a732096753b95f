"""Loading of the model of a finished run, from its settings and weights."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cxr_models.networks.classifier import build_unseeded
from cxr_models.networks.own_network import check_own_network
from cxr_models.networks.weights_files import check_confined

if TYPE_CHECKING:
    import keras

    from cxr_models.runs.finished import FinishedRun


def load_classifier(run: FinishedRun, *, augmented: bool = True) -> keras.Model:
    """Build the model of a run and load its best weights.

    Parameters
    ----------
    run : FinishedRun
        The finished run.
    augmented : bool, default True
        Whether the model contains the layers that augment images in training. Predictions are the
        same without them.

    Returns
    -------
    keras.Model
        The classifier.

    Raises
    ------
    ValueError
        If the weights file is damaged or does not fit, or the registered backbone is not that of
        the training.
    FileNotFoundError
        If the weights file does not exist.
    """
    # No pretrained weights are loaded, because the weights of the run replace all of them.
    weights = run.folder.best_weights
    config = run.config.with_setting("model.weights", "none")
    if not augmented:
        config = config.with_settings([("data.flip", False), ("data.rotation", 0)])
    model = build_unseeded(config, len(run.class_names))
    try:
        # Keras warns about every layer that does not fit, then raises an error.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Skipping nested container")
            check_confined(weights)
            model.load_weights(weights)
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, OSError) as error:  # errors of h5py do not name the file
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"`weights` must be those of a run with these settings; got {str(weights)!r}: {reason}"
        ) from error
    check_own_network(model, run)
    return model
