"""How much one call raises the peak memory of a process, besides the memory of its output.

Each call runs in a separate process, in which the code has run once before. The stored time is the
time of this one call in newly allocated memory; `bench_scaling.py` measures times properly.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.conftest import Row
from benchmarks.harness import shapes
from benchmarks.harness.measuring import Laps
from benchmarks.harness.processes import json_of_module
from benchmarks.tables.targets import OPENCV, OURS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROCESSES = 2
SIDES = (1024, 2048, 4096, 8192)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
@pytest.mark.parametrize("contender", [OURS, OPENCV])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("operation", ["clahe", "enhance"])
def bench_peak_memory(
    record: Callable[..., None],
    private_cache: Path,
    timing: bool,
    operation: str,
    side: int,
    contender: str,
) -> None:
    if not timing and side != SIDES[0]:
        pytest.skip("a smoke run measures the smallest image")
    answers = [
        json_of_module(
            private_cache, "benchmarks.harness.measure_memory", operation, contender, str(side)
        )
        for _ in range(PROCESSES if timing else 1)
    ]
    largest = max(answers, key=lambda answer: answer["extra_bytes"])
    record(
        Row(
            operation=f"peak memory of {operation}",
            image=shapes.name((side, side), "uint8"),
            nbytes=side * side,
            pixels=side * side,
        ),
        contender,
        Laps(durations=[answer["seconds"] for answer in answers]),
        extra_bytes=largest["extra_bytes"],
        output_bytes=largest["output_bytes"],
        bytes_beside_output=largest["extra_bytes"] - largest["output_bytes"],
        megapixels=shapes.megapixels((side, side)),
    )
