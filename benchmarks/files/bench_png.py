"""PNG files written by ISA-L and by OpenCV: files per second, and CPU time of the steps of a file.

``python -m benchmarks.files.bench_png [FOLDER]`` measures runs over the JPEG and PNG images in
FOLDER, or over generated JPEG files, and over generated 12-bit DICOM files; it prints JSON. Both
contenders run the same code, with ``--compression fast`` and ``--compression small``. Their pixels
are compared first. The contenders run in turns and the best round of each counts. The CPU time of
this process is stored too, for machines that also do other work; compare it on one thread only.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

import cxr_enhance as cxe
from benchmarks.files.archive_estimate import jpeg, native_dicom, steps_of
from benchmarks.files.bench_archive import ROUNDS, enhance_all, images_in, judged
from cxr_enhance.archive.job import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

JOBS = {how: Job(params=cxe.EnhanceParams(), compression=how) for how in ("fast", "small")}
THREADS = (1, 2)


def generated_jpeg(folder: Path, count: int = 12) -> list[str]:
    """Write JPEG radiographs of several sizes and return their paths."""
    sizes = [(1024, 1024), (900, 1200), (1536, 1280), (2000, 1700)]
    paths = [folder / f"{index:03}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        path.write_bytes(jpeg(*sizes[index % len(sizes)], seed=index))
    return list(map(str, paths))


def generated_dicom(
    folder: Path, count: int = 8, size: tuple[int, int] = (2500, 2048)
) -> list[str]:
    """Write uncompressed 12-bit DICOM files and return their paths."""
    paths = [folder / f"{index:03}.dcm" for index in range(count)]
    for index, path in enumerate(paths):
        path.write_bytes(native_dicom(*size, seed=index))
    return list(map(str, paths))


def race(
    paths: Sequence[str], out: str, threads: int, rounds: int
) -> dict[str, tuple[float, float]]:
    """Time both compressions in turns; return the best seconds and best CPU seconds of each."""
    times: dict[str, list[tuple[float, float]]] = {how: [] for how in JOBS}
    for _ in range(rounds):
        for how, job in JOBS.items():
            wall, cpu = time.perf_counter(), time.process_time()
            enhance_all(paths, f"{out}/{how}", threads, job)
            times[how].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {how: (min(w for w, _ in each), min(c for _, c in each)) for how, each in times.items()}


def check_equal(paths: Sequence[str], out: str) -> dict[str, int]:
    """Check that both compressions give equal pixels; return the number of bytes of each."""
    for index in range(len(paths)):
        images = [cv2.imread(f"{out}/{how}/{index}.png", cv2.IMREAD_UNCHANGED) for how in JOBS]
        np.testing.assert_array_equal(*images)
    return {
        how: sum(os.path.getsize(f"{out}/{how}/{index}.png") for index in range(len(paths)))
        for how in JOBS
    }


def measure(kind: str, paths: Sequence[str], rounds: int) -> dict[str, float]:
    """Compare both compressions on one thread and on two.

    The names of the results begin with `kind`, the kind of file.
    """
    cv2.setNumThreads(1)
    found: dict[str, float] = {f"{kind}_files": len(paths)}
    with tempfile.TemporaryDirectory() as out:
        for how, job in JOBS.items():  # compiles and loads the code, and writes files to compare
            enhance_all(paths, f"{out}/{how}", 1, job)
        sizes = check_equal(paths, out)
        found[f"{kind}_size_fast_over_small"] = round(sizes["fast"] / sizes["small"], 3)
        for threads in THREADS:
            best = race(paths, out, threads, rounds)
            for how, (wall, _) in best.items():
                found[f"{kind}_{how}_{threads}_files_per_s"] = round(len(paths) / wall, 1)
            ratios = np.array(best["small"]) / np.array(best["fast"])
            found[f"{kind}_fast_over_small_{threads}"] = round(float(ratios[0]), 2)
            if threads == 1:
                found[f"{kind}_fast_over_small_cpu"] = round(float(ratios[1]), 2)
    return found


def where_the_time_goes(paths: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the percentage of each step in the CPU time of files, for both compressions."""
    shares = {}
    for how, job in JOBS.items():
        times = np.sum([steps_of(Path(path).read_bytes(), job)[0] for path in paths], axis=0)
        percent = 100 * times / times.sum()
        shares[how] = dict(
            zip(("decode", "enhance", "encode"), np.round(percent, 1).tolist(), strict=True)
        )
    return shares


def bench_png_smoke(tmp_path: Path) -> None:
    """Check without timing that both compressions give equal pixels, for JPEG and DICOM."""
    found = measure("jpeg", generated_jpeg(tmp_path, 2), 1)
    found |= measure("dicom", generated_dicom(tmp_path, 1, (250, 200)), 1)
    assert found["jpeg_files"] == 2
    assert found["dicom_files"] == 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        groups = {
            "jpeg": images_in(Path(sys.argv[1])) if sys.argv[1:] else generated_jpeg(folder),
            "dicom": generated_dicom(folder),
        }
        figures: dict[str, float] = {}
        for name, chosen in groups.items():
            figures |= measure(name, chosen, ROUNDS)
        result = {
            **figures,
            "percent_of_the_time": {
                name: where_the_time_goes(chosen) for name, chosen in groups.items()
            },
            "targets": judged(figures),
        }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
