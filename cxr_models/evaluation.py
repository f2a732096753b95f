"""The plainest judgement of a run: how many images of its test set it gets right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr_models.classifier import build_classifier
from cxr_models.pipeline import evaluation_batches, targets_of
from cxr_models.run_folder import RunFolder

if TYPE_CHECKING:
    import os

    from cxr_models.config import RunConfig
    from cxr_models.splits import Split


def accuracy_of(
    split: Split, config: RunConfig, run: str | os.PathLike[str], *, part: str = "test"
) -> tuple[int, int]:
    """Count what the best weights of a run get right.

    Parameters
    ----------
    split : Split
        Records.
    config : RunConfig
        The run's settings.
    run : str or PathLike
        Its folder.
    part : str, default "test"
        The part of the split to judge on.

    Returns
    -------
    (int, int)
        Images whose most probable class is theirs, and all images of the part.

    Raises
    ------
    ValueError
        If the part is empty or the weights do not fit.
    OSError
        If a file cannot be read.
    """
    names = split.class_names()
    manifest = split.select(part)
    if not manifest.records:
        raise ValueError(f"`split` must have records in {part}; got none.")
    targets = targets_of(manifest, names, config.model)
    # Built bare, then filled: the run's own weights are all it needs.
    bare = config.with_setting("model.weights", "none")
    model = build_classifier(bare, len(names))
    model.load_weights(RunFolder(path=Path(run)).best_weights)
    batches = evaluation_batches(config.data, manifest.paths(), targets, config.training.batch_size)
    probabilities = np.asarray(model.predict(batches, verbose=0))
    if config.model.task == "binary":
        classes = (probabilities[:, 0] > 0.5).astype(np.int32)
    else:
        classes = probabilities.argmax(axis=1).astype(np.int32)
    return int((classes == targets).sum()), len(targets)
