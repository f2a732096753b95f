"""The input pipeline: time added by enhancement, comparison with the notebook, waiting for input.

tf.data is kept from making `map` parallel. Contenders run in turns. The outputs of ours and of the
notebook are asserted to be equal before anything is timed. The files are from the folders that
CXR_REAL_IMAGES names; smoke runs draw images. Run it with
``pytest benchmarks/models/bench_models_pipeline.py``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from benchmarks.conftest import Row
from benchmarks.harness.baselines import notebook_chain
from benchmarks.harness.measuring import Laps
from benchmarks.harness.networks import as_written, image_files
from benchmarks.tables.targets import NO_ENHANCEMENT, NOTEBOOK, OURS
from cxr_enhance import prepare, read_image
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_models import DataConfig
from cxr_models.inputs.loader import ImageLoader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")

SIZE = 224
ORIGINALS = 40
STEP = 0.05  # seconds of a training step
CONSTANT = "a repeated constant"
_WORK = bytes(1 << 20)  # data whose hash takes about a millisecond


def row_of_files(operation: str, what: str, paths: Sequence[str], images: Sequence[Any]) -> Row:
    """Return the row of a race over files on two threads; `what` names the input in the tables."""
    return Row(
        operation=operation,
        image=f"{len(paths)} {what} to {SIZE}x{SIZE}",
        nbytes=sum(Path(path).stat().st_size for path in paths),
        pixels=sum(image.shape[0] * image.shape[1] for image in images),
        threads=2,
    )


def exhaust(dataset: Iterable[Any]) -> None:
    for _ in dataset:
        pass


def joined(dataset: Any) -> Any:
    """Return all elements of a dataset as one array."""
    return np.concatenate(list(dataset.as_numpy_iterator()))


class DecodeAndResize(ImageLoader):
    """Loader without enhancement and without its conversion to gray."""

    def load(self, path: str) -> Any:
        """Return the first channel of the image at `path`."""
        bare = dataclasses.replace(self._preparation, params=None)
        image = prepare(read_image(path), bare).image
        return image[..., None] if image.ndim == 2 else image[..., :1]


@pytest.mark.parametrize("contender", [OURS, NO_ENHANCEMENT])
def bench_enhancement_in_study_order(
    race: Callable[..., None],
    timing: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    contender: str,
) -> None:
    """Compare the CPU time of the pipeline with enhancement and without.

    CPU time varies less than wall time. All CPUs work on files, so wall time is in proportion.
    """
    from cxr_models.inputs import pipeline

    paths = image_files(tmp_path, real=timing, count=ORIGINALS if timing else 4)
    targets = np.zeros(len(paths), np.int32)
    make = partial(pipeline.evaluation_batches, DataConfig(), paths, targets, 16)
    enhanced = make()
    monkeypatch.setattr(pipeline, "ImageLoader", DecodeAndResize)
    plain = make()
    for (with_it, _), (without, _) in zip(
        enhanced.as_numpy_iterator(), plain.as_numpy_iterator(), strict=True
    ):
        assert with_it.shape == without.shape
        assert not np.array_equal(with_it, without)
    race(
        row_of_files(
            "CPU time of the input pipeline, study order",
            "originals",
            paths,
            [read_image(path) for path in paths],
        ),
        contender,
        {OURS: partial(exhaust, enhanced), NO_ENHANCEMENT: partial(exhaust, plain)},
        equal=(),
        packages=["tensorflow"],
        clock=time.process_time,
    )


@pytest.mark.parametrize("contender", [OURS, NOTEBOOK])
@pytest.mark.parametrize("source", ["decoded originals", "files of originals"])
def bench_enhancement_at_full_size(
    race: Callable[..., None], timing: bool, tmp_path: Path, source: str, contender: str
) -> None:
    """Compare ours with the notebook, from decoded images and from files.

    The target is for decoded images. With files, both contenders also decode.
    """
    paths = image_files(tmp_path, real=timing, count=ORIGINALS if timing else 4)
    load = ImageLoader(DataConfig(order="enhance-first"))
    decoded = [read_image(path) for path in paths]
    read: Callable[[int], Any] = lambda place: (  # noqa: E731
        decoded[place] if source == "decoded originals" else read_image(paths[place])
    )

    def ours(place: Any) -> Any:
        return load.prepare(read(place))

    def notebook(place: Any) -> Any:
        # The notebook always works on three channels, also for gray files.
        image = read(place)
        colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        return cv2.resize(notebook_chain(colour), (SIZE, SIZE))[..., None]

    def dataset(function: Callable[[Any], Any]) -> Any:
        def call(place: Any) -> Any:
            image = tf.numpy_function(function, [place], tf.uint8, stateful=False)
            return tf.ensure_shape(image, (SIZE, SIZE, 1))

        places = tf.data.Dataset.range(len(paths))
        return as_written(places.map(call, num_parallel_calls=2).batch(16).prefetch(2))

    datasets = {OURS: dataset(ours), NOTEBOOK: dataset(notebook)}
    if contender == NOTEBOOK:
        np.testing.assert_array_equal(*map(joined, datasets.values()))
    race(
        row_of_files("input pipeline, enhance-first", source, paths, decoded),
        contender,
        {name: partial(exhaust, batches) for name, batches in datasets.items()},
        equal=(),
        packages=["tensorflow"],
    )


@pytest.mark.parametrize("contender", [OURS, NOTEBOOK])
def bench_enhancement_of_decoded_images(
    race: Callable[..., None], timing: bool, contender: str
) -> None:
    """Compare ours, a call per batch, with the notebook's code, a call per image."""
    from cxr_enhance.adapters.tf_data import enhance_op

    count = 512 if timing else 16
    drawn = np.stack([synthetic_radiograph(SIZE, SIZE, seed=seed) for seed in range(8)])
    colour = np.repeat(np.tile(drawn, (count // 8, 1, 1))[..., None], 3, axis=-1)
    source = tf.data.Dataset.from_tensor_slices(colour).cache()

    def notebook(image: Any) -> Any:
        enhanced = tf.numpy_function(notebook_chain, [image], tf.uint8, stateful=False)
        return tf.ensure_shape(enhanced, (SIZE, SIZE))

    datasets = {
        OURS: source.batch(64).map(enhance_op(), num_parallel_calls=2).prefetch(2),
        NOTEBOOK: source.map(notebook, num_parallel_calls=2).batch(64).prefetch(2),
    }
    datasets = {name: as_written(batches) for name, batches in datasets.items()}
    if contender == NOTEBOOK:
        got, expected = map(joined, datasets.values())
        np.testing.assert_array_equal(got.reshape(expected.shape), expected)
    race(
        Row(
            operation="tf.data enhancement",
            image=f"{count} decoded images of {SIZE}x{SIZE}",
            nbytes=colour.nbytes,
            pixels=count * SIZE * SIZE,
            threads=2,
        ),
        contender,
        {name: partial(exhaust, batches) for name, batches in datasets.items()},
        equal=(),
        packages=["tensorflow"],
    )


def keep_busy(_batch: object) -> None:
    ends = time.perf_counter() + STEP
    while time.perf_counter() < ends:
        hashlib.sha1(_WORK).digest()  # releases the GIL, like a training step


def sleep(_batch: object) -> None:
    time.sleep(STEP)


@pytest.mark.parametrize("contender", [OURS, CONSTANT])
@pytest.mark.parametrize(("how", "step"), [("busy", keep_busy), ("sleeping", sleep)])
def bench_waiting_for_the_cache(
    record: Callable[..., None],
    timing: bool,
    tmp_path: Path,
    how: str,
    step: Callable[[object], None],
    contender: str,
) -> None:
    """Measure how long a step waits for the pipeline; the step keeps a CPU busy or sleeps.

    A busy step leaves the pipeline one CPU less. After a step that sleeps, the first call into any
    dataset is slow, even for a repeated constant. The constant is therefore measured too.
    """
    from cxr_models.inputs.pipeline import training_batches
    from cxr_models.inputs.throughput import measure

    count, batch, steps, rounds = (512, 64, 40, 5) if timing else (16, 8, 3, 1)
    config = DataConfig(cache_dir=str(tmp_path / "cache"))
    paths = image_files(tmp_path, real=False, count=8, size=64) * (count // 8)
    batches = training_batches(config, paths, np.zeros(count, np.int32), batch, seed=0)
    if contender == CONSTANT:
        batches = tf.data.Dataset.from_tensors(next(iter(batches))).repeat().prefetch(2)
    found = [measure(batches, steps, step) for _ in range(rounds)]
    pixels = batch * SIZE * SIZE
    record(
        Row(
            operation=f"waiting for the cache, {how} step",
            image=f"{batch} images of {SIZE}x{SIZE} every {1000 * STEP:.0f} ms",
            nbytes=pixels,
            pixels=pixels,
        ),
        contender,
        Laps(durations=[batch / one.images_per_second for one in found]),
        ["tensorflow"],
        waiting_share=float(np.median([one.waiting_share for one in found])),
    )
