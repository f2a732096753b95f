"""Effect of CLAHE's clip limit on 16-bit radiographs: contrast, gray levels, and a picture.

``python -m benchmarks.core.sixteen_bit FILE...`` measures a drawn radiograph and each 16-bit file
(DICOM or PNG). It writes ``benchmarks/results/core/sixteen-bit.json`` and the picture of
docs/sixteen-bit.md, which shows the last file. No times are measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Image = npt.NDArray[np.unsignedinteger[Any]]

ROOT = Path(__file__).parents[2]
STORED = ROOT / "benchmarks" / "results" / "core" / "sixteen-bit.json"
PICTURES = ROOT / "docs" / "images"
LIMITS = (1.0, 2.0, 4.0, 8.0, 16.0)
WAYS = {
    "every value, as OpenCV": {"num_bins": None},
    "`bit_shift=8`": {"bit_shift": 8},
    "256 bins, the default": {},
}
_SQUARE = 31  # side of the window of local contrast, in pixels
_PANEL = 300  # side of a panel of the picture, in pixels


def local_contrast(image: Image, white: int) -> float:
    """Return the mean standard deviation within windows of 31 x 31 pixels, divided by `white`."""
    levels = image.astype(np.float32) / np.float32(white)
    mean = cv2.blur(levels, (_SQUARE, _SQUARE))
    variance = cv2.blur(levels * levels, (_SQUARE, _SQUARE)) - mean * mean
    return float(np.sqrt(np.maximum(variance, 0)).mean())


def by_limit(image: Image) -> list[dict[str, Any]]:
    """Measure a 16-bit radiograph enhanced with each clip limit, in each way and at 8 bits."""
    found = []
    for limit in LIMITS:
        ways = {}
        for way, options in WAYS.items():
            result = cxe.enhance(image, EnhanceParams(clip_limit=limit, **options))
            ways[way] = {
                "contrast": local_contrast(result, 65_535),
                "levels": len(np.unique(result)),
            }
        narrow = (cxe.white_balance(image) >> 8).astype(np.uint8)
        result = cxe.enhance(narrow, EnhanceParams(clip_limit=limit, percentiles=None))
        ways["uint8, as OpenCV"] = {
            "contrast": local_contrast(result, 255),
            "levels": len(np.unique(result)),
        }
        found.append({"limit": limit, "ways": ways})
    return found


def by_depth(image: Image) -> list[dict[str, Any]]:
    """Measure a radiograph rounded to 8 to 16 bits and enhanced; values are in the low bits."""
    stretched = cxe.white_balance(image)
    found = []
    for bits in (8, 10, 12, 14, 16):
        white = 2**bits - 1
        levels = np.rint(stretched / 65_535 * white).astype(np.uint8 if bits == 8 else np.uint16)
        result = cxe.enhance(levels, EnhanceParams(percentiles=None, bits=bits))
        found.append({
            "bits": bits,
            "contrast": local_contrast(result, white),
            "levels": len(np.unique(result)),
        })  # fmt: skip
    return found


def floats_against_uint8(image: Image) -> list[dict[str, Any]]:
    """Compare results of floats in 0..1, with 65,536 levels, to results of the same uint8 image."""
    narrow = np.rint(image / int(image.max()) * 255).astype(np.uint8)
    deep = np.rint(narrow / 255 * 65_535).astype(np.uint16)  # adapters convert floats like this
    found = []
    for name, options in {"CLAHE alone": {"percentiles": None}, "the chain": {}}.items():
        for limit in (2.0, 8.0):
            row: dict[str, Any] = {"what": name, "limit": limit}
            for way, bins in {"every value": None, "256 bins": 256}.items():
                params = EnhanceParams(clip_limit=limit, num_bins=bins, **options)
                first, second = cxe.enhance(narrow, params), cxe.enhance(deep, params)
                row[way] = float(np.abs(second / 257 - first).max())
            found.append(row)
    return found


def picture(image: Image) -> Image:
    """Return a picture with a column for each clip limit and a row for each way, with labels."""
    rows = []
    for way, options in WAYS.items():
        if "bit_shift" in way:
            continue
        panels = []
        for limit in (1.0, 2.0, 4.0, 8.0):
            result = cxe.enhance(image, EnhanceParams(clip_limit=limit, **options))
            panel = cv2.resize((result >> 8).astype(np.uint8), (_PANEL, _PANEL), None, 0, 0, 3)
            label = np.full((28, _PANEL), 255, np.uint8)
            text = f"{way.split(',')[0]}, limit {limit:g}"
            cv2.putText(label, text, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 0, 1, cv2.LINE_AA)
            panels.append(np.vstack([label, panel]))
        rows.append(np.hstack(panels))
    return np.vstack(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all radiographs, and write the results and the picture."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="radiographs of 16 bits")
    options = parser.parse_args(arguments)
    images = {"drawn": synthetic_radiograph(977, 920, seed=1, bits=16)}
    for path in options.files:
        images[path.stem] = cxe.read_image(path)
    radiographs = []
    for name, image in images.items():
        height, width = image.shape[:2]
        radiographs.append({
            "name": name,
            "height": height,
            "width": width,
            "by_limit": by_limit(image),
            "by_depth": by_depth(image),
            "floats": floats_against_uint8(image),
        })  # fmt: skip
    cv2.imwrite(str(PICTURES / "sixteen-bit-radiograph.png"), picture(image))
    STORED.parent.mkdir(parents=True, exist_ok=True)
    STORED.write_text(json.dumps(radiographs, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
