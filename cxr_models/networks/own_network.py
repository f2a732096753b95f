"""A caller's own network: a run keeps what it gave for one image, so that another one is noticed.

A run folder holds weights and a name, and no code: whoever loads it gives the functions again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

from cxr_models.backbones import BACKBONES
from cxr_models.networks.classifier import FEATURES

if TYPE_CHECKING:
    from cxr_models.runs.finished import FinishedRun

_KEPT = 16  # features, at most
_TOLERANCE = 0.05  # of the largest; half precision and other machines differ by less


def features_of_sample(model: keras.Model) -> tuple[float, ...]:
    """Return some pooled features of one image, which is always the same."""
    shape = model.input.shape[1:]
    image = (np.arange(np.prod(shape)) * 37 % 256).astype(np.uint8).reshape(1, *shape)
    to_features = keras.Model(model.input, model.get_layer(FEATURES).output)
    features = keras.ops.convert_to_numpy(to_features(image, training=False))[0]
    step = max(len(features) // _KEPT, 1)
    return tuple(float(value) for value in features[::step][:_KEPT].astype(np.float32))


def check_own_network(model: keras.Model, run: FinishedRun) -> None:
    """Raise ValueError if the network of a run is the caller's own and not the one of its training.

    Parameters
    ----------
    model : keras.Model
        The classifier, with the weights of the run.
    run : FinishedRun
        The run; those of earlier versions do not tell.
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
