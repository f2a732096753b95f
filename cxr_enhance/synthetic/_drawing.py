"""Soft-edged shapes, interpolation and random bits that are the same bytes on every machine.

Only additions, multiplications, divisions, square roots and comparisons are used, each of which
IEEE 754 rounds in one way; no sine, exponential or general power, whose last digit depends on the
machine. Knows nothing of anatomy.
"""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Map: TypeAlias = npt.NDArray[Any]  # float32; NumPy's stubs lose that at the first Python number


class RandomBits:
    """Random numbers from PCG64's raw bits, whose stream does not depend on NumPy's version."""

    def __init__(self, seed: int, stream: int) -> None:
        self._bits = np.random.PCG64([seed, stream])

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def raw(self, count: int) -> npt.NDArray[np.uint64]:
        return self._bits.random_raw(count)

    def texture(self, height: int, width: int, cells: int) -> Map:
        """Smooth blotches about `1 / cells` of the image wide, in -1..1."""
        values = (self.raw((cells + 1) ** 2) >> np.uint64(40)).astype(np.float32) * 2**-23 - 1
        return enlarge(values.reshape(cells + 1, cells + 1), height, width, smooth=True)


def step(low: float, high: float, values: Map) -> Map:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((values - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def ellipse(x: Map, y: Map, cx: float, cy: float, rx: float, ry: float) -> Map:
    """Thickness of an ellipsoid: 1 at its centre, 0 outside."""
    u, v = (x - cx) * (1 / rx), (y - cy) * (1 / ry)
    return np.sqrt(np.clip(1 - u * u - v * v, 0, 1))


def bar(distance: Map, radius: float) -> Map:
    """Profile of a bone across its axis: flat, with a brighter rim, and a soft edge."""
    d = np.abs(distance) * (1 / radius)
    profile: Map = (0.55 + 0.45 * np.square(np.clip(d, 0, 1))) * (1 - step(0.8, 1.1, d))
    return profile


def curve(points: tuple[tuple[float, float], ...], y: Map) -> Map:
    """Run through `points` (position, value), level at each of them."""
    result = np.full_like(y, points[0][1])
    for (start, before), (end, after) in itertools.pairwise(points):
        result += (after - before) * step(start, end, y)
    return result


def enlarge(small: Map, height: int, width: int, *, smooth: bool = False) -> Map:
    """Interpolate linearly to (`height`, `width`); `smooth` rounds the bends at the samples."""
    result = small
    for axis, size in ((1, width), (0, height)):
        count = result.shape[axis]
        if count == size:
            continue
        place = np.clip(
            (np.arange(size, dtype=np.float32) + 0.5) * (count / size) - 0.5, 0, count - 1
        )
        left = np.minimum(place.astype(np.intp), max(count - 2, 0))
        t = (place - left).astype(np.float32)
        if smooth:
            t = t * t * (3 - 2 * t)
        t = t[:, None] if axis == 0 else t[None, :]
        low = np.take(result, left, axis=axis)
        result = low + t * (np.take(result, np.minimum(left + 1, count - 1), axis=axis) - low)
    return result.copy() if result is small else result
