"""Read images into the features of shortcuts: thumbnail, border, gray histogram and size.

Every file is read once, on all CPUs; the features of an image take a few kilobytes.
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

SIDE = 32  # pixels of a thumbnail
BORDER = 4  # pixels of a thumbnail that are border: an eighth of the image on each side
NUM_BINS = 16  # of a histogram
_EIGHT_BITS = cxr_enhance.Preparation(params=None, dtype="uint8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The features of N images."""

    thumbnails: Floats  # (N, 32, 32); gray, 0..255, the aspect not kept
    histograms: Floats  # (N, 16); shares of the gray values, at full size
    sizes: Floats  # (N, 3); logarithms of height, width, and width over height

    def views(self) -> dict[str, Floats]:
        """Return the features that each shortcut sees, of shape (N, features)."""
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
    """Read files and return the features of shortcuts.

    Parameters
    ----------
    paths : sequence of str
        Files of any format that `cxr_enhance.read_image` reads.
    progress : callable, optional
        Called with 1 after each image.

    Raises
    ------
    ValueError
        If a file holds no image; the message names the file.
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
    """Return a gray image of 8 bits; values of 16 bits are divided by 257, as for models."""
    gray = cxr_enhance.rgb_to_gray(image) if image.ndim == 3 else image
    return cxr_enhance.prepare(gray, _EIGHT_BITS).image
