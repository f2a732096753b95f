"""Print, as JSON, how much one call raises the peak memory of this process.

``python -m benchmarks.harness.measure_memory clahe cxr_enhance 8192`` makes a square uint8 image
with sides of 8192 pixels. It first calls the operation on a small image with one tile, so that the
code is in memory and almost no scratch memory can be reused. Then it measures one call on the large
image. The module needs Linux.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS = Path("/proc/self/status")
GRID = (16, 16)


def status_bytes(field: str) -> int:
    """Return a field of the memory status of this process, in bytes."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS} must hold {field}; got none.")


def forget_peak() -> None:
    """Reset the recorded peak to the memory in use, if the system allows it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def operation_of(name: str, contender: str, grid: tuple[int, int]) -> Callable[[Any], Any]:
    """Return the operation of a contender; import only the packages of this contender."""
    if contender == "cxr_enhance":
        import cxr_enhance

        if name == "clahe":
            return functools.partial(cxr_enhance.clahe, tile_grid_size=grid)
        params = cxr_enhance.EnhanceParams(tile_grid_size=grid)
        return lambda image: cxr_enhance.enhance(image, params)
    import cv2

    from benchmarks.harness.baselines import opencv_chain, opencv_clahe

    cv2.setNumThreads(1)
    clahe = opencv_clahe(grid)
    return {"clahe": clahe.apply, "enhance": lambda image: opencv_chain(image, clahe)}[name]


def main(name: str, contender: str, side: str) -> None:
    """Measure one call and print the result."""
    operation = operation_of(name, contender, GRID)
    operation_on_one_tile = operation_of(name, contender, (1, 1))
    size = int(side)
    image = np.empty((size, size), np.uint8)
    image[:] = np.arange(size, dtype=np.uint32).astype(np.uint8)
    operation_on_one_tile(np.ascontiguousarray(image[:64, :64]))
    forget_peak()
    before = status_bytes("VmRSS")
    start = time.perf_counter()
    result = operation(image)
    seconds = time.perf_counter() - start
    extra = status_bytes("VmHWM") - before
    answer = {"seconds": seconds, "extra_bytes": extra, "output_bytes": result.nbytes}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
