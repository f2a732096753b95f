"""A single training step, for the measurement of the input pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from cxr_models.networks.classifier import build_classifier
from cxr_models.training.computation import computing_in, policy_of, sharing_batches
from cxr_models.training.objective import loss_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.config import RunConfig


def training_step(
    config: RunConfig, num_classes: int, *, devices: Sequence[str] | None = None
) -> Callable[[Any], object]:
    """Build the model of a run without pretrained weights; return a function that trains it.

    The function trains the model on one batch of images and targets, in the precision and on the
    devices that `cxr_models.training.train.train` uses.
    """
    with computing_in(policy_of(config.training)), sharing_batches(devices):
        model = build_classifier(config.with_setting("model.weights", "none"), num_classes)
        model.compile(
            optimizer=keras.optimizers.Adam(float(config.training.learning_rate_fine_tune)),
            loss=loss_of(config.model),
            jit_compile=keras.backend.backend() == "jax",
        )
        model.optimizer.build(model.trainable_variables)  # faster here than within the graph
        strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync > 1:
        return _shared_step(model, strategy)
    return lambda batch: model.train_on_batch(batch[0], batch[1])


def _shared_step(model: keras.Model, strategy: Any) -> Callable[[Any], object]:
    """Return a step that divides a batch among devices; `train_on_batch` copies it to each."""
    shares = strategy.num_replicas_in_sync

    @tf.function  # type: ignore[untyped-decorator]
    def run(images: Any, targets: Any) -> None:
        strategy.run(model.train_step, args=((images, targets),))

    def divided(values: Any) -> Any:
        return strategy.experimental_distribute_values_from_function(
            lambda context: values[context.replica_id_in_sync_group :: shares]
        )

    def step(batch: Any) -> None:
        run(divided(batch[0]), divided(batch[1]))
        model.optimizer.iterations.numpy()  # wait for the step to end

    return step
