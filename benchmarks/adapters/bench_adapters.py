"""Every adapter beside OpenCV in the same framework, and beside the framework's own CLAHE.

Frameworks that are not installed are skipped: no environment holds them all. In one framework all
contenders take the same images from memory, and OpenCV has as many workers as ours, one thread in
each, and a CLAHE object a call: one that is shared gives wrong results across threads. CLAHE alone
with 8x8 tiles, unless the group says otherwise.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import pytest

import cxr_enhance as cxe
from benchmarks.conftest import Row
from benchmarks.harness import shapes
from benchmarks.harness.images import radiograph, stack
from benchmarks.harness.machine import IN_CHAIN, SIDE_BY_SIDE, yardsticks
from benchmarks.harness.measuring import Laps
from benchmarks.harness.processes import json_of_module
from benchmarks.tables.targets import (
    KERAS,
    ONE_WORKER,
    OPENCV,
    OPENCV_WORKER,
    OPENCV_WORKERS,
    OURS,
    TWO_WORKERS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from benchmarks.harness.shapes import Shape

Contenders: TypeAlias = "Mapping[str, Callable[[], Any]]"

# The frameworks' own deprecation warnings are theirs.
pytestmark = pytest.mark.filterwarnings("default")

GRID = (8, 8)
CLAHE_ALONE = cxe.EnhanceParams(percentiles=None, tile_grid_size=GRID)
BATCHES, ONE_BY_ONE = f"{OURS}, batches of 32", f"{OURS}, one by one"
OPENCV_ONE_BY_ONE = "OpenCV, one by one"
CHAIN = f"{OURS}, with white balance"


def opencv_clahe(image: Any) -> Any:
    """Apply OpenCV's CLAHE, an object a call."""
    return cv2.createCLAHE(clipLimit=2.0, tileGridSize=GRID).apply(image)


def row_of(operation: str, shape: Shape, *, count: int = 1, threads: int = 1) -> Row:
    """Describe `count` uint8 images of `shape`."""
    image = shapes.name(shape, np.uint8)
    pixels = count * shape[0] * shape[1]
    return Row(
        operation=operation,
        image=image if count == 1 else f"{count} images of {image}",
        nbytes=pixels,
        pixels=pixels,
        threads=threads,
    )


# --- tf.data --------------------------------------------------------------------------------------


def as_written(dataset: Any) -> Any:
    """Keep tf.data from turning a plain `map` into a parallel one, and from tuning any.

    It does both silently: what is called one worker here would run on all CPUs.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.experimental_optimization.map_parallelization = False
    options.autotune.enabled = False
    return dataset.with_options(options)


def drained(dataset: Any, images: Any = None) -> Callable[[], Any]:
    """Make a call that runs through `dataset` and gives its last element.

    Before that, every element is compared with OpenCV's result for the one of `images`.
    """
    if images is not None:
        done = (one for batch in dataset.as_numpy_iterator() for one in np.atleast_3d(batch.T).T)
        for i, result in enumerate(done):
            np.testing.assert_array_equal(result, opencv_clahe(images[i % len(images)]))

    def drain() -> Any:
        for last in dataset:  # noqa: B007 - the last one is looked at
            pass
        return last.numpy()

    return drain


@pytest.mark.parametrize("contender", [BATCHES, ONE_BY_ONE, OPENCV_ONE_BY_ONE])
def bench_tf_data_224(
    race: Callable[..., None], sized: Callable[[Shape], Shape], contender: str
) -> None:
    """Small images: batched, then mapped; against one by one, then batched."""
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    from cxr_enhance.adapters.tf_data import enhance_op

    images = stack(256, sized(shapes.NETWORK_INPUT))
    source = tf.data.Dataset.from_tensor_slices(images).cache()
    op = enhance_op(CLAHE_ALONE)

    def theirs(image: Any) -> Any:
        return tf.numpy_function(opencv_clahe, [image], tf.uint8, stateful=False)

    datasets = {
        BATCHES: source.batch(32).map(op, 2).prefetch(2),
        ONE_BY_ONE: source.map(op, 2).batch(32).prefetch(2),
        OPENCV_ONE_BY_ONE: source.map(theirs, 2).batch(32).prefetch(2),
    }
    race(
        row_of("tf.data", shapes.NETWORK_INPUT, count=len(images), threads=2),
        contender,
        {
            name: drained(as_written(data), images if name == contender else None)
            for name, data in datasets.items()
        },
        packages=["tensorflow"],
    )


@pytest.mark.parametrize(
    "contender",
    [TWO_WORKERS, ONE_WORKER, OPENCV_WORKERS, OPENCV_WORKER, *IN_CHAIN, *SIDE_BY_SIDE],
)
def bench_tf_data_1024(
    race: Callable[..., None], sized: Callable[[Shape], Shape], timing: bool, contender: str
) -> None:
    """Large images: mapped one by one by two threads of their own, or in the thread that iterates.

    Four calls are given out at a time, as AUTOTUNE gives out more than there are threads: with two,
    a thread waits after each image until the next is given out. So many images that a round takes a
    tenth of a second, against which making an iterator is nothing. Two kinds of arithmetic show
    what two threads of this machine give.
    """
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    from cxr_enhance.adapters.tf_data import enhance_op

    images = stack(32, sized(shapes.SQUARE))
    repeats = 4 if timing else 1
    source = tf.data.Dataset.from_tensor_slices(images).cache().repeat(repeats)
    op = enhance_op(CLAHE_ALONE)

    def theirs(image: Any) -> Any:
        return tf.numpy_function(opencv_clahe, [image], tf.uint8, stateful=False)

    two = tf.data.Options()
    two.threading.private_threadpool_size = 2

    def by_two(function: Any) -> Any:
        return source.map(function, num_parallel_calls=4).prefetch(4).with_options(two)

    datasets = {
        TWO_WORKERS: by_two(op),
        ONE_WORKER: source.map(op),
        OPENCV_WORKERS: by_two(theirs),
        OPENCV_WORKER: source.map(theirs),
    }
    race(
        row_of("tf.data", shapes.SQUARE, count=repeats * len(images)),
        contender,
        {
            name: drained(as_written(data), images if name == contender else None)
            for name, data in datasets.items()
        }
        | yardsticks(),
        equal=datasets,
        packages=["tensorflow"],
    )


# --- Keras ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("contender", [OURS, KERAS, OPENCV, CHAIN])
@pytest.mark.parametrize("how", ["as called", "in tf.function"])
def bench_keras_224(
    race: Callable[..., None], sized: Callable[[Shape], Shape], how: str, contender: str
) -> None:
    """One image through a layer called as users call it, and compiled into a function."""
    keras = pytest.importorskip("keras", reason="needs keras")
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    from cxr_enhance.adapters.keras_layers import Enhance, OpenCVCLAHE

    image = radiograph(sized(shapes.NETWORK_INPUT))
    tensor = tf.constant(image[None, ..., None])
    floats = tf.cast(tensor, tf.float32)
    layers = (
        OpenCVCLAHE(2.0, GRID),
        keras.layers.ContrastLimitedAdaptiveHistogramEqualization(
            clip_limit=2.0, tile_grid_size=GRID
        ),
        Enhance(cxe.EnhanceParams(tile_grid_size=GRID)),
    )
    if how == "in tf.function":
        layers = tuple(tf.function(layer) for layer in layers)
    ours, theirs, chain = layers
    race(
        row_of(f"Keras layer {how}", shapes.NETWORK_INPUT),
        contender,
        {
            OURS: lambda: ours(tensor),
            KERAS: lambda: theirs(floats),
            OPENCV: lambda: opencv_clahe(image)[None, ..., None],
            CHAIN: lambda: chain(tensor),
        },
        equal=[OPENCV],
        packages=["tensorflow", "keras"],
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
@pytest.mark.parametrize("contender", [OURS, KERAS])
def bench_keras_memory(
    record: Callable[..., None],
    sized: Callable[[Shape], Shape],
    private_cache: Path,
    contender: str,
) -> None:
    """How far one call raises the peak memory of a process that has called the layer before."""
    for package in ("keras", "tensorflow"):
        pytest.importorskip(package, reason=f"needs {package}")
    side = str(sized(shapes.SQUARE)[0])
    answer = json_of_module(
        private_cache, "benchmarks.harness.measure_keras_memory", contender, side
    )
    record(
        row_of("peak memory of Keras layer", shapes.SQUARE),
        contender,
        Laps(durations=[answer["seconds"]]),
        ["tensorflow", "keras"],
        extra_bytes=answer["extra_bytes"],
    )


# --- Frameworks whose transforms take one image ---------------------------------------------------


@pytest.mark.parametrize("contender", [OURS, OPENCV, "kornia"])
def bench_torch_224(
    race: Callable[..., None], sized: Callable[[Shape], Shape], contender: str
) -> None:
    """Pass a tensor through the transform, OpenCV, and kornia, which gives other bytes."""
    torch = pytest.importorskip("torch", reason="needs torch")
    enhance = pytest.importorskip("kornia.enhance", reason="needs kornia")
    from cxr_enhance.adapters.torch_transform import EnhanceTransform

    torch.set_num_threads(1)
    tensor = torch.from_numpy(radiograph(sized(shapes.NETWORK_INPUT)).copy())[None]
    floats = tensor[None].float() / 255
    ours = EnhanceTransform(CLAHE_ALONE)
    race(
        row_of("PyTorch transform", shapes.NETWORK_INPUT),
        contender,
        {
            OURS: lambda: ours(tensor),
            OPENCV: lambda: torch.from_numpy(opencv_clahe(tensor.numpy()[0]))[None],
            "kornia": lambda: enhance.equalize_clahe(floats, 2.0, GRID),
        },
        equal=[OPENCV],
        packages=["torch", "kornia"],
    )


@pytest.mark.parametrize("contender", [OURS, OPENCV])
def bench_monai_224(
    race: Callable[..., None], sized: Callable[[Shape], Shape], contender: str
) -> None:
    """Pass a channel-first array through the transform; MONAI has no CLAHE of its own."""
    pytest.importorskip("monai", reason="needs monai")
    from cxr_enhance.adapters.monai_transform import Enhance

    image = radiograph(sized(shapes.NETWORK_INPUT))[None]
    ours = Enhance(CLAHE_ALONE)
    race(
        row_of("MONAI transform", shapes.NETWORK_INPUT),
        contender,
        {OURS: lambda: ours(image), OPENCV: lambda: opencv_clahe(image[0])[None]},
        packages=["monai"],
    )


@pytest.mark.parametrize("contender", [OURS, OPENCV, "albumentations"])
def bench_albumentations_224(
    race: Callable[..., None], sized: Callable[[Shape], Shape], contender: str
) -> None:
    """Pass an array through the transform, albumentations' own CLAHE, and OpenCV."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network when imported
    albumentations = pytest.importorskip("albumentations", reason="needs albumentations")
    from cxr_enhance.adapters.albumentations_transform import Enhance

    image = radiograph(sized(shapes.NETWORK_INPUT))
    ours = Enhance(clip_limit=2.0, tile_grid_size=GRID, percentiles=None)
    theirs = albumentations.CLAHE(clip_limit=(2.0, 2.0), tile_grid_size=GRID, p=1)
    race(
        row_of("albumentations transform", shapes.NETWORK_INPUT),
        contender,
        {
            OURS: lambda: ours(image=image)["image"],
            OPENCV: lambda: opencv_clahe(image),
            "albumentations": lambda: theirs(image=image)["image"],
        },
        packages=["albumentations"],
    )
