"""The random rotation of training images, in a form that compiles where it can."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="cxr_models")
class RandomRotation(layers.RandomRotation):  # type: ignore[misc]
    """Keras's random rotation: the same draws, matrices and pixels, compiled on JAX too.

    Keras's own layer forbids compilation everywhere, and one such layer keeps a whole training step
    from being compiled. It draws angles with `keras.random` and rotates images with
    `keras.ops.image.affine_transform`, which all backends compile but for TensorFlow's XLA.
    On JAX images are rotated one after the other: JAX would compute the rotation of a whole batch
    again for each of the three channels of the backbone's input.

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

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """Return `images`, of shape (N, H, W, C), rotated."""
        if keras.backend.backend() != "jax" or not training:
            return super().transform_images(images, transformation, training=training)

        def rotate(pair: tuple[Any, Any]) -> Any:
            image, matrix = pair
            return ops.image.affine_transform(
                image,
                matrix,
                interpolation=self.interpolation,
                fill_mode=self.fill_mode,
                fill_value=self.fill_value,
                data_format=self.data_format,
            )

        images = ops.cast(images, self.compute_dtype)
        return ops.map(rotate, (images, transformation["rotation_matrix"]))
