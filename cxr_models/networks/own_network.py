"""Check that a registered backbone is the one that a run was trained with.

A run folder contains weights and the name of the backbone, but no code. The user registers the
functions of the backbone again before loading the run. Training stores the features of one sample
image. Loading computes them again and compares them, so that other functions are detected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

from cxr_models.backbones import BACKBONES
from cxr_models.networks.classifier import FEATURES

if TYPE_CHECKING:
    from cxr_models.runs.finished import FinishedRun

_KEPT = 16  # largest number of features that are stored
_TOLERANCE = 0.05  # share of the largest feature; half precision and other machines differ by less


def features_of_sample(model: keras.Model) -> tuple[float, ...]:
    """Return at most 16 pooled features of a fixed sample image."""
    shape = model.input.shape[1:]
    image = (np.arange(np.prod(shape)) * 37 % 256).astype(np.uint8).reshape(1, *shape)
    to_features = keras.Model(model.input, model.get_layer(FEATURES).output)
    features = keras.ops.convert_to_numpy(to_features(image, training=False))[0]
    step = max(len(features) // _KEPT, 1)
    return tuple(float(value) for value in features[::step][:_KEPT].astype(np.float32))


def check_own_network(model: keras.Model, run: FinishedRun) -> None:
    """Raise ValueError if the registered backbone differs from the backbone of the training.

    Runs with a backbone of `cxr_models.backbones.BACKBONES`, and runs of earlier versions without
    stored features, are not checked.

    Parameters
    ----------
    model : keras.Model
        The classifier, with the weights of the run.
    run : FinishedRun
        The run.

    Raises
    ------
    ValueError
        If the features of the sample image differ from the stored ones.
    """
    name = run.config.model.backbone
    if name in BACKBONES:
        return
    kept = run.folder.read_facts().features
    if kept is None:
        return
    expected, given = np.array(kept), np.array(features_of_sample(model))
    allowed = _TOLERANCE * np.abs(expected).max(initial=0.0) + 1e-6
    if expected.shape != given.shape or np.abs(expected - given).max(initial=0.0) > allowed:
        raise ValueError(
            f"`build` and `preprocess` of the backbone {name!r} must be those that "
            f"{str(run.folder.path)!r} was trained with; got others, whose network makes other "
            "features of one image than it made then. Register the same functions again."
        )
