"""Accelerators on which the backend of Keras computes: TensorFlow, JAX or torch."""

from __future__ import annotations

import keras


def device_names() -> list[str]:
    """Return the names of the accelerators that networks run on; empty if they run on the CPU."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            return [torch.cuda.get_device_name()]  # Keras uses one of several
        return ["MPS"] if torch.backends.mps.is_available() else []
    import tensorflow as tf

    return [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in tf.config.list_physical_devices("GPU")
    ]


def has_gpu() -> bool:
    """Return whether networks run on a GPU for which float16 is fast: one of CUDA or ROCm."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    if backend == "torch":
        import torch

        return bool(torch.cuda.is_available())
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
