"""Features of images for shortcuts: thumbnail, border, gray histogram and size.

Every file is read once, on all CPUs. The features of an image need about 4 KiB of memory.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import cxr_enhance
from cxr_enhance import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

SIDE = 32  # height and width of a thumbnail, in pixels
BORDER = 4  # width of the border of a thumbnail, in pixels: an eighth of the image on each side
NUM_BINS = 16  # number of bins of a gray histogram
_EIGHT_BITS = cxr_enhance.Preparation(params=None, dtype="uint8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The features of N images."""

    thumbnails: Floats  # (N, 32, 32); gray, 0..255; the aspect ratio is not kept
    histograms: Floats  # (N, 16); share of pixels in each bin of gray values, at full size
    sizes: Floats  # (N, 3); logarithms of height, width, and width divided by height

    def views(self) -> dict[str, Floats]:
        """Return the features of each shortcut by its name, each of shape (N, features)."""
        count = len(self.thumbnails)
        border = np.ones((SIDE, SIDE), bool)
        border[BORDER:-BORDER, BORDER:-BORDER] = False
        return {
            "border": self.thumbnails[:, border],
            "thumbnail": self.thumbnails.reshape(count, -1),
            "histogram": self.histograms,
            "size": self.sizes,
        }


def read_features(
    paths: Sequence[str], *, progress: Callable[[int], object] | None = None
) -> Features:
    """Read images and return their features for shortcuts.

    Parameters
    ----------
    paths : sequence of str
        Image files in any format that `cxr_enhance.read_image` reads.
    progress : callable, optional
        Function that is called with 1 after each image.

    Raises
    ------
    ValueError
        If a file is not a readable image; the message names the file.
    OSError
        If a file cannot be read.
    """
    features = Features(
        thumbnails=np.empty((len(paths), SIDE, SIDE), np.float32),
        histograms=np.empty((len(paths), NUM_BINS), np.float32),
        sizes=np.empty((len(paths), 3), np.float32),
    )

    def keep(index: int) -> None:
        gray = _gray(cxr_enhance.read_image(paths[index]))
        height, width = gray.shape
        size = (SIDE, SIDE)
        features.thumbnails[index] = cv2.resize(
            gray.astype(np.float32), size, interpolation=cv2.INTER_AREA
        )
        values = np.minimum(gray.astype(np.int64) * NUM_BINS // 256, NUM_BINS - 1)
        counts = np.bincount(values.ravel(), minlength=NUM_BINS)
        features.histograms[index] = counts / values.size
        features.sizes[index] = np.log([height, width, width / height])
        if progress is not None:
            progress(1)

    with ThreadPoolExecutor(max(min(usable_cpus(), len(paths)), 1)) as pool:
        list(pool.map(keep, range(len(paths))))  # raises the first failure
    return features


def _gray(image: Any) -> Any:
    """Return an 8-bit gray image; 16-bit values are divided by 257, as for models."""
    gray = cxr_enhance.rgb_to_gray(image) if image.ndim == 3 else image
    return cxr_enhance.prepare(gray, _EIGHT_BITS).image
