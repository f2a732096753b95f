"""Batches on one and two threads, compared with a pool of threads that call OpenCV.

The threads of the OpenCV pool start before the clock; our threads start with each call. Each thread
of the pool works on whole images and has its own CLAHE object; the internal threads of OpenCV are
off. Two kinds of arithmetic are timed in the same rounds and show the speed-up that two threads of
this machine can reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import cxr_enhance as cxe
from benchmarks.conftest import Row
from benchmarks.harness import images, shapes
from benchmarks.harness.baselines import OpenCVPool
from benchmarks.harness.machine import IN_CHAIN, SIDE_BY_SIDE, yardsticks
from benchmarks.tables.targets import ONE_THREAD, OPENCV_ONE_THREAD, OPENCV_POOL, TWO_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.harness.shapes import Shape

EQUAL = {TWO_THREADS: 2, ONE_THREAD: 1, OPENCV_POOL: 2, OPENCV_ONE_THREAD: 1}
THREADS = {**EQUAL, IN_CHAIN[0]: 2, IN_CHAIN[1]: 1, SIDE_BY_SIDE[0]: 2, SIDE_BY_SIDE[1]: 1}
# Number of images that a thread of the OpenCV pool takes at once: some milliseconds of work.
AT_A_TIME = {shapes.SQUARE: 1, shapes.NETWORK_INPUT: 16}


@pytest.mark.parametrize("contender", THREADS)
@pytest.mark.parametrize("white_balance", [True, False], ids=["chain", "clahe"])
@pytest.mark.parametrize(
    ("count", "shape"),
    [(64, shapes.SQUARE), (512, shapes.NETWORK_INPUT)],
    ids=["64x1024x1024", "512x224x224"],
)
def bench_enhance_batch(
    race: Callable[..., None],
    sized: Callable[[Shape], Shape],
    timing: bool,
    count: int,
    shape: Shape,
    white_balance: bool,
    contender: str,
) -> None:
    stack = images.stack(count if timing else 8, sized(shape))
    params = cxe.EnhanceParams() if white_balance else cxe.EnhanceParams(percentiles=None)
    options = {"white_balance": white_balance, "at_a_time": AT_A_TIME[shape]}
    with OpenCVPool(2, **options) as two, OpenCVPool(1, **options) as one:
        race(
            Row(
                operation="enhance_batch" if white_balance else "enhance_batch, CLAHE alone",
                image=f"{count} images of {shapes.name(shape, np.uint8)}",
                nbytes=stack.nbytes,
                pixels=stack.size,
                threads=THREADS[contender],
            ),
            contender,
            {
                TWO_THREADS: lambda: cxe.enhance_batch(stack, params, num_threads=2),
                ONE_THREAD: lambda: cxe.enhance_batch(stack, params, num_threads=1),
                OPENCV_POOL: lambda: two.enhance(stack),
                OPENCV_ONE_THREAD: lambda: one.enhance(stack),
                **yardsticks(),
            },
            equal=EQUAL,
            images=count,
        )
