"""Positions of tiles, and weights of pixels by their distances to the tile centres."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.jit import inline_kernel

_F32 = np.float32


# (int64, int64) -> int64
@inline_kernel
def reflect_index(index: int, size: int) -> int:
    """Fold `index`, 0 or more, into 0..size-1 as OpenCV's BORDER_REFLECT_101 does.

    Reflecting at both ends repeats with a period of twice the distance between them.
    """
    if size == 1:
        return 0
    period = 2 * (size - 1)
    place = index % period
    return place if place < size else period - place


# (int64, int64, int64[::1], float32[::1], float32[::1]) -> None
@inline_kernel
def place_axis(
    tile_size: int,
    num_tiles: int,
    cell_starts: npt.NDArray[np.int64],
    after: npt.NDArray[np.float32],
    before: npt.NDArray[np.float32],
) -> None:
    """Divide one axis into cells between tile centres; compute pixel weights (OpenCV's ``txf``).

    Cell ``c`` lies between the centres of tiles ``c - 1`` and ``c``. The first and the last cell
    have the same tile on both sides. The position is multiplied by the reciprocal of the tile size,
    as OpenCV does; a division would round differently.

    Parameters
    ----------
    tile_size, num_tiles : int
    cell_starts : (num_tiles + 2,) int64, output
        Pixels ``cell_starts[c]`` to ``cell_starts[c + 1] - 1`` are those of cell ``c``.
    after, before : (size,) float32, outputs
        OpenCV's ``xa`` and ``xa1``: weights of the tile after and before the pixel.
    """
    inverse = _F32(1.0) / _F32(tile_size)
    size = after.size
    begun = 0
    for position in range(size):
        t = _F32(position) * inverse - _F32(0.5)
        whole = np.floor(t)
        after[position] = t - whole
        before[position] = _F32(1.0) - after[position]
        cell = int(whole) + 1
        while begun <= cell:
            cell_starts[begun] = position
            begun += 1
    while begun <= num_tiles + 1:
        cell_starts[begun] = size
        begun += 1
