"""The model of a finished run: built from its settings, filled with its weights."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cxr_models.networks.classifier import build_classifier
from cxr_models.networks.own_network import check_own_network
from cxr_models.networks.weights_files import check_confined

if TYPE_CHECKING:
    import keras

    from cxr_models.runs.finished import FinishedRun


def load_classifier(run: FinishedRun, *, augmented: bool = True) -> keras.Model:
    """Build the model of a run and fill it with its best weights.

    Parameters
    ----------
    run : FinishedRun
        The run.
    augmented : bool, default True
        Whether the layers that augment images in training are part of the model. Its predictions
        are the same without them.

    Raises
    ------
    ValueError
        If the weights do not fit or the file holds none, or a registered network is another one
        than that of the training.
    FileNotFoundError
        If there is no such file.
    """
    # Built without pretrained weights: those of the run replace them all.
    weights = run.folder.best_weights
    config = run.config.with_setting("model.weights", "none")
    if not augmented:
        config = config.with_settings([("data.flip", False), ("data.rotation", 0)])
    model = build_classifier(config, len(run.class_names))
    try:
        with warnings.catch_warnings():  # Keras warns of every layer that does not fit, then raises
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
