"""`cxr-models bench-pipeline`: images per second, and the share of time spent waiting for input."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from cxr_models.cli import _console
from cxr_models.cli._framework import load_framework
from cxr_models.inputs.targets import targets_of
from cxr_models.inputs.throughput import measure
from cxr_models.records.splits import read_split
from cxr_models.training.checks import check_image_size, files_of

if TYPE_CHECKING:
    from pathlib import Path

    from cxr_models.config import RunConfig


def bench(split: Path, config: RunConfig, *, batches: int, with_model: bool, as_json: bool) -> int:
    """Measure the training pipeline of `config`; with `with_model`, it feeds a model.

    The model is also fed the same batch from memory repeatedly, which gives the highest speed that
    any pipeline could reach.
    """
    with _console.errors_exit_with(_console.WRONG_USAGE):
        checked_split = read_split(split)
        part, names = files_of(checked_split, "train"), checked_split.class_names()
        if with_model:
            check_image_size(config)
    with _console.errors_exit_with(_console.FAILED):
        load_framework()
        from cxr_models.inputs.pipeline import plain_errors, training_batches
        from cxr_models.training import step as steps

        source = training_batches(
            config.data,
            part.paths(),
            targets_of(part, names, config.model),
            config.training.batch_size,
            seed=config.training.seed,
        )
        if with_model:
            _console.note_on_terminal(f"building the network: {config.model.backbone}")
        step = steps.training_step(config, len(names)) if with_model else None
        _console.note_on_terminal(f"measuring {batches} batches, after two to warm up")
        with plain_errors():
            throughput = measure(source, batches, step)
            result = {
                "batches": batches,
                "batch_size": config.training.batch_size,
                **throughput._asdict(),
            }
            if step is not None:
                repeated_batch = itertools.repeat(next(iter(source)))
                result["from_memory"] = measure(repeated_batch, batches, step).images_per_second
    if as_json:
        _console.say(json.dumps(result))
        return 0
    _console.say(f"{throughput.images_per_second:.1f} images/s over {batches} batches")
    if step is not None:
        _console.say(f"{result['from_memory']:.1f} images/s fed from memory")
        _console.say(f"{100 * throughput.waiting_share:.1f} % of the time spent waiting for input")
    return 0
