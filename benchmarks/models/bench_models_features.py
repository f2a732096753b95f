"""Fifty epochs of the head on kept features, compared with fifty epochs on the frozen backbone.

The network is NASNetMobile at 224 x 224 pixels with weights from a file. There are 1,617 images for
training and 348 for validation, as in the study's three classes here, with one view of each. The
run on kept features is timed completely, including its start and the computation of the features.
The run on the frozen backbone is estimated: two epochs are trained before the other run and two
after it, the first of each two is left out, and fifty times the median of the remaining epochs
counts. The start of that run, such as building its graph, is left out, which favours it. Run it
with ``pytest benchmarks/models/bench_models_features.py``; it takes some minutes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.conftest import Row
from benchmarks.harness.measuring import Laps
from benchmarks.harness.networks import image_files
from benchmarks.tables.targets import COMPUTED, KEPT
from cxr_models import DataConfig, Manifest, ModelConfig, Record, RunConfig, Split, TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

TRAINED, VALIDATED, SIZE, EPOCHS = 1617, 348, 224, 50


def split_of(paths: list[str], root: Path, validated: int) -> Split:
    labels = ("covid", "normal", "virus")
    records = [
        Record(file=path, label=labels[i % 3], split="val" if i < validated else "train")
        for i, path in enumerate(paths)
    ]
    return Split(manifest=Manifest(records=tuple(records), root=root), hash="0" * 64)


def both(folder: Path, *, timing: bool) -> dict[str, Laps]:
    """Return the durations with kept features and without them.

    Two epochs without kept features are trained before and after the run with kept features.
    """
    import keras

    from cxr_models.runs.folder import RunFolder
    from cxr_models.training.train import train

    trained, validated, size, epochs = (
        (TRAINED, VALIDATED, SIZE, EPOCHS) if timing else (8, 4, 32, 2)
    )
    weights = folder / "backbone.weights.h5"
    shape = (size, size, 3)
    keras.applications.NASNetMobile(
        include_top=False, weights=None, input_shape=shape
    ).save_weights(weights)
    paths = image_files(folder, real=timing, count=trained + validated, size=SIZE)
    split = split_of(paths, folder, validated)

    def run(name: str, epochs: int, views: int) -> float:
        config = RunConfig(
            data=DataConfig(image_size=(size, size), cache_dir=str(folder / "cache")),
            model=ModelConfig(weights=str(weights)),
            training=TrainingConfig(
                epochs_head=epochs, epochs_fine_tune=0, cache_features=views, patience=EPOCHS
            ),
        )
        began = time.perf_counter()
        train(split, config, folder / name)
        return time.perf_counter() - began

    run("before", 2, 0)
    kept = run("kept", epochs, 1)
    run("after", 2, 0)
    histories = [RunFolder(path=folder / name).read_history() for name in ("before", "after")]
    epoch = float(np.median([row.seconds for rows in histories for row in rows[1:]]))
    return {KEPT: Laps(durations=[kept]), COMPUTED: Laps(durations=[epochs * epoch])}


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
@pytest.mark.parametrize("contender", [KEPT, COMPUTED])
def bench_kept_features(
    record: Callable[..., None],
    timing: bool,
    laps_of_rows: dict[tuple[str, str], dict[str, Laps]],
    tmp_path: Path,
    contender: str,
) -> None:
    pixels = TRAINED * SIZE * SIZE
    row = Row(
        operation=f"phase 1, {EPOCHS} epochs",
        image=f"NASNetMobile {SIZE}x{SIZE}, {TRAINED:,} images",
        nbytes=pixels,
        pixels=pixels,
    )
    key = (bench_kept_features.__name__, row.group)
    if key not in laps_of_rows:
        laps_of_rows.clear()
        laps_of_rows[key] = both(tmp_path, timing=timing)
    record(row, contender, laps_of_rows[key][contender], ["tensorflow", "keras"])
