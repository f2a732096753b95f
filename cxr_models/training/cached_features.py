"""Features of the frozen phase, computed once: the backbone's pooled output for K augmented views.

While the backbone is frozen its output for an image changes with the augmentation alone, so the
head can train on features that are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from cxr_models.inputs.pipeline import epoch_orders
from cxr_models.networks.classifier import FEATURES, augmented_images, head_layers
from cxr_models.training.epoch_callback import set_random_states

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from cxr_models.inputs.targets import Targets

    Features = npt.NDArray[np.float32]


def head_model(model: keras.Model) -> keras.Model:
    """Return a model of the head alone; it shares its layers, and so its weights, with `model`."""
    inputs = keras.Input(model.get_layer(FEATURES).output.shape[1:], name="pooled")
    x = inputs
    for layer in head_layers(model):
        x = layer(x)
    return keras.Model(inputs, x, name="head")


class FeatureExtractor:
    """The backbone of a classifier, to compute features of several sets of images.

    Parameters
    ----------
    model : keras.Model
        A classifier with pretrained weights, whose batch normalization is fixed.
    step : callable, optional
        Called after every batch.
    """

    def __init__(self, model: keras.Model, step: Callable[[], object] | None = None) -> None:
        augmented = augmented_images(model)
        self._model = model
        self._step = step
        self._front = keras.Model(model.inputs[0], augmented)
        self._backbone = keras.Model(augmented, model.get_layer(FEATURES).output)
        self._backbone.compile(jit_compile=keras.backend.backend() == "jax")

    def compute(self, batches: Any, *, views: int, seed: int, augment: bool) -> Features:
        """Return the pooled features of every image, seen `views` times.

        Parameters
        ----------
        batches : tf.data.Dataset
            Images and targets, in order, once; none larger than the first.
        views : int
            Times each image is seen.
        seed : int
            Of the augmentation.
        augment : bool
            Whether images are augmented, as in training; if not, all views are equal.

        Returns
        -------
        ndarray of shape (views, N, F), dtype float32
            Kept in memory: four bytes a view, image and feature.
        """
        seen = []
        for view in range(views):
            set_random_states(self._model, f"{seed}/view/{view}")
            parts: list[Any] = []
            size = 0
            for images, *_ in batches:
                size = size or len(images)
                parts.append(self._compute(images.numpy(), size, augment)[: len(images)])
                if self._step is not None:
                    self._step()
            seen.append(np.concatenate(parts).astype(np.float32))
        return np.stack(seen)

    def _compute(self, images: Any, size: int, augment: bool) -> Any:
        # A batch of another size would be traced anew, which takes seconds: smaller ones are filled
        # up. Several devices that share batches each get this one whole; the first's come first.
        filled = np.concatenate([images, np.repeat(images[:1], size - len(images), axis=0)])
        return self._backbone.predict_on_batch(self._front(filled, training=augment))


def feature_batches(
    features: Features,
    targets: Targets,
    batch_size: int,
    *,
    seed: int,
    first_epoch: int = 0,
    weights: dict[int, float] | None = None,
) -> Any:
    """Make a dataset as `training_batches` does, of features: epoch e takes view ``e % views``."""
    views = features.shape[0]
    table = tf.constant(features)
    labels = tf.constant(targets, tf.float32)

    def take(epoch: Any, places: Any) -> tuple[Any, ...]:
        batch = tf.gather(table[epoch % views], places), tf.gather(labels, places)
        if weights is None:
            return batch
        factors = tf.constant([weights[int(target)] for target in targets], tf.float32)
        return (*batch, tf.gather(factors, places))

    orders = epoch_orders(len(targets), batch_size, seed=seed, first_epoch=first_epoch)
    return orders.map(take).prefetch(2)
