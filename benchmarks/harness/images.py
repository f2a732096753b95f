"""Drawn radiographs to measure on; their histograms are similar to those of real radiographs.

Speed depends on the content of an image. The tables of a uint16 image take time in proportion to
its range of values. Colour images with equal channels take a shortcut.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from benchmarks.harness.shapes import Shape
    from cxr_enhance._types import Image, ImageU8

# Gamma of each channel of a tinted film.
_TINT = (1.0, 0.85, 1.2)


@functools.lru_cache(maxsize=16)
def radiograph(shape: Shape, bits: int = 8, seed: int = 0) -> Image:
    """Return a drawn gray radiograph: uint8 for 8 bits, uint16 for more; the array is read-only."""
    image = synthetic_radiograph(*shape, bits=bits, seed=seed)
    image.flags.writeable = False
    return image


def equal_channels(shape: Shape) -> ImageU8:
    """Return a radiograph of shape (H, W, 3) with equal channels, as in most public sets."""
    return np.repeat(radiograph(shape)[:, :, np.newaxis], 3, axis=2)


def unequal_channels(shape: Shape) -> ImageU8:
    """Return a radiograph of shape (H, W, 3) with unequal channels, as of a photographed film."""
    levels = np.arange(256) / 255
    tints = [np.rint(255 * levels**gamma).astype(np.uint8) for gamma in _TINT]
    return np.stack([tint[radiograph(shape)] for tint in tints], axis=-1)


def stack(count: int, shape: Shape) -> ImageU8:
    """Return `count` gray radiographs, made from 8 different seeds, of shape (N, H, W)."""
    return np.stack([radiograph(shape, seed=i % 8) for i in range(count)])


def large(shape: Shape) -> ImageU8:
    """Return an image of `shape` tiled with one radiograph; drawing a large one takes seconds."""
    tile = radiograph((1024, 1024))
    repeats = (-(-shape[0] // 1024), -(-shape[1] // 1024))
    return np.ascontiguousarray(np.tile(tile, repeats)[: shape[0], : shape[1]])
