"""The random rotation of training images, in a form that compiles where it can."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


@keras.saving.register_keras_serializable(package="cxr_models")
class RandomRotation(layers.RandomRotation):  # type: ignore[misc]
    """Keras's random rotation: the same draws, matrices and pixels, compiled on JAX too.

    Keras's own layer forbids compilation everywhere, and one such layer keeps a whole training step
    from being compiled. It draws angles with `keras.random` and turns images with
    `keras.ops.image.affine_transform`, which all backends compile but for TensorFlow's XLA.

    Parameters
    ----------
    *args, **kwargs
        Those of `keras.layers.RandomRotation`.

    Notes
    -----
    Input shape: (N, H, W, C). Output shape: the same.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.supports_jit = keras.backend.backend() != "tensorflow"
