"""Precision and order of the computation of a network, and devices that share its batches."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from cxr_models.networks.devices import has_gpu

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cxr_models.config import TrainingConfig


def policy_of(training: TrainingConfig) -> str:
    """Return the dtype policy of Keras for the setting `precision` on this machine."""
    if training.precision != "auto":
        return training.precision
    return "mixed_float16" if has_gpu() else "float32"


@contextlib.contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Set the dtype policy of Keras within the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def adding_in_order(wanted: bool) -> Iterator[None]:
    """Let TensorFlow add numbers in a fixed order within the block, if `wanted`."""
    from tensorflow.python.framework import config as private  # the public module cannot undo it

    if not wanted or private.is_op_determinism_enabled():
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        private.disable_op_determinism()


def sharing_batches(devices: Sequence[str] | None) -> Any:
    """Return the context that distributes batches over `devices`, or over all GPUs if several.

    Raises
    ------
    ValueError
        If `devices` is given with another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        if devices is not None:
            raise ValueError(
                f"`devices` must be None with the {keras.backend.backend()} backend; got "
                f"{list(devices)!r}."
            )
        return contextlib.nullcontext()
    if devices is None and len(tf.config.list_logical_devices("GPU")) < 2:
        return contextlib.nullcontext()
    return tf.distribute.MirroredStrategy(devices).scope()


def check_shares(training: TrainingConfig, sizes: Mapping[str, int], devices: int) -> None:
    """Raise ValueError unless the first batch of each part can be divided equally among devices.

    Keras builds the model with the mean of the shares, which must have equal sizes.

    Parameters
    ----------
    training : TrainingConfig
        Settings; the batch size is used.
    sizes : mapping of str to int
        Number of images of each part of the split.
    devices : int
        Number of devices.
    """
    for name, images in sizes.items():
        if min(training.batch_size, images) % devices:
            raise ValueError(
                f"`batch_size` must be a multiple of the number of devices, {devices}, and no more "
                f"than the {images} images of {name}; got {training.batch_size!r}."
            )
