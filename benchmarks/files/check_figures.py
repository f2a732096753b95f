"""How often `cxr-enhance check` finds what, in images and in faults planted into them.

    python -m benchmarks.files.check_figures FOLDER [FOLDER ...]

Prints one JSON object: how many images have each finding, and of the images without a finding how
many have it once it is planted. Writing is planted by letters of at least 12 pixels and smaller
ones, on the image itself and on a black strip. Whether a finding in an untouched image is right,
only a look at it tells.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import cv2
import numpy as np

import cxr_enhance as cxe
from cxr_enhance.archive.findings import pixel_findings
from cxr_enhance.archive.plan import plan_files
from cxr_enhance.archive.task import is_image_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance._types import Image

_TEXTS = ("DOE JANE 1950-01-02", "PORTABLE AP", "12.03.2020 14:55", "ID 4711 M 054Y")
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX,
          cv2.FONT_HERSHEY_COMPLEX)  # fmt: skip
_LARGE_LETTER = 12  # pixels


def with_writing(gray: Image, rng: random.Random, *, on_black: bool) -> tuple[Image, int]:
    """Write a line near a corner; return the image and the height of its letters."""
    image = gray.copy() if gray.dtype == np.uint8 else (gray >> 8).astype(np.uint8)
    font, text = rng.choice(_FONTS), rng.choice(_TEXTS)
    target = max(rng.choice((0.015, 0.02, 0.03)) * max(image.shape), 7)
    thickness = max(int(target / 10), 1)
    scale = target / cv2.getTextSize("DOE", font, 1, thickness)[0][1]
    (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
    x = rng.choice((height, max(image.shape[1] - width - height, 0)))
    y = rng.choice((int(1.5 * height), image.shape[0] - height))
    if on_black:
        corner, opposite = (x - 4, y - height - 4), (x + width + 4, y + height // 3 + 4)
        cv2.rectangle(image, corner, opposite, 0, -1)
    cv2.putText(image, text, (x, y), font, scale, int(image.max()), thickness, cv2.LINE_AA)
    return image, height


def figures(paths: Sequence[str]) -> dict[str, object]:
    """Look at the images, and at what is planted into those without a finding."""
    rng = random.Random(1)
    found: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    seconds, pixels = 0.0, 0

    def plant(name: str, image: Image, kind: str) -> None:
        planted[name] += 1
        caught[name] += kind in pixel_findings(image)

    for path in paths:
        image = cxe.read_image(path)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        started = time.thread_time()
        kinds = pixel_findings(gray)
        seconds, pixels = seconds + time.thread_time() - started, pixels + gray.size
        found.update(kinds)
        if kinds:
            continue
        plant("inverted", np.iinfo(gray.dtype).max - gray, "inverted")
        for on_black in (False, True):
            written, height = with_writing(gray, rng, on_black=on_black)
            letters = "large" if height >= _LARGE_LETTER else "small"
            ground = "black" if on_black else "the image"
            plant(f"{letters} letters on {ground}", written, "burned-in-text")
    return {
        "images": len(paths), "megapixels": round(pixels / len(paths) / 1e6, 2),
        "ms": round(1000 * seconds / len(paths), 2), "found": dict(found),
        "planted": {name: f"{caught[name]} of {count}" for name, count in planted.items()},
    }  # fmt: skip


def main(folders: Sequence[str]) -> None:
    """Print the figures of all images below `folders`."""
    files = plan_files(folders, "none", ".csv").files
    cv2.setNumThreads(1)
    print(json.dumps(figures([f.source for f in files if is_image_name(f.source)]), indent=1))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
