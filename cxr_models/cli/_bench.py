"""`cxr-models bench-pipeline`: images a second, and the share of a step spent waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxr_models.cli import _console
from cxr_models.splits import read_split
from cxr_models.throughput import measure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cxr_models.config import RunConfig


def bench(split: Path, config: RunConfig, *, batches: int, with_model: bool) -> int:
    """Measure the training pipeline of `config`, feeding a model if there is to be one."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        read = read_split(split)
    with _console.errors_exit_with(_console.FAILED):
        from cxr_models.pipeline import plain_errors, targets_of, training_batches

        part, names = read.select("train"), read.class_names()
        source = training_batches(
            config.data,
            part.paths(),
            targets_of(part, names, config.model),
            config.training.batch_size,
            seed=config.training.seed,
        )
        step = _training_step(config, len(names)) if with_model else None
        with plain_errors():
            seen = measure(source, batches, step)
    _console.say(f"{seen.images_per_second:.1f} images/s over {batches} batches")
    if with_model:
        _console.say(f"{100 * seen.waiting_share:.1f} % of the time spent waiting for input")
    return 0


def _training_step(config: RunConfig, num_classes: int) -> Callable[[Any], object]:
    import keras

    from cxr_models.classifier import build_classifier
    from cxr_models.training import loss_of

    model = build_classifier(config.with_setting("model.weights", "none"), num_classes)
    model.compile(
        optimizer=keras.optimizers.Adam(config.training.learning_rate_fine_tune),
        loss=loss_of(config.model),
        jit_compile=keras.backend.backend() == "jax",
    )
    model.optimizer.build(model.trainable_variables)  # quicker here than within the graph
    return lambda batch: model.train_on_batch(batch[0], batch[1])
