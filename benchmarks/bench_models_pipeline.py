"""What enhancement costs in the input pipeline, beside the notebook's own functions.

Both sides run inside a tf.data map with `numpy_function` on decoded 224 x 224 images: ours a batch
a call, the notebook's an image a call, as it would be written. Outputs are asserted to be equal.
Ours must be at least 6 times as fast. Run it with ``pytest benchmarks/bench_models_pipeline.py``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from benchmarks.baselines import notebook_chain
from cxr_enhance.synthetic import synthetic_radiograph

tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")

COUNT, SIZE, RATIO, ROUNDS = 512, 224, 6.0, 5


@pytest.mark.benchmark(group="tf.data enhancement|uint8 224x224, decoded")
def bench_enhancement_of_decoded_images(benchmark: Any) -> None:
    from cxr_enhance.adapters.tf_data import enhance_op

    count = COUNT if benchmark.enabled else 16
    drawn = np.stack([synthetic_radiograph(SIZE, SIZE, seed=seed) for seed in range(8)])
    colour = np.repeat(np.tile(drawn, (count // 8, 1, 1))[..., None], 3, axis=-1)
    source = tf.data.Dataset.from_tensor_slices(colour).cache()

    def notebook(image: Any) -> Any:
        enhanced = tf.numpy_function(notebook_chain, [image], tf.uint8, stateful=False)
        return tf.ensure_shape(enhanced, (SIZE, SIZE))

    ours = source.batch(64).map(enhance_op(), num_parallel_calls=2).prefetch(2)
    theirs = source.map(notebook, num_parallel_calls=2).batch(64).prefetch(2)
    got = np.concatenate(list(ours.as_numpy_iterator()))
    expected = np.concatenate(list(theirs.as_numpy_iterator()))
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS if benchmark.enabled else 1):
        for name, batches in (("ours", ours), ("theirs", theirs)):
            began = time.perf_counter()
            for _batch in batches:
                pass
            seconds[name].append(time.perf_counter() - began)
    ratio = float(np.median(seconds["theirs"]) / np.median(seconds["ours"]))
    benchmark.extra_info.update(ratio_to_notebook=round(ratio, 2), images=count)
    benchmark.pedantic(lambda: [None for _ in ours], rounds=1)
    if benchmark.enabled:
        assert ratio >= RATIO
