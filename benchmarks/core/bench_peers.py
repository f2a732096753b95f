"""CLAHE of other libraries; only albumentations, which calls OpenCV, gives the bytes of OpenCV.

Each library gets the image in its preferred form, converted before the clock starts, and its
equivalent of OpenCV's clip limit 2.0. The results contain the time of each library and the
difference of its output to OpenCV's. Our output is asserted to equal OpenCV's. Every library uses
one thread.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

import cxr_enhance as cxe
from benchmarks.conftest import Row
from benchmarks.harness import images, shapes
from benchmarks.harness.baselines import CLIP_LIMIT, opencv_clahe
from benchmarks.tables.targets import OPENCV, OURS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from benchmarks.harness.shapes import Shape
    from cxr_enhance._types import ImageU8

# Deprecation warnings within other libraries do not fail these benchmarks.
pytestmark = pytest.mark.filterwarnings("default")

GRID = (8, 8)


class Work(NamedTuple):
    """A function to time, and a function that converts its result to levels 0..255."""

    run: Callable[[], Any]
    levels: Callable[[Any], npt.NDArray[np.uint8]]


def scikit_image(image: ImageU8) -> Work:
    """Return the work of ``equalize_adapthist``.

    Its clip limit is a fraction of the pixels of a tile, and its result is a float array.
    """
    from skimage.exposure import equalize_adapthist

    columns, rows = GRID
    tile = (image.shape[0] // rows, image.shape[1] // columns)
    limit = CLIP_LIMIT / 256
    return Work(
        lambda: equalize_adapthist(image, kernel_size=tile, clip_limit=limit, nbins=256),
        lambda result: np.rint(result * 255).astype(np.uint8),
    )


def albumentations(image: ImageU8) -> Work:
    """Return the work of ``CLAHE``, with probability 1."""
    # Without this variable, importing albumentations makes a network request.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    from albumentations import CLAHE

    transform = CLAHE(clip_limit=(CLIP_LIMIT, CLIP_LIMIT), tile_grid_size=GRID, p=1.0)
    return Work(lambda: transform(image=image)["image"], lambda result: result)


def kornia(image: ImageU8) -> Work:
    """Return the work of ``equalize_clahe`` on a float tensor 0..1."""
    import torch
    from kornia.enhance import equalize_clahe

    torch.set_num_threads(1)
    tensor = torch.from_numpy(image[np.newaxis, np.newaxis] / np.float32(255))

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return equalize_clahe(tensor, clip_limit=CLIP_LIMIT, grid_size=GRID[::-1])

    return Work(
        run, lambda result: np.rint(result.numpy()[0, 0] * np.float32(255)).astype(np.uint8)
    )


def keras(image: ImageU8) -> Work:
    """Return the work of ``ContrastLimitedAdaptiveHistogramEqualization`` on a batch of one."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras import backend, layers, ops

    if backend.backend() == "tensorflow":
        import tensorflow

        try:
            tensorflow.config.threading.set_intra_op_parallelism_threads(1)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:  # TensorFlow made its threads before, in this process
            pass
    layer = layers.ContrastLimitedAdaptiveHistogramEqualization(
        value_range=(0, 255), clip_limit=CLIP_LIMIT, tile_grid_size=GRID[::-1]
    )
    batch = ops.convert_to_tensor(image[np.newaxis, :, :, np.newaxis], "float32")
    return Work(
        lambda: layer(batch),
        lambda result: np.rint(ops.convert_to_numpy(result)[0, :, :, 0]).astype(np.uint8),
    )


class Peer(NamedTuple):
    """A library: its packages and modules, which must be installed, and its work."""

    packages: tuple[str, ...]
    modules: tuple[str, ...]
    work: Callable[[ImageU8], Work]


PEERS = {
    "scikit-image": Peer(("scikit-image",), ("skimage",), scikit_image),
    "albumentations": Peer(("albumentations",), ("albumentations",), albumentations),
    "kornia": Peer(("kornia", "torch"), ("kornia", "torch"), kornia),
    "Keras layer": Peer(("keras",), ("keras",), keras),
}


def missing(peer: Peer) -> str:
    """Return why a library cannot be timed; the empty string if it can."""
    for module in peer.modules:
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed"
    if "keras" in peer.modules:
        try:
            layers = importlib.import_module("keras").layers
        except ImportError as error:
            return f"keras has no backend: {error}"
        if not hasattr(layers, "ContrastLimitedAdaptiveHistogramEqualization"):
            return "this Keras has no CLAHE layer"
    return ""


@pytest.fixture(scope="session")
def absent() -> dict[str, str]:
    """Return for each library why it cannot be timed; the empty string if it can."""
    return {name: missing(peer) for name, peer in PEERS.items()}


@pytest.mark.parametrize("contender", [OURS, OPENCV, *PEERS])
@pytest.mark.parametrize("shape", [shapes.NETWORK_INPUT, shapes.SQUARE], ids=["224", "1024"])
def bench_peers(
    race: Callable[..., None],
    sized: Callable[[Shape], Shape],
    absent: dict[str, str],
    shape: Shape,
    contender: str,
) -> None:
    if absent.get(contender):
        pytest.skip(absent[contender])
    image = images.radiograph(sized(shape)).copy()
    opencv = opencv_clahe(GRID)
    works = {name: peer.work(image) for name, peer in PEERS.items() if not absent[name]}
    figures: dict[str, object] = {"largest_difference": 0}
    if contender in works:
        work = works[contender]
        distance = np.abs(work.levels(work.run()).astype(int) - opencv.apply(image))
        figures = {
            "largest_difference": int(distance.max()),
            "pixels_that_differ": float(np.count_nonzero(distance) / distance.size),
            "same_bytes_as_opencv": not distance.any(),
        }
    race(
        Row(
            operation="clahe of other libraries",
            image=f"{shapes.name(shape, np.uint8)}, {shapes.grid_name(GRID)}",
            nbytes=image.nbytes,
            pixels=image.size,
        ),
        contender,
        {
            OURS: lambda: cxe.clahe(image, clip_limit=CLIP_LIMIT, tile_grid_size=GRID),
            OPENCV: lambda: opencv.apply(image),
            **{name: work.run for name, work in works.items()},
        },
        equal=(OPENCV,),
        packages=PEERS[contender].packages if contender in PEERS else (),
        **figures,
    )
