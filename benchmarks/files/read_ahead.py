"""Gain by a thread that reads files ahead of the workers, for files not in the page cache.

``python -m benchmarks.files.read_ahead [FOLDER]`` prints JSON with milliseconds of wall time per
file. One contender has workers that read their own files, as `run` does; the other has one more
thread, which reads for all workers. They run in turns, and the best round of each counts. FOLDER
should be on the disk to test; the files made there are removed. The machine should do no other
work.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

import cxr_enhance as cxe
from benchmarks.files.archive_estimate import jpeg, native_dicom
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.task import encoded_output, result_image
from cxr_enhance.io.read import decode_image, read_if_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FILES, ROUNDS = 16, 5
JOB = Job(params=cxe.EnhanceParams(), long_side=1024)
SOURCES: dict[str, Callable[[int], bytes]] = {
    "native DICOM 2500 x 2048": lambda seed: native_dicom(2500, 2048, seed),
    "JPEG 2828 x 2320": lambda seed: jpeg(2828, 2320, seed),
}


def enhanced(data: bytes | None) -> int:
    """Do the work of a worker on the content of a file, except for writing; return the size."""
    assert data is not None
    image = result_image(decode_image(data, JOB.read), JOB, []).image
    return len(encoded_output(image, data, JOB, []))


def read_by_workers(paths: Sequence[str], threads: int) -> list[int]:
    """Enhance files in workers that each read their own files."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda path: enhanced(read_if_image(path, JOB.read)), paths))


def read_ahead(paths: Sequence[str], threads: int) -> list[int]:
    """Enhance files in workers while this thread reads at most two files per worker ahead."""
    room = threading.Semaphore(2 * threads)

    def work(data: bytes | None) -> int:
        try:
            return enhanced(data)
        finally:
            room.release()

    with ThreadPoolExecutor(threads) as pool:
        futures = []
        for path in paths:
            room.acquire()
            futures.append(pool.submit(work, read_if_image(path, JOB.read)))
        return [future.result() for future in futures]


def forget(paths: Sequence[str]) -> None:
    """Remove files from the page cache."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measure(paths: Sequence[str], threads: int) -> dict[str, float]:
    """Time both contenders, after a check that they give equal results."""
    ways = {"read by workers": read_by_workers, "read ahead": read_ahead}
    assert len({tuple(way(paths, threads)) for way in ways.values()}) == 1
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            forget(paths)
            began = time.perf_counter()
            way(paths, threads)
            best[name] = min(best[name], time.perf_counter() - began)
    return {name: round(1e3 * seconds / len(paths), 1) for name, seconds in best.items()}


if __name__ == "__main__":
    cv2.setNumThreads(1)
    measured = {}
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made_in:
        for source, make in SOURCES.items():
            files = [Path(made_in) / f"{number}" for number in range(FILES)]
            for number, file in enumerate(files):
                file.write_bytes(make(number % 4))
            os.sync()
            for count in (1, 2):
                measured[f"{source}, {count} threads"] = measure([*map(str, files)], count)
    sys.stdout.write(json.dumps(measured, indent=1) + "\n")
