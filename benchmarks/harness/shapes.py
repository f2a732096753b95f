"""The image sizes of the benchmarks, as (H, W), and their names in the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Shape: TypeAlias = tuple[int, int]

NETWORK_INPUT: Shape = (224, 224)
SQUARE: Shape = (1024, 1024)
# about the size of a digital detector; no tile grid of powers of two divides it evenly
DETECTOR: Shape = (2048, 2500)
HUGE: Shape = (8192, 8192)


def name(shape: Shape, dtype: npt.DTypeLike, content: str = "") -> str:
    """Return the name of images of `shape`, such as ``uint16 2048x2500, 12-bit content``."""
    text = f"{np.dtype(dtype).name} {shape[0]}x{shape[1]}"
    return f"{text}, {content}" if content else text


def grid_name(grid: tuple[int, int]) -> str:
    """Return the name of a tile grid given as (columns, rows)."""
    return f"{grid[0]}x{grid[1]} tiles"


def megapixels(shape: Shape) -> float:
    """Return the number of pixels in units of 2**20."""
    return shape[0] * shape[1] / 2**20


def smaller(shape: Shape) -> Shape:
    """Return a shape with an eighth of each side, at least 24, for runs that are not timed."""
    return max(shape[0] // 8, 24), max(shape[1] // 8, 24)
