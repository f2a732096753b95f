"""Which accelerators TensorFlow, which feeds every network, or Keras's other backend can use."""

from __future__ import annotations

import keras
import tensorflow as tf


def device_names() -> list[str]:
    """Name the accelerators that networks run on; empty where it is the CPU."""
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    return [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in tf.config.list_physical_devices("GPU")
    ]
