"""Print, as JSON, how much one call of a Keras layer raises the peak memory of this process.

``python -m benchmarks.harness.measure_keras_memory cxr_enhance 1024`` calls our CLAHE on a small
image, so that the code is in memory, and then on a square uint8 image with sides of 1024 pixels.
Any other name than ``cxr_enhance`` calls Keras's own layer. The printed number of bytes includes
the result. The module needs Linux.
"""

from __future__ import annotations

import json
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.harness.measure_memory import forget_peak, status_bytes
from benchmarks.tables.targets import OURS

GRID = (8, 8)


def main(contender: str, side: str) -> None:
    """Measure one call and print the result."""
    theirs = keras.layers.ContrastLimitedAdaptiveHistogramEqualization
    if contender == OURS:
        from cxr_enhance.adapters.keras_layers import OpenCVCLAHE

        layer, dtype = OpenCVCLAHE(2.0, GRID), "uint8"
    else:
        layer, dtype = theirs(clip_limit=2.0, tile_grid_size=GRID), "float32"
    shape = (1, int(side), int(side), 1)
    image = tf.constant(np.random.default_rng(0).integers(0, 256, shape).astype(dtype))
    layer(image[:, :64, :64])
    forget_peak()
    before = status_bytes("VmRSS")
    start = time.perf_counter()
    layer(image)
    seconds = time.perf_counter() - start
    extra = status_bytes("VmHWM") - before
    sys.stdout.write(json.dumps({"seconds": seconds, "extra_bytes": extra}))


if __name__ == "__main__":
    main(*sys.argv[1:])
