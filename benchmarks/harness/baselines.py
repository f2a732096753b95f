"""Baselines of cxr_enhance: the notebook's chain, and the fastest code with plain OpenCV.

The module imports only OpenCV and NumPy, so that a process that runs a baseline loads nothing
else.
"""

from __future__ import annotations

import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from types import TracebackType

Array: TypeAlias = npt.NDArray[np.unsignedinteger]

PERCENTILES = (0.05, 99.95)
CLIP_LIMIT = 2.0
GRID = (16, 16)


def notebook_white_balance(image: Array) -> Array:
    """Stretch each channel with the notebook's code: percentiles of the pixels, then arithmetic."""
    white = float(np.iinfo(image.dtype).max)
    balanced = []
    for channel in cv2.split(image):
        mi, ma = np.percentile(channel, PERCENTILES[0]), np.percentile(channel, PERCENTILES[1])
        stretched = np.clip((channel - mi) * white / (ma - mi), 0, white)
        balanced.append(stretched.astype(image.dtype))
    return np.dstack(balanced) if len(balanced) > 1 else balanced[0]


def notebook_chain(image: Array) -> Array:
    """Apply the notebook's white balance, gray conversion and CLAHE; return the gray image."""
    balanced = notebook_white_balance(image)
    gray = cv2.cvtColor(balanced, cv2.COLOR_RGB2GRAY) if balanced.ndim == 3 else balanced
    return cv2.createCLAHE(clipLimit=CLIP_LIMIT, tileGridSize=GRID).apply(gray)


def opencv_clahe(grid: tuple[int, int] = GRID) -> cv2.CLAHE:
    """Return OpenCV's CLAHE object; two threads must not share it."""
    return cv2.createCLAHE(clipLimit=CLIP_LIMIT, tileGridSize=grid)


def stretch_table(image: Array) -> Array:
    """Return the look-up table of the notebook's white balance, from ``cv2.calcHist``.

    `image` has one channel. The table is exact while no value occurs more than 2**24 times, because
    OpenCV counts in float32.
    """
    values = np.iinfo(image.dtype).max + 1
    counts = cv2.calcHist([image], [0], None, [values], [0, values])
    ranks = np.cumsum(counts, dtype=np.int64)
    cuts = []
    for percent in PERCENTILES:
        place = (image.size - 1) * (percent / 100)
        before = int(place)
        lower, upper = np.searchsorted(ranks, (before, min(before + 1, image.size - 1)), "right")
        t = place - before
        # NumPy interpolates from the nearer end.
        near_upper = upper - (upper - lower) * (1 - t)
        cuts.append(near_upper if t >= 0.5 else lower + (upper - lower) * t)
    low, high = cuts
    white = float(values - 1)
    every_value = np.arange(values)
    if low == high:  # no contrast to stretch
        return every_value.astype(image.dtype)
    return np.clip((every_value - low) * white / (high - low), 0, white).astype(image.dtype)


@functools.cache
def lut_takes_16_bits() -> bool:
    """Return whether ``cv2.LUT`` supports uint16, as in OpenCV 5."""
    try:
        cv2.LUT(np.zeros((1, 1), np.uint16), np.zeros(65_536, np.uint16))
    except cv2.error:
        return False
    return True


def apply_stretch_table(image: Array) -> Array:
    """Apply white balance to one channel with a table; NumPy looks up types OpenCV cannot."""
    table = stretch_table(image)
    if image.dtype == np.uint8 or lut_takes_16_bits():
        return cv2.LUT(image, table)
    return table[image]


def opencv_chain(image: Array, clahe: cv2.CLAHE, out: Array | None = None) -> Array:
    """Apply white balance and CLAHE to one channel, in the fastest way with plain OpenCV."""
    return clahe.apply(apply_stretch_table(image), out)


class OpenCVPool:
    """A pool of threads that enhance a stack of images; each thread has its own CLAHE object.

    The threads live between batches, so that OpenCV does not pay for their start. A thread takes
    `at_a_time` images at once, so that small images do not wait for Python.
    """

    def __init__(self, threads: int, *, white_balance: bool, at_a_time: int) -> None:
        self._pool = ThreadPoolExecutor(threads)
        self._own = threading.local()
        self._white_balance = white_balance
        self._at_a_time = at_a_time

    def __enter__(self) -> OpenCVPool:
        """Return the pool; its threads end at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the threads."""
        self._pool.shutdown()

    def enhance(self, images: Array) -> Array:
        """Return the enhanced images of a stack of shape (N, H, W)."""
        out = np.empty_like(images)
        starts = range(0, len(images), self._at_a_time)
        for _ in self._pool.map(lambda start: self._enhance_part(images, out, start), starts):
            pass
        return out

    def _enhance_part(self, images: Array, out: Array, start: int) -> None:
        if not hasattr(self._own, "clahe"):
            self._own.clahe = opencv_clahe()
        for i in range(start, min(start + self._at_a_time, len(images))):
            if self._white_balance:
                opencv_chain(images[i], self._own.clahe, out[i])
            else:
                self._own.clahe.apply(images[i], out[i])
