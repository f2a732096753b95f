"""How often `cxr-enhance check` gives each finding, for unchanged images and for planted faults.

    python -m benchmarks.files.check_figures FOLDER [FOLDER ...]

The command checks drawn radiographs and the images below the folders, and writes
``results/files/check.json``, from which ``python -m benchmarks.tables`` makes the tables of
docs/archives.md. ``--print`` prints the results instead. The results are the number of images with
each finding and, for images without a finding, the number of planted faults that are found. Nothing
of the files is stored. Whether a finding in an unchanged image is right can only be seen by looking
at the image. In drawn images every finding is wrong.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.files.check_faults import planted_faults, unequal_pixels
from cxr_enhance.archive.findings import pixel_findings
from cxr_enhance.archive.plan import plan_files
from cxr_enhance.archive.task import is_image_name
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.read import decode_image
from cxr_enhance.io.write import encode_image
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STORED = Path(__file__).parents[1] / "results" / "files" / "check.json"
DRAWN = 200
_KINDS_OF_FILE = (".png", ".jpg", ".tif")  # formats of the drawn images, in turn


def drawn_files(count: int) -> Iterator[bytes]:
    """Yield the file contents of drawn radiographs with various sizes, depths and opacities."""
    rng = random.Random(2)
    for seed in range(count):
        height, width = rng.randrange(300, 1500), rng.randrange(300, 1500)
        ending = _KINDS_OF_FILE[seed % len(_KINDS_OF_FILE)]
        bits = 8 if ending == ".jpg" or seed % 2 else 16
        opacity = rng.choice((0.0, 0.3, 0.8))
        image = synthetic_radiograph(height, width, seed=seed, bits=bits, opacity=opacity)
        yield bytes(encode_image(image, ending, 95))


def figures(files: Iterable[bytes]) -> dict[str, object]:
    """Count findings in images, and in faults planted into images without a finding.

    Parameters
    ----------
    files : iterable of bytes
        Contents of image files.
    """
    rng = random.Random(1)
    found: Counter[str] = Counter()
    planted: Counter[tuple[str, str]] = Counter()
    caught: Counter[tuple[str, str]] = Counter()
    count = clean = distinguished = pixels = 0
    seconds = 0.0
    for data in files:
        image = decode_image(data, ReadOptions()).image
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        started = time.thread_time()
        kinds = pixel_findings(gray)
        seconds, pixels, count = (
            seconds + time.thread_time() - started,
            pixels + gray.size,
            count + 1,
        )
        found.update(kinds)
        if kinds:
            continue
        clean += 1
        distinguished += unequal_pixels(gray)
        for fault in planted_faults(np.ascontiguousarray(gray), data, rng):
            planted[fault.finding, fault.fault] += 1
            caught[fault.finding, fault.fault] += fault.found
    return {
        "images": count,
        "megapixels": round(pixels / max(count, 1) / 1e6, 2),
        "ms": round(1000 * seconds / max(count, 1), 2),
        "found": dict(sorted(found.items())),
        "clean": clean,
        "told_apart_by_one_level": distinguished,
        "planted": [
            {"finding": finding, "fault": fault, "planted": number, "found": caught[finding, fault]}
            for (finding, fault), number in planted.items()
        ],
    }


def main(arguments: Sequence[str]) -> None:
    """Write or print the results for drawn images and for all images below folders."""
    folders = [argument for argument in arguments if argument != "--print"]
    planned = plan_files(folders, "none", ".csv").files if folders else ()
    paths = [Path(file.source) for file in planned if is_image_name(file.source)]
    cv2.setNumThreads(1)
    result = {"drawn": figures(drawn_files(DRAWN))}
    if paths:
        result["public"] = figures(path.read_bytes() for path in paths)
    text = json.dumps(result, indent=1) + "\n"
    if "--print" in arguments:
        sys.stdout.write(text)
    else:
        STORED.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
