"""Time per megapixel for 0.05 to 900 megapixels, and files per second for 100 to a million files.

``python -m benchmarks.core.growth [--most-files N] [--folder DIR]`` measures and writes
``benchmarks/results/core/growth.json`` and the picture of docs/performance.md. The files are links
to a drawn radiograph of 64 x 64 pixels, as PNG, so that the cost of a file besides its pixels is
visible. `DIR` needs space for as many outputs. A million files take about ten minutes on two cores.
``--draw`` draws the picture again from the stored results.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import cxr_enhance as cxe
from benchmarks.harness import baselines
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[2]
STORED = ROOT / "benchmarks" / "results" / "core" / "growth.json"
PICTURE = ROOT / "docs" / "images" / "growth.png"
MEGAPIXELS = (0.05, 0.2, 1, 4, 16, 64, 225, 900)
FILES = (100, 1_000, 10_000, 100_000, 1_000_000)
_ROUNDS = 5
_PIXELS_A_ROUND = 4e6  # least pixels of a round: small images are enhanced several times
_IN_A_FOLDER = 1_000  # number of files in a folder


def by_pixels(megapixels: Sequence[float]) -> list[dict[str, float]]:
    """Time `enhance` and OpenCV's chain in turns on gray uint8 images, on one thread.

    Each row contains a size and the seconds per megapixel of both.
    """
    cv2.setNumThreads(1)
    tile = synthetic_radiograph(2048, 2048)
    opencv = baselines.opencv_clahe()
    rows = []
    for size in megapixels:
        side = round((size * 1e6) ** 0.5)
        times = -(-side // tile.shape[0])
        image = np.ascontiguousarray(np.tile(tile, (times, times))[:side, :side])
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda image=image: cxe.enhance(image),
            "opencv": lambda image=image: baselines.opencv_chain(image, opencv),
        }
        np.testing.assert_array_equal(ways["ours"](), ways["opencv"]())
        calls = max(round(_PIXELS_A_ROUND / side**2), 1)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            for name, way in ways.items():
                start = time.perf_counter()
                for _ in range(calls):
                    way()
                seconds[name].append((time.perf_counter() - start) / calls)
        per_megapixel = {
            name: statistics.median(found) / (side**2 / 1e6) for name, found in seconds.items()
        }
        rows.append({"megapixels": side**2 / 1e6, **per_megapixel})
        sys.stderr.write(f"{rows[-1]}\n")
    return rows


def by_files(counts: Sequence[int], folder: Path) -> list[dict[str, float]]:
    """Time `cxr-enhance run` over each number of files, and a second run with no work left.

    Each row contains the number of files and the files per second of both runs.
    """
    from cxr_enhance.cli import main

    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            source, out = Path(temporary, "files"), Path(temporary, "out")
            image = Path(temporary, "image.png")
            cxe.write_image(image, synthetic_radiograph(64, 64))
            for i in range(count):
                if i % _IN_A_FOLDER == 0:
                    inner = source / f"{i // _IN_A_FOLDER:06}"
                    inner.mkdir(parents=True)
                    linked = inner / "first.png"
                    shutil.copy(image, linked)  # a file can have 65,000 links at most
                    continue
                os.link(linked, inner / f"{i:08}.png")
            row: dict[str, float] = {"files": count}
            for name in ("run", "run_again"):
                start = time.perf_counter()
                try:
                    status = main(["run", str(source), "--out", str(out), "--quiet"])
                except SystemExit as end:
                    status = end.code
                if status:
                    raise SystemExit(f"cxr-enhance run ended with status {status}.")
                row[name] = count / (time.perf_counter() - start)
            rows.append(row)
            sys.stderr.write(f"{row}\n")
    return rows


def draw(stored: dict[str, Any]) -> None:
    """Draw both results in one picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    pixels, files = stored["by_pixels"], stored["by_files"]
    for name, label in (("opencv", "OpenCV's chain"), ("ours", "enhance")):
        left.plot(
            [row["megapixels"] for row in pixels],
            [row[name] * 1e3 for row in pixels],
            marker="o",
            label=label,
        )
    left.set(xscale="log", xlabel="megapixels of the image", ylabel="ms a megapixel, one thread")
    left.set_ylim(bottom=0)
    for name, label in (("run_again", "all done before"), ("run", "all to do")):
        right.plot(
            [row["files"] for row in files], [row[name] for row in files], marker="o", label=label
        )
    right.set(xscale="log", yscale="log", xlabel="files", ylabel="files a second, two threads")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(PICTURE, dpi=110)


def main() -> int:
    """Measure, store and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--most-files", type=int, default=FILES[-1], metavar="N")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), metavar="DIR")
    parser.add_argument("--draw", action="store_true", help="draw what is stored")
    words = parser.parse_args()
    if not words.draw:
        counts = [count for count in FILES if count <= words.most_files]
        stored = {
            "versions": {"cxr_enhance": cxe.__version__, "numpy": np.__version__},
            "cpus": cxe.usable_cpus(),
            "by_pixels": by_pixels(MEGAPIXELS),
            "by_files": by_files(counts, words.folder),
        }
        STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    draw(json.loads(STORED.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
