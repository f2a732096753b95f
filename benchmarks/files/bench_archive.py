"""Archives of files: time that enhancement adds to decoding and encoding, threads, and memory.

``python -m benchmarks.files.bench_archive [FOLDER]`` measures with the images in FOLDER, or with
generated images, and prints JSON. ``--memory`` measures memory over 20,000 generated files instead.
The contenders run in turns and the best round of each counts, so that other work on the machine
affects all of them. The notebook swaps red and blue, so results of files with unequal channels
differ from the notebook's. All contenders write lossless PNG: the notebook with OpenCV's defaults,
ours as `run` does. OpenCV's threads are off for all.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

import cxr_enhance as cxe
from benchmarks.tables.targets import ARCHIVES_AT_LEAST, ARCHIVES_AT_MOST
from cxr_enhance._engine.png_rows import filtered_rows
from cxr_enhance.archive.engines.local import LocalEngine
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.planned_files import PlannedFile
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.read import decode_image
from cxr_enhance.io.write import encode_image
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_enhance.archive.outcome import Outcome

JOB = Job(params=cxe.EnhanceParams())
ROUNDS = 5
MEMORY_FILES = 20_000


def generated(folder: Path, count: int = 24) -> list[str]:
    """Write drawn radiographs with typical sizes of PNG and JPEG archives; return their paths."""
    sizes = [(1024, 1024), (900, 1200), (1536, 1280), (2000, 1700)]
    paths = []
    for index in range(count):
        height, width = sizes[index % len(sizes)]
        path = folder / f"{index:03}{('.png', '.jpg')[index % 2]}"
        cxe.write_image(path, synthetic_radiograph(height, width, seed=index))
        paths.append(str(path))
    return paths


def images_in(folder: Path) -> list[str]:
    """Return the PNG and JPEG files below a folder; the notebook reads only 8-bit images."""
    suffixes = (".png", ".jpg", ".jpeg")
    return sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in suffixes)


def enhance_all(paths: Sequence[str], out: str, threads: int, job: Job = JOB) -> None:
    """Enhance files with the local engine."""
    files = (PlannedFile(path, f"{out}/{i}.png", True, True) for i, path in enumerate(paths))
    outcomes: list[Outcome] = []

    def record(outcome: Outcome) -> bool:
        outcomes.append(outcome)
        return False

    LocalEngine(threads).run(files, job, None, record)
    assert all(outcome.status == "written" for outcome in outcomes), outcomes


def transcode_all(
    paths: Sequence[str], enhanced: Sequence[np.ndarray], out: str, threads: int
) -> None:
    """Decode each file and encode its enhanced image: all work except for the enhancement."""

    def transcode(index: int) -> None:
        decode_image(Path(paths[index]).read_bytes(), ReadOptions())
        Path(f"{out}/{index}.png").write_bytes(
            encode_image(enhanced[index], ".png", 95, filtered_rows)
        )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(transcode, range(len(paths))))


def notebook_one(job: tuple[str, str]) -> None:
    """Enhance one file with the code of the study's notebook."""
    path, target = job
    channels = []
    for channel in cv2.split(cv2.imread(path)):
        low, high = np.percentile(channel, 0.05), np.percentile(channel, 99.95)
        channels.append(np.uint8(np.clip((channel - low) * 255.0 / (high - low), 0, 255)))
    gray = cv2.cvtColor(cv2.merge(channels), cv2.COLOR_RGB2GRAY)
    cv2.imwrite(target, cv2.createCLAHE(clipLimit=2.0, tileGridSize=(16, 16)).apply(gray))


def one_thread() -> None:
    """Switch OpenCV's own threads off, in this process or in a worker."""
    cv2.setNumThreads(1)


def race(contenders: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Time contenders in turns; return the best time of each, in seconds."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    return {name: min(each) for name, each in times.items()}


def measure(paths: Sequence[str], rounds: int) -> dict[str, float]:
    """Compare the local engine with decoding and encoding alone, and with the notebook."""
    one_thread()
    enhanced = [cxe.enhance(cxe.read_image(path)) for path in paths]
    pixels = sum(image.size for image in enhanced)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as out, context.Pool(2, one_thread) as pool:
        jobs = [(path, f"{out}/n{i}.png") for i, path in enumerate(paths)]
        pool.map(notebook_one, jobs, chunksize=1)  # starts the processes before the clock
        enhance_all(paths, out, 2)
        same = [
            np.array_equal(cv2.imread(f"{out}/{i}.png", 0), cv2.imread(target, 0))
            for i, (_, target) in enumerate(jobs)
        ]
        best = race(
            {
                "enhance_1": lambda: enhance_all(paths, out, 1),
                "enhance_2": lambda: enhance_all(paths, out, 2),
                "transcode_1": lambda: transcode_all(paths, enhanced, out, 1),
                "transcode_2": lambda: transcode_all(paths, enhanced, out, 2),
                "notebook_2": lambda: pool.map(notebook_one, jobs, chunksize=1) and None,
            },
            rounds,
        )
        written = sum(os.path.getsize(f"{out}/{i}.png") for i in range(len(paths)))
    return {
        "files": len(paths),
        "equal_to_notebook": sum(same),
        "megapixels": round(pixels / 1e6, 1),
        "input_mb": round(sum(map(os.path.getsize, paths)) / 1e6, 1),
        "output_mb": round(written / 1e6, 1),
        **{f"{name}_files_per_s": round(len(paths) / seconds, 1) for name, seconds in best.items()},
        "enhancing_adds_1": round(best["enhance_1"] / best["transcode_1"] - 1, 3),
        "enhancing_adds_2": round(best["enhance_2"] / best["transcode_2"] - 1, 3),
        "two_threads_over_one": round(best["enhance_1"] / best["enhance_2"], 2),
        "over_notebook": round(best["notebook_2"] / best["enhance_2"], 2),
    }


def judged(figures: dict[str, float]) -> dict[str, str]:
    """Return, for each value with a target, whether the target is held."""
    found = {}
    for name, figure in figures.items():
        if name in ARCHIVES_AT_LEAST:
            least = ARCHIVES_AT_LEAST[name]
            found[name] = f"{'held' if figure >= least else 'MISSED'}: at least {least}"
        if name in ARCHIVES_AT_MOST:
            most = ARCHIVES_AT_MOST[name]
            found[name] = f"{'held' if figure <= most else 'MISSED'}: at most {most}"
    return found


def measure_memory(folder: Path, count: int) -> dict[str, float]:
    """Run the command over `count` files; compare its memory in both halves of the run."""
    data = encode_image(synthetic_radiograph(128, 128), ".png", 95)
    (folder / "in").mkdir()
    for index in range(count):
        (folder / "in" / f"{index}.png").write_bytes(data)
    command = [sys.executable, "-m", "cxr_enhance", "run", str(folder / "in"), "--quiet"]
    running = subprocess.Popen([*command, "--threads", "2", "--out", str(folder / "out")])
    manifest, samples = folder / "out" / "manifest.jsonl", []
    while running.poll() is None:
        time.sleep(0.1)
        try:
            resident = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1]) * 4 / 1024
            samples.append((manifest.stat().st_size, resident))
        except (OSError, IndexError):
            continue
    assert running.returncode == 0
    middle = samples[-1][0] / 2
    # Only the second part of the first half counts, because all code is loaded by then.
    first = statistics.median(mib for size, mib in samples if middle / 2 < size <= middle)
    last = statistics.median(mib for size, mib in samples if size > middle)
    return {"files": count, "first_half_mib": round(first, 1), "last_half_mib": round(last, 1),
            "growth": round(last / first - 1, 4)}  # fmt: skip


def bench_archive_smoke(tmp_path: Path) -> None:
    """Run every contender without timing, and check that our pixels equal the notebook's."""
    (tmp_path / "in").mkdir()
    found = measure(generated(tmp_path / "in", 2), 1)
    assert found["equal_to_notebook"] == found["files"] == 2


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        if sys.argv[1:] == ["--memory"]:
            result = measure_memory(Path(scratch), MEMORY_FILES)
        else:
            chosen = images_in(Path(sys.argv[1])) if sys.argv[1:] else generated(Path(scratch))
            result = measure(chosen, ROUNDS)
    sys.stdout.write(json.dumps({**result, "targets": judged(result)}, indent=1) + "\n")
