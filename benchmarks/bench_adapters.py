"""Every adapter beside OpenCV in the same framework, and beside the framework's own CLAHE.

Frameworks that are not installed are skipped: no environment holds them all. In one framework all
contenders take the same images from memory, and OpenCV has as many workers as ours, one thread in
each. What each row must reach stands in `TARGETS` and is asserted where times are measured.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import cxr_enhance as cxe
from benchmarks.images import radiograph, stack
from benchmarks.measuring import take_turns
from benchmarks.shapes import NETWORK_INPUT, SQUARE

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.shapes import Shape

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# What a median must be divided by to be as much as ours, at least: (group, contender, ours).
TARGETS = {
    ("tf.data 224x224", "OpenCV an image", "cxr_enhance in batches"): 2.0,
    ("tf.data 1024x1024", "cxr_enhance, 1 worker", "cxr_enhance, 2 workers"): 1.9,
    ("tf.data 1024x1024", "OpenCV, 2 workers", "cxr_enhance, 2 workers"): 2.2,
    ("keras 224x224", "Keras's CLAHE", "OpenCVCLAHE"): 8.0,
}
CLAHE_ALONE = cxe.EnhanceParams(percentiles=None, tile_grid_size=(8, 8))


def opencv_clahe(image: Any) -> Any:
    """Apply OpenCV's CLAHE, an object a call: a shared one gives wrong results across threads."""
    return cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(image)


@pytest.fixture
def race_here(benchmark: Any) -> Callable[[str, dict[str, Callable[[], Any]], int], None]:
    """Time contenders by turns, store all medians, assert the targets of the group."""

    def race_here(group: str, contenders: dict[str, Callable[[], Any]], rounds: int) -> None:
        benchmark.group = group
        for function in contenders.values():
            function()
        if not benchmark.enabled:
            benchmark(lambda: None)
            return

        def timed(function: Callable[[], Any]) -> Callable[[], float]:
            def call() -> float:
                start = time.perf_counter()
                function()
                return time.perf_counter() - start

            return call

        durations = take_turns(
            {name: timed(function) for name, function in contenders.items()},
            min_rounds=rounds,
            max_rounds=rounds,
        )
        medians = {name: statistics.median(times) for name, times in durations.items()}
        ours = next(iter(contenders))
        benchmark.extra_info.update(
            milliseconds={name: round(1000 * value, 3) for name, value in medians.items()},
            times_ours={name: round(value / medians[ours], 2) for name, value in medians.items()},
        )
        benchmark.pedantic(contenders[ours], rounds=rounds)
        sys.stdout.write(f"\n{group}: {benchmark.extra_info['milliseconds']}\n")
        for (where, theirs, of), at_least in TARGETS.items():
            if where == group:
                ratio = medians[theirs] / medians[of]
                assert ratio >= at_least, f"{of} is {ratio:.2f} times {theirs}, not {at_least}"

    return race_here


def drain(data: Any) -> None:
    """Run through a dataset."""
    for _ in data:
        pass


def bench_tf_data_224(race_here: Callable[..., None], sized: Callable[[Shape], Shape]) -> None:
    """Small images: map after `batch`."""
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    from cxr_enhance.adapters.tf_data import enhance_op

    images = stack(256, sized(NETWORK_INPUT))
    source = tf.data.Dataset.from_tensor_slices(images).cache()
    op = enhance_op(CLAHE_ALONE)

    def theirs(image: Any) -> Any:
        return tf.numpy_function(opencv_clahe, [image], tf.uint8, stateful=False)

    batches = source.batch(32).map(op, 2).prefetch(2)
    opencv = source.map(theirs, 2).batch(32).prefetch(2)
    wanted = np.stack([opencv_clahe(image) for image in images])
    for data in (batches, opencv):
        np.testing.assert_array_equal(np.concatenate(list(data.as_numpy_iterator())), wanted)
    race_here(
        "tf.data 224x224",
        {
            "cxr_enhance in batches": lambda: drain(batches),
            "cxr_enhance an image": lambda: drain(source.map(op, 2).batch(32).prefetch(2)),
            "OpenCV an image": lambda: drain(opencv),
        },
        11,
    )


def bench_tf_data_1024(race_here: Callable[..., None], sized: Callable[[Shape], Shape]) -> None:
    """Large images: map one by one on as many workers as there are CPUs."""
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    from cxr_enhance.adapters.tf_data import enhance_op

    images = stack(32, sized(SQUARE))
    source = tf.data.Dataset.from_tensor_slices(images).cache()
    op = enhance_op(CLAHE_ALONE)

    def theirs(image: Any) -> Any:
        return tf.numpy_function(opencv_clahe, [image], tf.uint8, stateful=False)

    one = source.map(op)  # in the thread that iterates
    two, opencv = (source.map(function, 2).prefetch(2) for function in (op, theirs))
    for ours, other in zip(two.as_numpy_iterator(), opencv.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(ours, other)
    race_here(
        "tf.data 1024x1024",
        {
            "cxr_enhance, 2 workers": lambda: drain(two),
            "cxr_enhance, 1 worker": lambda: drain(one),
            "OpenCV, 2 workers": lambda: drain(opencv),
        },
        15,
    )


def bench_keras_224(race_here: Callable[..., None], sized: Callable[[Shape], Shape]) -> None:
    """One image through a layer called as users call it, and compiled into a function."""
    keras = pytest.importorskip("keras", reason="needs keras")
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    from cxr_enhance.adapters.keras_layers import Enhance, OpenCVCLAHE

    image = radiograph(sized(NETWORK_INPUT))
    tensor = tf.constant(image[None, ..., None])
    floats = tf.cast(tensor, tf.float32)
    ours = OpenCVCLAHE(2.0, (8, 8))
    theirs = keras.layers.ContrastLimitedAdaptiveHistogramEqualization(
        clip_limit=2.0, tile_grid_size=(8, 8)
    )
    compiled, their_compiled, chain = (tf.function(f) for f in (ours, theirs, Enhance()))
    np.testing.assert_array_equal(ours(tensor)[0, ..., 0], opencv_clahe(image))
    np.testing.assert_array_equal(compiled(tensor)[0, ..., 0], opencv_clahe(image))
    race_here(
        "keras 224x224",
        {
            "OpenCVCLAHE": lambda: ours(tensor),
            "Keras's CLAHE": lambda: theirs(floats),
            "OpenCVCLAHE in tf.function": lambda: compiled(tensor),
            "Keras's CLAHE in tf.function": lambda: their_compiled(floats),
            "Enhance in tf.function": lambda: chain(tensor),
            "OpenCV": lambda: opencv_clahe(image),
        },
        21,
    )


def bench_torch_224(race_here: Callable[..., None], sized: Callable[[Shape], Shape]) -> None:
    """Pass a tensor through the transform, OpenCV, and kornia where it is."""
    torch = pytest.importorskip("torch", reason="needs torch")
    from cxr_enhance.adapters.torch_transform import EnhanceTransform

    image = radiograph(sized(NETWORK_INPUT))
    tensor = torch.from_numpy(image.copy())[None]
    ours = EnhanceTransform(CLAHE_ALONE)
    contenders = {
        "EnhanceTransform": lambda: ours(tensor),
        "OpenCV": lambda: torch.from_numpy(opencv_clahe(tensor.numpy()[0]))[None],
    }
    np.testing.assert_array_equal(contenders["EnhanceTransform"](), contenders["OpenCV"]())
    try:
        from kornia.enhance import equalize_clahe
    except ImportError:
        pass
    else:
        floats = tensor[None].float() / 255
        contenders["kornia"] = lambda: equalize_clahe(floats, 2.0, (8, 8))
    race_here("torch 224x224", contenders, 41)


def bench_monai_224(race_here: Callable[..., None], sized: Callable[[Shape], Shape]) -> None:
    """Pass a channel-first array through the transform; MONAI has no CLAHE of its own."""
    pytest.importorskip("monai", reason="needs monai")
    from cxr_enhance.adapters.monai_transform import Enhance

    image = radiograph(sized(NETWORK_INPUT))[None]
    ours = Enhance(CLAHE_ALONE)
    np.testing.assert_array_equal(ours(image)[0], opencv_clahe(image[0]))
    contenders = {"Enhance": lambda: ours(image), "OpenCV": lambda: opencv_clahe(image[0])[None]}
    race_here("monai 224x224", contenders, 41)


def bench_albumentations_224(
    race_here: Callable[..., None], sized: Callable[[Shape], Shape]
) -> None:
    """Pass an array through the transform, albumentations' own CLAHE, and OpenCV."""
    albumentations = pytest.importorskip("albumentations", reason="needs albumentations")
    from cxr_enhance.adapters.albumentations_transform import Enhance

    image = radiograph(sized(NETWORK_INPUT))
    ours = Enhance(clip_limit=2.0, tile_grid_size=(8, 8), percentiles=None)
    theirs = albumentations.CLAHE(clip_limit=(2.0, 2.0), tile_grid_size=(8, 8), p=1)
    for function in (ours, theirs):
        np.testing.assert_array_equal(function(image=image)["image"], opencv_clahe(image))
    race_here(
        "albumentations 224x224",
        {
            "Enhance": lambda: ours(image=image),
            "albumentations' CLAHE": lambda: theirs(image=image),
            "OpenCV": lambda: opencv_clahe(image),
        },
        41,
    )
