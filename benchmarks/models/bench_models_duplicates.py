"""Search of near duplicates among 50,000 images, which compares every pair of hashes.

The hashes are random. The time hardly depends on their content, because almost all comparisons end
after half of the bits. Some hashes are made similar to others, and all of these pairs must be
found. Run it with ``pytest benchmarks/models/bench_models_duplicates.py``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.conftest import Row
from benchmarks.harness.measuring import Laps
from benchmarks.tables.targets import OURS
from cxr_models.records.duplicates import near_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT, PLANTED = 50_000, 100


def bench_near_pairs(record: Callable[..., None], timing: bool) -> None:
    rng = np.random.default_rng(50)
    count = COUNT if timing else COUNT // 10
    hashes = rng.integers(0, 2**64, size=(count, 4), dtype=np.uint64)
    hashes[count - PLANTED :] = hashes[:PLANTED] ^ np.uint64(0b1110111)
    began = time.perf_counter()
    pairs = near_pairs(hashes)
    seconds = time.perf_counter() - began
    assert pairs.tolist() == [[i, count - PLANTED + i] for i in range(PLANTED)]
    row = Row(
        operation="near duplicates", image=f"{count:,} hashes", nbytes=hashes.nbytes, pixels=0
    )
    record(row, OURS, Laps(durations=[seconds]))
