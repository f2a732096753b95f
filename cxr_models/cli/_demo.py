"""`cxr-models demo`: every step, from drawn radiographs to the accuracy on the test set."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cxr_models.cli import _console, _index, _records, _train
from cxr_models.records.demo import write_demo_set
from cxr_models.records.splits import FRACTIONS, read_split

if TYPE_CHECKING:
    from pathlib import Path

# From scratch, in minutes: larger batches, for the statistics of batch normalization settle with
# them; no rotation; a learning rate that falls soon.
_TYPED = {
    "model.weights": "none",
    "data.image_size": (96, 96),
    "data.order": "enhance-first",  # a tile of 96 pixels would hold 36 of them, and noise
    "data.rotation": 0.0,
    "training.batch_size": 32,
    "training.plateau_patience": 4,
    "training.plateau_factor": 0.3,
}


def demo(folder: Path, epochs: int) -> int:
    """Draw, index, split, train and evaluate in `folder`, which must be new or empty."""
    started = time.perf_counter()
    with _console.errors_exit_with(_console.WRONG_USAGE):
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(f"`DIR` must be new or empty; got {str(folder)!r}.")
    with _console.errors_exit_with(_console.FAILED):
        _console.say("drawing radiographs")
        write_demo_set(folder / "images")
    manifest, split = folder / "manifest.csv", folder / "split.csv"
    status = _index.index(
        folder / "images",
        manifest,
        layout_name=None,
        labels=None,
        patient_pattern=r"([a-z]+-p\d+)-",
        csvs=[],
        columns=None,
        overwrite=False,
        max_distance=0,  # drawn chests are alike; two exposures of one patient are tied anyway
    )
    status = status or _records.split(
        manifest,
        split,
        fractions=FRACTIONS,
        seed=0,
        folds=None,
        leave_source_out=False,
        test_others=False,
        overwrite=False,
    )
    if status:
        return status
    config = _train.config_of(
        None, {**_TYPED, "training.epochs_head": epochs}, [], no_enhance=False
    )
    status = _train.train(split, folder / "run", config)
    if status:
        return status
    with _console.errors_exit_with(_console.FAILED):
        from cxr_models.inference.predict_sets import accuracy_of

        right, count = accuracy_of(read_split(split), config, folder / "run")
    _console.say(f"test accuracy {right / count:.3f} ({right} of {count} drawn radiographs)")
    _console.say(f"done in {time.perf_counter() - started:.0f} s; research software, no diagnosis")
    return 0
