"""Share of changed copies of radiographs that are found, and distances of different radiographs.

Run it with ``python -m benchmarks.models.copies_recall MANIFEST.csv``. Each image is changed in
every way of `CHANGES` and compared with the original. Then all images are compared with each other.
Images of one patient or group do not count as different.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import cxr_enhance
from cxr_models import read_manifest
from cxr_models.records.copies import find_copies
from cxr_models.records.fingerprints import Fingerprint, fingerprint
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FAR = 80  # search distance in bits; more than the expected distance of the nearest pair


def _jpeg(image: Any, quality: int) -> Any:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


def _half(image: Any) -> Any:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _gamma(image: Any, power: float) -> Any:
    return (255 * (image / 255.0) ** power).astype(np.uint8)


def _crop(image: Any, share: float) -> Any:
    rows, columns = (int(size * share) for size in image.shape)
    return image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]


def _pad(image: Any, value: int, share: float) -> Any:
    rows, columns = (int(size * share) for size in image.shape)
    return np.pad(image, ((rows, rows), (columns, columns)), constant_values=value)


def _square(image: Any) -> Any:
    spare = [max(image.shape) - size for size in image.shape]
    return np.pad(image, [(one // 2, one - one // 2) for one in spare])


def _rotate(image: Any, degrees: float) -> Any:
    height, width = image.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


CHANGES: Mapping[str, Callable[[Any], Any]] = {
    "half the size": _half,
    "JPEG 30": lambda image: _jpeg(image, 30),
    "gamma 0.7": lambda image: _gamma(image, 0.7),
    "gamma 1.4": lambda image: _gamma(image, 1.4),
    "inverted": lambda image: 255 - image,
    "inverted, half, JPEG 50": lambda image: _jpeg(_half(255 - image), 50),
    "mirrored": lambda image: image[:, ::-1],
    "mirrored, half, JPEG 50": lambda image: _jpeg(_half(image[:, ::-1]), 50),
    "mirrored and inverted": lambda image: 255 - image[:, ::-1],
    "black border of 5 %": lambda image: _pad(image, 0, 0.05),
    "white border of 10 %": lambda image: _pad(image, 255, 0.1),
    "gray border of 20 %, JPEG 80": lambda image: _jpeg(_pad(image, 128, 0.2), 80),
    "square with black, JPEG 80": lambda image: _jpeg(_square(image), 80),
    "mirrored, black border of 10 %, JPEG 80": lambda image: _jpeg(
        _pad(image[:, ::-1], 0, 0.1), 80
    ),
    "1 % cropped": lambda image: _crop(image, 0.01),
    "2 % cropped": lambda image: _crop(image, 0.02),
    "3 % cropped": lambda image: _crop(image, 0.03),
    "5 % cropped": lambda image: _crop(image, 0.05),
    "rotated by 1 degree": lambda image: _rotate(image, 1),
    "rotated by 2 degrees": lambda image: _rotate(image, 2),
    "rotated by 5 degrees": lambda image: _rotate(image, 5),
    "enhanced": cxr_enhance.enhance,
}


def _fingerprints(path: str) -> list[Fingerprint]:
    image = cxr_enhance.read_image(path)
    gray: Any = image if image.ndim == 2 else cxr_enhance.rgb_to_gray(image)
    changed = (np.ascontiguousarray(change(gray)) for change in CHANGES.values())
    return [fingerprint(gray), *map(fingerprint, changed)]


def main(manifest: str) -> None:
    """Print the share of found copies for each change, and the nearest different images."""
    read = read_manifest(manifest)
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(_fingerprints, read.paths()))
    for number, name in enumerate(CHANGES, start=1):
        found = sum(bool(find_copies([one[0]], [one[number]])) for one in made)
        sys.stdout.write(f"{name}: {found / len(made):.4f}\n")
    roots = components(read.records)
    nearest: dict[str, int] = {}
    for copy in find_copies([one[0] for one in made], max_distance=_FAR):
        if roots[copy.first] != roots[copy.second]:
            nearest[copy.kind] = min(nearest.get(copy.kind, _FAR), copy.bits)
    for kind, bits in sorted(nearest.items()):
        sys.stdout.write(f"nearest different images, {kind}: {bits} bits\n")


if __name__ == "__main__":
    main(sys.argv[1])
