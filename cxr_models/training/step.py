"""A single training step, for the measurement of the input pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from cxr_models.networks.classifier import build_classifier
from cxr_models.training.objective import loss_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_models.config import RunConfig


def training_step(config: RunConfig, num_classes: int) -> Callable[[Any], object]:
    """Build the model of a run without pretrained weights; return a function that trains it.

    The function trains the model on one batch of images and targets. The setting ``precision`` and
    several devices are not used.
    """
    model = build_classifier(config.with_setting("model.weights", "none"), num_classes)
    model.compile(
        optimizer=keras.optimizers.Adam(float(config.training.learning_rate_fine_tune)),
        loss=loss_of(config.model),
        jit_compile=keras.backend.backend() == "jax",
    )
    model.optimizer.build(model.trainable_variables)  # faster here than within the graph
    return lambda batch: model.train_on_batch(batch[0], batch[1])
