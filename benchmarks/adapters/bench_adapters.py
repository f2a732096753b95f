"""Every adapter compared with OpenCV in the same framework, and with the framework's own CLAHE.

Frameworks that are not installed are skipped, because no environment has all of them. In a
framework, all contenders get the same images from memory. OpenCV has as many workers as ours, with
one thread in each worker. OpenCV gets a new CLAHE object in each call, because a shared object
gives wrong results across threads. The operation is CLAHE alone with 8x8 tiles, unless the group
states another.
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
from benchmarks.harness.networks import as_written
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

# Deprecation warnings within frameworks do not fail these benchmarks.
pytestmark = pytest.mark.filterwarnings("default")

GRID = (8, 8)
CLAHE_ALONE = cxe.EnhanceParams(percentiles=None, tile_grid_size=GRID)
BATCHES, ONE_BY_ONE = f"{OURS}, batches of 32", f"{OURS}, one by one"
OPENCV_ONE_BY_ONE = "OpenCV, one by one"
CHAIN = f"{OURS}, with white balance"


def opencv_clahe(image: Any) -> Any:
    """Apply OpenCV's CLAHE, with a new object in each call."""
    return cv2.createCLAHE(clipLimit=2.0, tileGridSize=GRID).apply(image)


def row_of(operation: str, shape: Shape, *, count: int = 1, threads: int = 1) -> Row:
    """Return the row of `count` uint8 images of `shape`."""
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


def drained(dataset: Any, images: Any = None) -> Callable[[], Any]:
    """Return a function that iterates over `dataset` and returns the last element.

    If `images` is given, every element is first compared with OpenCV's result for its image.
    """
    if images is not None:
        done = (one for batch in dataset.as_numpy_iterator() for one in np.atleast_3d(batch.T).T)
        for i, result in enumerate(done):
            np.testing.assert_array_equal(result, opencv_clahe(images[i % len(images)]))

    def drain() -> Any:
        for last in dataset:  # noqa: B007 - the last element is returned
            pass
        return last.numpy()

    return drain


@pytest.mark.parametrize("contender", [BATCHES, ONE_BY_ONE, OPENCV_ONE_BY_ONE])
def bench_tf_data_224(
    race: Callable[..., None], sized: Callable[[Shape], Shape], contender: str
) -> None:
    """Time small images: batched and then mapped, compared with mapped and then batched."""
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
    """Time large images, mapped one by one on two private threads or on the iterating thread.

    Four calls are in progress at a time, because AUTOTUNE also starts more calls than there are
    threads. With two calls, a thread would wait after each image until the next call is started.
    The number of images makes a round last a tenth of a second, so that the time to make an
    iterator is negligible. Two kinds of arithmetic show the speed-up that two threads of this
    machine can reach.
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
    """Time a layer on one image, called directly and within a `tf.function`."""
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
    """Measure how much a call raises the peak memory of a process that called the layer before."""
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
    """Time the transform, OpenCV, and kornia, which gives other bytes, on a tensor."""
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
    """Time the transform and OpenCV on a channel-first array; MONAI has no CLAHE."""
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
    """Time the transform, the CLAHE of albumentations, and OpenCV on an array."""
    # Without this variable, importing albumentations makes a network request.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
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
