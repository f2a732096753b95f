"""Time of a training step on JAX with our random rotation, which compiles, and with Keras's own.

Run it with ``KERAS_BACKEND=jax python -m benchmarks.models.rotation_on_jax``. A small classifier is
trained with our layer, with Keras's own layer, and without rotation; all are timed in turns.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from benchmarks.harness.measuring import take_turns
from cxr_models import DataConfig, ModelConfig, RunConfig, TrainingConfig, register_backbone
from cxr_models.networks import classifier
from cxr_models.networks.augmentation import RandomRotation
from cxr_models.training.step import training_step

if TYPE_CHECKING:
    from collections.abc import Callable

_SIDE, _BATCH, _ROUNDS = 64, 32, 20


def _small(*, weights: None, input_tensor: Any) -> Any:
    x = input_tensor
    for filters in (8, 16, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, activation="relu")(x)
    return keras.Model(keras.utils.get_source_inputs(x)[0], x)


def _contender(layer: Any, rotation: float) -> Callable[[], float]:
    """Build a model with the rotation `layer`, and return a function that times one step of it."""
    classifier.RandomRotation = layer  # type: ignore[misc]
    config = RunConfig(
        data=DataConfig(image_size=(_SIDE, _SIDE), rotation=rotation),
        model=ModelConfig(backbone="small", weights="none"),
        training=TrainingConfig(recipe="study"),
    )
    step = training_step(config, 3)
    rng = np.random.default_rng(0)
    batch = (
        rng.integers(0, 256, (_BATCH, _SIDE, _SIDE, 1), dtype=np.uint8),
        rng.integers(0, 3, _BATCH),
    )

    def timed() -> float:
        began = time.perf_counter()
        step(batch)
        return time.perf_counter() - began

    timed()  # compiles the step, if it can be compiled
    return timed


def main() -> None:
    """Print the median seconds of a step of each contender."""
    if keras.backend.backend() != "jax":
        raise SystemExit(f"KERAS_BACKEND must be jax; got {keras.backend.backend()!r}.")
    warnings.filterwarnings("ignore", message="Model doesn't support `jit_compile=True`")
    register_backbone("small", _small, lambda images: images)
    seconds = take_turns(
        {
            "ours": _contender(RandomRotation, 0.1),
            "Keras's own": _contender(keras.layers.RandomRotation, 0.1),
            "no rotation": _contender(RandomRotation, 0.0),
        },
        min_rounds=_ROUNDS,
        max_rounds=_ROUNDS,
    )
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    for name, median in medians.items():
        sys.stdout.write(f"{name}: {1000 * median:.1f} ms\n")
    ratio = medians["Keras's own"] / medians["ours"]
    sys.stdout.write(f"Keras's own / ours: {ratio:.1f}\n")


if __name__ == "__main__":
    main()
