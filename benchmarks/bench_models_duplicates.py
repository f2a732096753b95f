"""Near duplicates among 50,000 images: every pair of hashes compared, which must take under 60 s.

Random hashes: the cost hardly depends on their content, for almost all pairs end at half the bits.
Some are made near to others, and all of those must be found. Run it with
``pytest benchmarks/bench_models_duplicates.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cxr_models.duplicates import near_pairs

COUNT, PLANTED, SECONDS = 50_000, 100, 60.0


@pytest.mark.benchmark(group="near duplicates|50,000 hashes")
def bench_near_pairs(benchmark: Any) -> None:
    rng = np.random.default_rng(50)
    count = COUNT if benchmark.enabled else COUNT // 10
    hashes = rng.integers(0, 2**64, size=(count, 4), dtype=np.uint64)
    hashes[count - PLANTED :] = hashes[:PLANTED] ^ np.uint64(0b1110111)
    pairs = benchmark.pedantic(near_pairs, args=(hashes,), rounds=1)
    assert pairs.tolist() == [[i, count - PLANTED + i] for i in range(PLANTED)]
    if benchmark.enabled:
        assert benchmark.stats.stats.median < SECONDS
