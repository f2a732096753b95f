"""Random rotation of training images that can be compiled on JAX."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="cxr_models")
class RandomRotation(layers.RandomRotation):  # type: ignore[misc]
    """Random rotation with the angles, matrices and pixels of the Keras layer, compilable on JAX.

    The layer of Keras forbids compilation on all backends, and one such layer prevents the
    compilation of the whole training step. Both layers draw angles with `keras.random` and rotate
    images with `keras.ops.image.affine_transform`. All backends can compile these operations,
    except TensorFlow with XLA. On JAX, images are rotated one by one: JAX would otherwise compute
    the rotation of a batch again for each of the three channels of the input of the backbone.

    Parameters
    ----------
    *args, **kwargs
        Arguments of `keras.layers.RandomRotation`.

    Notes
    -----
    Input shape: (N, H, W, C). Output shape: (N, H, W, C).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """Return rotated images, of shape (N, H, W, C)."""
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
