"""Images to measure on: drawn radiographs, for their histograms are those of real ones.

Speed depends on content: tables of a uint16 image cost by its range of values, and colour images
take a shortcut where the channels are equal.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from benchmarks.harness.shapes import Shape
    from cxr_enhance._types import Image, ImageU8

# Gammas of the channels of a tinted film.
_TINT = (1.0, 0.85, 1.2)


@functools.lru_cache(maxsize=16)
def radiograph(shape: Shape, bits: int = 8, seed: int = 0) -> Image:
    """Draw a gray radiograph; uint8 for 8 bits, uint16 for more. Read-only."""
    image = synthetic_radiograph(*shape, bits=bits, seed=seed)
    image.flags.writeable = False
    return image


def equal_channels(shape: Shape) -> ImageU8:
    """Draw a radiograph stored as colour, as most public ones are: shape (H, W, 3)."""
    return np.repeat(radiograph(shape)[:, :, np.newaxis], 3, axis=2)


def unequal_channels(shape: Shape) -> ImageU8:
    """Draw a radiograph whose channels differ, as a photographed film's do: shape (H, W, 3)."""
    levels = np.arange(256) / 255
    tints = [np.rint(255 * levels**gamma).astype(np.uint8) for gamma in _TINT]
    return np.stack([tint[radiograph(shape)] for tint in tints], axis=-1)


def stack(count: int, shape: Shape) -> ImageU8:
    """Draw `count` gray radiographs of eight patients: shape (N, H, W)."""
    return np.stack([radiograph(shape, seed=i % 8) for i in range(count)])


def large(shape: Shape) -> ImageU8:
    """Repeat a radiograph until `shape` is full; drawing one that large takes seconds."""
    tile = radiograph((1024, 1024))
    repeats = (-(-shape[0] // 1024), -(-shape[1] // 1024))
    return np.ascontiguousarray(np.tile(tile, repeats)[: shape[0], : shape[1]])
