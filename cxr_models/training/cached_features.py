"""Cached features for the frozen phase: the pooled output of the backbone for K augmented views.

While the backbone is frozen, its output for an image depends on the augmentation only. The head can
therefore train on features that are computed once.
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
    """Return a model of the head alone, which shares its layers and weights with `model`."""
    inputs = keras.Input(model.get_layer(FEATURES).output.shape[1:], name="pooled")
    x = inputs
    for layer in head_layers(model):
        x = layer(x)
    return keras.Model(inputs, x, name="head")


class FeatureExtractor:
    """Extractor of the features of images, with the backbone of a classifier.

    Parameters
    ----------
    model : keras.Model
        A classifier with pretrained weights and fixed batch normalization.
    step : callable, optional
        Function without arguments that is called after each batch. None calls nothing.
    """

    def __init__(self, model: keras.Model, step: Callable[[], object] | None = None) -> None:
        augmented = augmented_images(model)
        self._model = model
        self._step = step
        self._front = keras.Model(model.inputs[0], augmented)
        self._backbone = keras.Model(augmented, model.get_layer(FEATURES).output)
        self._backbone.compile(jit_compile=keras.backend.backend() == "jax")

    def compute(self, batches: Any, *, views: int, seed: int, augment: bool) -> Features:
        """Return the pooled features of `views` augmented views of every image.

        Parameters
        ----------
        batches : tf.data.Dataset
            Batches of images and targets, with each image once, in order. No batch may be larger
            than the first one.
        views : int
            Number of views of each image.
        seed : int
            Seed of the augmentation.
        augment : bool
            Whether images are augmented, as in training. If False, all views are equal.

        Returns
        -------
        ndarray of shape (views, N, F), dtype float32
            F features of each view of N images. The array needs 4 bytes of memory per view, image
            and feature.
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
        # Keras would trace the model again for another batch size, which takes seconds, so smaller
        # batches are filled up. With several devices, each device computes the whole batch, and
        # the results of the first device come first.
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
    """Return an endless dataset of batches of features, like `training_batches` for images.

    Epoch e uses view ``e % views`` of each image.

    Parameters
    ----------
    features : ndarray of shape (views, N, F), dtype float32
        Features from `FeatureExtractor.compute`.
    targets : ndarray of shape (N,) or (N, K)
        Targets of the images.
    batch_size : int
        Number of images per batch.
    seed : int
        Seed of the order.
    first_epoch : int, default 0
        Number of the first epoch of the dataset.
    weights : dict of int to float, optional
        Weight of each class. If given, batches have the weights of the images as third element.
    """
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
