"""Each operation compared with OpenCV and with the notebook, on one thread.

OpenCV's CLAHE object is made before the clock starts. The notebook's chain makes a CLAHE object in
each call, as the notebook does. Grids are (columns, rows).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pytest

import cxr_enhance as cxe
from benchmarks.conftest import Row
from benchmarks.harness import baselines, images, shapes
from benchmarks.tables.targets import NOTEBOOK, OPENCV, OURS, OURS_BY_BINS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.harness.shapes import Shape
    from cxr_enhance._types import Image


class Depth(NamedTuple):
    """Type of the pixels, and the number of bits that their values use."""

    dtype: type[np.unsignedinteger]
    bits: int
    content: str = ""


BINS = 256  # the tests compare results with bins to a slow reference
U8 = Depth(np.uint8, 8)
U16_OF_12_BITS = Depth(np.uint16, 12, "12-bit content")
U16_FULL = Depth(np.uint16, 16, "16-bit content")

CLAHE_IMAGES = [
    pytest.param(shape, depth, id=shapes.name(shape, *depth[::2]).replace(" ", "-"))
    for shape, depth in (
        (shapes.NETWORK_INPUT, U8),
        (shapes.SQUARE, U8),
        (shapes.DETECTOR, U8),
        (shapes.DETECTOR, U16_OF_12_BITS),
        (shapes.DETECTOR, U16_FULL),
    )
]


def row_of(operation: str, image: Image, description: str) -> Row:
    """Return the row of a race on `image`."""
    height, width = image.shape[:2]
    return Row(operation=operation, image=description, nbytes=image.nbytes, pixels=height * width)


@pytest.mark.parametrize("contender", [OURS, OURS_BY_BINS, OPENCV])
@pytest.mark.parametrize("grid", [(8, 8), (16, 16)], ids=["grid8x8", "grid16x16"])
@pytest.mark.parametrize(("shape", "depth"), CLAHE_IMAGES)
def bench_clahe(
    race: Callable[..., None],
    sized: Callable[[Shape], Shape],
    shape: Shape,
    depth: Depth,
    grid: tuple[int, int],
    contender: str,
) -> None:
    image = images.radiograph(sized(shape), depth.bits)
    description = shapes.name(shape, depth.dtype, depth.content)
    opencv = baselines.opencv_clahe(grid)
    clahe = functools.partial(
        cxe.clahe, image, clip_limit=baselines.CLIP_LIMIT, tile_grid_size=grid
    )
    contenders: dict[str, Callable[[], Image]] = {
        OURS: clahe,
        OPENCV: lambda: opencv.apply(image),
    }
    if depth.dtype is np.uint16:
        contenders[OURS_BY_BINS] = functools.partial(clahe, num_bins=BINS)
    elif contender == OURS_BY_BINS:
        pytest.skip("uint8 has no more values than that")
    race(
        row_of("clahe", image, f"{description}, {shapes.grid_name(grid)}"),
        contender,
        contenders,
        equal=[OPENCV],
    )


@pytest.mark.parametrize("contender", [OURS, NOTEBOOK, OPENCV])
@pytest.mark.parametrize(
    ("shape", "depth"),
    [
        pytest.param(shapes.SQUARE, U8, id="uint8-1024x1024"),
        pytest.param(shapes.DETECTOR, U16_OF_12_BITS, id="uint16-2048x2500-12-bit-content"),
    ],
)
def bench_white_balance_of_one_channel(
    race: Callable[..., None],
    sized: Callable[[Shape], Shape],
    shape: Shape,
    depth: Depth,
    contender: str,
) -> None:
    image = images.radiograph(sized(shape), depth.bits)
    description = shapes.name(shape, *depth[::2])
    race(
        row_of("white_balance", image, f"{description}, one channel"),
        contender,
        {
            OURS: lambda: cxe.white_balance(image),
            NOTEBOOK: lambda: baselines.notebook_white_balance(image),
            OPENCV: lambda: baselines.apply_stretch_table(image),
        },
    )


@pytest.mark.parametrize("contender", [OURS, NOTEBOOK])
def bench_white_balance_of_three_channels(
    race: Callable[..., None], sized: Callable[[Shape], Shape], contender: str
) -> None:
    image = images.unequal_channels(sized(shapes.SQUARE))
    race(
        row_of("white_balance", image, f"{shapes.name(shapes.SQUARE, np.uint8)}, three channels"),
        contender,
        {
            OURS: lambda: cxe.white_balance(image),
            NOTEBOOK: lambda: baselines.notebook_white_balance(image),
        },
    )


@pytest.mark.parametrize("contender", [OURS, OPENCV])
def bench_gray(race: Callable[..., None], sized: Callable[[Shape], Shape], contender: str) -> None:
    image = images.unequal_channels(sized(shapes.SQUARE))
    race(
        row_of("rgb_to_gray", image, shapes.name(shapes.SQUARE, np.uint8)),
        contender,
        {
            OURS: lambda: cxe.rgb_to_gray(image),
            OPENCV: lambda: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY),
        },
    )


@pytest.mark.parametrize("contender", [OURS, NOTEBOOK])
@pytest.mark.parametrize("shape", [shapes.NETWORK_INPUT, shapes.SQUARE], ids=["224", "1024"])
@pytest.mark.parametrize("channels", ["equal", "unequal"])
def bench_enhance_of_three_channels(
    race: Callable[..., None],
    sized: Callable[[Shape], Shape],
    channels: str,
    shape: Shape,
    contender: str,
) -> None:
    draw = images.equal_channels if channels == "equal" else images.unequal_channels
    image = draw(sized(shape))
    race(
        row_of("enhance", image, f"{shapes.name(shape, np.uint8)}, three {channels} channels"),
        contender,
        {
            OURS: lambda: cxe.enhance(image),
            NOTEBOOK: lambda: baselines.notebook_chain(image),
        },
    )


@pytest.mark.parametrize("contender", [OURS, OURS_BY_BINS, OPENCV, NOTEBOOK])
@pytest.mark.parametrize(
    ("shape", "depth"),
    [
        pytest.param(shapes.NETWORK_INPUT, U8, id="uint8-224x224"),
        pytest.param(shapes.SQUARE, U8, id="uint8-1024x1024"),
        pytest.param(shapes.DETECTOR, U16_OF_12_BITS, id="uint16-2048x2500-12-bit-content"),
        pytest.param(shapes.DETECTOR, U16_FULL, id="uint16-2048x2500-16-bit-content"),
    ],
)
def bench_enhance_of_one_channel(
    race: Callable[..., None],
    sized: Callable[[Shape], Shape],
    shape: Shape,
    depth: Depth,
    contender: str,
) -> None:
    image = images.radiograph(sized(shape), depth.bits)
    description = shapes.name(shape, *depth[::2])
    opencv = baselines.opencv_clahe()
    every_value = cxe.EnhanceParams(num_bins=None)
    contenders: dict[str, Callable[[], Image]] = {
        OURS: lambda: cxe.enhance(image, every_value),
        OPENCV: lambda: baselines.opencv_chain(image, opencv),
        NOTEBOOK: lambda: baselines.notebook_chain(image),
    }
    if depth.dtype is np.uint16:
        contenders[OURS_BY_BINS] = lambda: cxe.enhance(image)
    elif contender == OURS_BY_BINS:
        pytest.skip("uint8 has no more values than that")
    race(
        row_of("enhance", image, f"{description}, one channel"),
        contender,
        contenders,
        equal=[OPENCV, NOTEBOOK],
    )
