"""Names of accelerators: those of JAX with the JAX backend of Keras, else those of TensorFlow."""

from __future__ import annotations

import keras
import tensorflow as tf


def device_names() -> list[str]:
    """Return the names of the accelerators that networks run on; empty if they run on the CPU.

    With the torch backend, the names are those of the GPUs that TensorFlow finds.
    """
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    return [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in tf.config.list_physical_devices("GPU")
    ]
