"""Time per megapixel from 1 to 64 megapixels, for ours and OpenCV; all sizes run in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import cxr_enhance as cxe
from benchmarks.conftest import Row
from benchmarks.harness import baselines, images, shapes
from benchmarks.tables.targets import OPENCV, OURS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.harness.shapes import Shape

SIDES = (1024, 2048, 4096, 8192)
CONTENDERS = {
    f"{who}, {shapes.megapixels((side, side)):.0f} MP": (who, side)
    for side in SIDES
    for who in (OURS, OPENCV)
}


@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("operation", ["clahe", "enhance"])
def bench_scaling(
    race: Callable[..., None], sized: Callable[[Shape], Shape], operation: str, contender: str
) -> None:
    pictures = {side: images.large(sized((side, side))) for side in SIDES}
    opencv = baselines.opencv_clahe()
    work: dict[tuple[str, str], Callable[..., object]] = {
        ("clahe", OURS): cxe.clahe,
        ("enhance", OURS): cxe.enhance,
        ("clahe", OPENCV): opencv.apply,
        ("enhance", OPENCV): lambda image: baselines.opencv_chain(image, opencv),
    }

    def contender_of(who: str, side: int) -> Callable[[], object]:
        return lambda: work[operation, who](pictures[side])

    side = CONTENDERS[contender][1]
    race(
        Row(
            operation=f"scaling of {operation}",
            image="uint8, 1 to 64 megapixels",
            nbytes=pictures[side].nbytes,
            pixels=pictures[side].size,
        ),
        contender,
        {name: contender_of(*of) for name, of in CONTENDERS.items()},
        equal=(),
        megapixels=shapes.megapixels((side, side)),
    )
