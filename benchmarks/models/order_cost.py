"""Cost of the fixed order of training batches: images per second with this order and without.

Run it with ``python -m benchmarks.models.order_cost``. Drawn radiographs of three sizes are read,
resized and enhanced in batches of 16. The batches come in the order of the seed, or in the order in
which they are ready; both are measured in turns.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

import cxr_enhance
from benchmarks.harness.measuring import take_turns
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_models import DataConfig
from cxr_models.inputs.pipeline import training_batches
from cxr_models.inputs.throughput import measure

if TYPE_CHECKING:
    from collections.abc import Callable

_SIZES = (256, 512, 1024)  # sides in pixels; files of different sizes take different times to read
_IMAGES, _BATCH, _BATCHES = 192, 16, 24


def _draw(folder: Path) -> list[str]:
    names = []
    for seed in range(_IMAGES):
        names.append(str(folder / f"{seed}.png"))
        size = _SIZES[seed % len(_SIZES)]
        cxr_enhance.write_image(names[-1], synthetic_radiograph(size, size, seed=seed))
    return names


def _contender(batches: Any) -> Callable[[], float]:
    return lambda: measure(batches, _BATCHES).images_per_second


def main() -> None:
    """Print the median images per second of each order, and the median ratio of both."""
    with tempfile.TemporaryDirectory() as folder:
        paths = _draw(Path(folder))
        batches = training_batches(
            DataConfig(), paths, np.zeros(len(paths), np.int32), _BATCH, seed=0
        )
        as_ready = tf.data.Options()
        as_ready.deterministic = False
        rates = take_turns(
            {
                "in order": _contender(batches),
                "as ready": _contender(batches.with_options(as_ready)),
            },
            min_rounds=20,
        )
    for name, found in rates.items():
        sys.stdout.write(f"{name}: {statistics.median(found):.1f} images/s\n")
    ratios = [
        ordered / ready for ordered, ready in zip(rates["in order"], rates["as ready"], strict=True)
    ]
    sys.stdout.write(f"in order / as ready: {statistics.median(ratios):.3f}\n")


if __name__ == "__main__":
    main()
