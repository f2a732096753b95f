"""The input pipeline: what enhancement adds, the notebook's functions in it, waiting for it.

Datasets run as written (tf.data would turn a plain map into a parallel one), contenders by turns,
outputs asserted to be equal before anything is timed. Files are those that CXR_REAL_IMAGES names;
smoke runs draw some. Run it with ``pytest benchmarks/bench_models_pipeline.py``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from benchmarks.baselines import notebook_chain
from benchmarks.models import as_written, image_files, medians
from cxr_enhance import read_image
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_models import DataConfig
from cxr_models.loading import ImageLoader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")

SIZE = 224
ADDED, FULL_SIZE_RATIO, DECODED_RATIO, WAITING = 0.10, 5.0, 6.0, 0.02
STEP = 0.05  # seconds, of the model that is fed
_WORK = bytes(1 << 20)  # to hash: about a millisecond


def drain(batches: Any) -> list[Any]:
    return [batch[0] for batch in batches.as_numpy_iterator()]


class DecodeAndResize(ImageLoader):
    """The pipeline without enhancement, and without the gray that comes of it."""

    def load(self, path: str) -> Any:
        """Return the first channel of the image of `path`."""
        image = self._resize(read_image(path))
        return image[..., None] if image.ndim == 2 else image[..., :1]


@pytest.mark.benchmark(group="input pipeline, study order|originals to 224x224")
def bench_enhancement_in_study_order(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judge by CPU time, which is steadier; every CPU works on files, so the clock follows it."""
    from cxr_models import pipeline

    timing = benchmark.enabled
    paths = image_files(tmp_path, real=timing, count=40 if timing else 4)
    targets = np.zeros(len(paths), np.int32)
    make = partial(pipeline.evaluation_batches, DataConfig(), paths, targets, 16)
    enhanced = make()
    monkeypatch.setattr(pipeline, "ImageLoader", DecodeAndResize)
    plain = make()
    for with_it, without in zip(drain(enhanced), drain(plain), strict=True):
        assert with_it.shape == without.shape
        assert not np.array_equal(with_it, without)
    contenders = {"with": partial(drain, enhanced), "without": partial(drain, plain)}
    clocks = {"cpu": time.process_time, "wall": time.perf_counter}
    added = {}
    for name, clock in clocks.items():
        seconds = medians(contenders, rounds=15 if timing else 1, clock=clock)
        added[name] = seconds["with"] / seconds["without"] - 1
    benchmark.extra_info.update(added=added, images=len(paths))
    benchmark.pedantic(lambda: drain(enhanced), rounds=1)
    if timing:
        assert added["cpu"] <= ADDED, f"{added['cpu']:.1%} added, {added['wall']:.1%} on the clock"


@pytest.mark.benchmark(group="input pipeline, enhance-first|originals at full size to 224x224")
@pytest.mark.parametrize("source", ["decoded", "files"])
def bench_enhancement_at_full_size(benchmark: Any, tmp_path: Path, source: str) -> None:
    """From decoded images, which is the target's; and with decoding in, on both sides."""
    timing = benchmark.enabled
    paths = image_files(tmp_path, real=timing, count=40 if timing else 4)
    load = ImageLoader(DataConfig(order="enhance-first"))
    decoded = [read_image(path) for path in paths]
    read: Callable[[int], Any] = lambda place: (  # noqa: E731
        decoded[place] if source == "decoded" else read_image(paths[place])
    )

    def ours(place: Any) -> Any:
        return load.prepare(read(place))

    def notebook(place: Any) -> Any:
        # As written there: three channels, whatever the file holds.
        image = read(place)
        colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        return cv2.resize(notebook_chain(colour), (SIZE, SIZE))[..., None]

    def dataset(function: Callable[[Any], Any]) -> Any:
        def call(place: Any) -> Any:
            image = tf.numpy_function(function, [place], tf.uint8, stateful=False)
            return (tf.ensure_shape(image, (SIZE, SIZE, 1)),)

        places = tf.data.Dataset.range(len(paths))
        return as_written(places.map(call, num_parallel_calls=2).batch(16).prefetch(2))

    contenders = {"ours": dataset(ours), "notebook": dataset(notebook)}
    for got, expected in zip(*map(drain, contenders.values()), strict=True):
        np.testing.assert_array_equal(got, expected)
    seconds = medians(
        {name: partial(drain, batches) for name, batches in contenders.items()},
        rounds=5 if timing else 1,
    )
    ratio = seconds["notebook"] / seconds["ours"]
    benchmark.extra_info.update(ratio_to_notebook=round(ratio, 2), images=len(paths), source=source)
    benchmark.pedantic(drain, args=(contenders["ours"],), rounds=1)
    if timing and source == "decoded":
        assert ratio >= FULL_SIZE_RATIO, f"{ratio:.2f} times as fast"


@pytest.mark.benchmark(group="tf.data enhancement|uint8 224x224, decoded")
def bench_enhancement_of_decoded_images(benchmark: Any) -> None:
    """Ours a batch a call; the notebook's an image a call, as it would be written."""
    from cxr_enhance.adapters.tf_data import enhance_op

    count = 512 if benchmark.enabled else 16
    drawn = np.stack([synthetic_radiograph(SIZE, SIZE, seed=seed) for seed in range(8)])
    colour = np.repeat(np.tile(drawn, (count // 8, 1, 1))[..., None], 3, axis=-1)
    source = tf.data.Dataset.from_tensor_slices(colour).cache()

    def notebook(image: Any) -> Any:
        enhanced = tf.numpy_function(notebook_chain, [image], tf.uint8, stateful=False)
        return tf.ensure_shape(enhanced, (SIZE, SIZE))

    contenders = {
        "ours": source.batch(64).map(enhance_op(), num_parallel_calls=2).prefetch(2),
        "notebook": source.map(notebook, num_parallel_calls=2).batch(64).prefetch(2),
    }
    contenders = {name: as_written(batches) for name, batches in contenders.items()}
    got, expected = (np.concatenate(list(b.as_numpy_iterator())) for b in contenders.values())
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)
    seconds = medians(
        {name: partial(list, batches) for name, batches in contenders.items()},
        rounds=9 if benchmark.enabled else 1,
    )
    ratio = seconds["notebook"] / seconds["ours"]
    benchmark.extra_info.update(ratio_to_notebook=round(ratio, 2), images=count)
    benchmark.pedantic(list, args=(contenders["ours"],), rounds=1)
    if benchmark.enabled:
        assert ratio >= DECODED_RATIO, f"{ratio:.2f} times as fast"


@pytest.mark.benchmark(group="waiting for the cache|64 images of uint8 224x224 a step of 50 ms")
def bench_waiting_for_the_cache(benchmark: Any, tmp_path: Path) -> None:
    """Feed a step that keeps one CPU busy, of which the pipeline has then one fewer.

    After a step that sleeps, the first call into any dataset is slow, even one that repeats a
    constant: both are stored, so that the one can be told from the other.
    """
    from cxr_models.pipeline import training_batches
    from cxr_models.throughput import measure

    count, batch, steps = (512, 64, 40) if benchmark.enabled else (16, 8, 3)
    config = dataclasses.replace(DataConfig(), cache_dir=str(tmp_path / "cache"))
    paths = image_files(tmp_path, real=False, count=8, size=64) * (count // 8)
    source = training_batches(config, paths, np.zeros(count, np.int32), batch, seed=0)
    constant = tf.data.Dataset.from_tensors(next(iter(source))).repeat().prefetch(2)

    def busy(_batch: object) -> None:
        ends = time.perf_counter() + STEP
        while time.perf_counter() < ends:
            hashlib.sha1(_WORK).digest()  # without the GIL, as a training step

    def sleeping(_batch: object) -> None:
        time.sleep(STEP)

    def share_of(batches: Any, step: Callable[[object], None]) -> float:
        rounds = range(5 if benchmark.enabled else 1)
        return float(np.median([measure(batches, steps, step).waiting_share for _ in rounds]))

    share = share_of(source, busy)
    benchmark.extra_info.update(
        waiting_share=round(share, 5),
        of_a_constant=round(share_of(constant, busy), 5),
        after_sleep=round(share_of(source, sleeping), 5),
        of_a_constant_after_sleep=round(share_of(constant, sleeping), 5),
    )
    benchmark.pedantic(next, args=(iter(source),), rounds=1)
    if benchmark.enabled:
        assert share < WAITING, f"{share:.1%} spent waiting"
