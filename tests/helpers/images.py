"""Test images made only with integer and basic float64 arithmetic, with equal bytes everywhere.

Random numbers of NumPy can change between versions, and sines of libm between machines. Golden
files must depend on neither.
"""

from __future__ import annotations

import numpy as np

CONTENTS = ("noise", "ramp", "constant", "two-valued", "saturated", "radiograph")
KINDS = ("uint8", "uint16-12bit", "uint16")
_LARGEST = {"uint8": 255, "uint16-12bit": 4095, "uint16": 65535}


def make_image(content, height, width, kind="uint8", channels=None, seed=0):
    """Return an image of shape (H, W) or, with `channels`, (H, W, C).

    `content` is one of `CONTENTS`, and `kind` is one of `KINDS`.
    """
    if channels is not None:
        planes = [
            make_image(content, height, width, kind, seed=seed + 101 * c) for c in range(channels)
        ]
        return tint(np.stack(planes, axis=-1), _LARGEST[kind])
    values = _MAKERS[content](height, width, _LARGEST[kind], seed)
    return values.astype(np.uint8 if kind == "uint8" else np.uint16)


def tint(image, largest):
    """Return the image with a different range in each channel.

    Errors in the order of the channels or in their percentiles then change the result.
    """
    channels = np.arange(image.shape[2])
    return (image.astype(np.int64) * (10 - 2 * channels) // 10 + channels * largest // 40).astype(
        image.dtype
    )


def hash_values(height, width, seed):
    """Return (H, W) pseudorandom uint64 numbers: the splitmix64 finaliser of the pixel's index."""
    z = np.arange(height * width, dtype=np.uint64) + np.uint64(1 + 1_000_003 * seed)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))).reshape(height, width)


def _noise(height, width, largest, seed):
    return hash_values(height, width, seed) % np.uint64(largest + 1)


def _ramp(height, width, largest, seed):
    y, x = np.mgrid[:height, :width]
    return (largest * (x + y + seed % 7)) // (height + width + 6)


def _constant(height, width, largest, seed):
    return np.full((height, width), (largest * (3 + seed % 5)) // 8)


def _two_valued(height, width, largest, seed):
    return np.where(
        hash_values(height, width, seed) % np.uint64(3) == 0, largest // 5, largest * 4 // 5
    )


def _saturated(height, width, largest, seed):
    values = _noise(height, width, largest, seed)
    tenths = hash_values(height, width, seed + 1) % np.uint64(10)
    return np.where(tenths < 4, 0, np.where(tenths < 8, largest, values))


def _radiograph(height, width, largest, seed):
    """Return a chest of parabolas and triangle waves, with a collimated border and grain."""
    y, x = np.mgrid[:height, :width]
    v, u = (2 * y + 1) / height - 1, (2 * x + 1) / width - 1  # -1..1
    density = 0.55 * np.clip(1.2 - u * u - 0.3 * v * v, 0, 1)
    for centre in (-0.42, 0.42):
        lung = 1 - ((u - centre) / 0.33) ** 2 - ((v + 0.05) / 0.72) ** 2
        density -= 0.42 * np.clip(lung, 0, 0.6)
    density += 0.3 * np.clip(1 - (u / 0.14) ** 2, 0, 1)
    density += 0.25 * np.clip(1 - ((u - 0.12) / 0.3) ** 2 - ((v - 0.3) / 0.35) ** 2, 0, 1)
    wave = (v + 0.25 * np.abs(u)) * 4.5
    density += 0.08 * np.abs(2 * (wave - np.floor(wave)) - 1) * (np.abs(u) > 0.12)
    grain = (hash_values(height, width, seed) % np.uint64(2048)).astype(np.float64) / 2048 - 0.5
    density = np.clip(density + 0.05 * grain, 0, 1)
    density[(np.abs(u) > 0.95) | (np.abs(v) > 0.96)] = 0.02  # collimated border
    return np.floor(density * largest)


_MAKERS = {
    "noise": _noise,
    "ramp": _ramp,
    "constant": _constant,
    "two-valued": _two_valued,
    "saturated": _saturated,
    "radiograph": _radiograph,
}
