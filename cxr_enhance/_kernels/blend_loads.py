"""Look up and blend a band of uint8 rows; works on any processor.

1. Pack the tables of the four tiles around a cell into one word for each gray level (`pack_words`).
2. Look up each pixel's word (`gather_words`).
3. Blend its four levels by the pixel's distance to the four tile centres (`blend_row`).

A band consists of the rows between two rows of tile centres. A cell is the part of a band between
two columns of tile centres; all its pixels use the same four tables.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.jit import inline_kernel
from cxr_enhance._kernels.lanes import ROUND
from cxr_enhance._kernels.loads import load_word

_F32 = np.float32
_I32 = np.int32
_U = np.uintp
_U32 = np.uint32
_VALUES = 256

# Number of cells that are packed before a band is blended. All cells of a grid of up to 31 columns
# are packed at once, and the words (32 KiB) fit the first-level cache.
_CELLS_AT_A_TIME = 32


# (int64[::1], float32[::1], float32[::1]) -> float32[::1]
@inline_kernel
def arrange_weights(
    _cell_starts: npt.NDArray[np.int64],
    right: npt.NDArray[np.float32],
    left: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Arrange the weights along a row in the order that `blend_band` needs.

    In this module, the order is all weights to the right, then all weights to the left.
    """
    width = right.size
    weights = np.empty(2 * width, np.float32)
    for x in range(width):
        weights[x] = right[x]
        weights[width + x] = left[x]
    return weights


# (uint8[::1], uint8[::1], int64, int64, uint32[::1]) -> None
@inline_kernel
def pack_words(
    above: npt.NDArray[np.uint8],
    below: npt.NDArray[np.uint8],
    first_cell: int,
    cells: int,
    words: npt.NDArray[np.uint32],
) -> None:
    """Pack the levels of the four tiles around a cell into one word for each value.

    The order is above left, above right, below left, below right, from the lowest byte up. The next
    pass then needs one load for each pixel instead of four. Neighbouring cells share tables, so
    that one loop over the tables packs all cells.

    Parameters
    ----------
    above, below : ((groups * 8 + 2) * 256,) uint8
        Tables of two rows of tiles, from `clahe_u8.make_lut_row`; cell ``c`` has tables ``c`` and
        ``c + 1`` at its sides.
    first_cell, cells : int
    words : (at least cells * 256,) uint32, output
        Cell by cell, value by value.
    """
    left = first_cell * _VALUES
    above_left = above[left : left + cells * _VALUES]
    above_right = above[left + _VALUES : left + (cells + 1) * _VALUES]
    below_left = below[left : left + cells * _VALUES]
    below_right = below[left + _VALUES : left + (cells + 1) * _VALUES]
    for i in range(cells * _VALUES):
        words[i] = (
            _U32(above_left[i])
            | (_U32(above_right[i]) << _U32(8))
            | (_U32(below_left[i]) << _U32(16))
            | (_U32(below_right[i]) << _U32(24))
        )


# (uint8[::1], uintp, uint32[::1], uintp, uint32[::1]) -> None
@inline_kernel
def gather_eight(
    row: npt.NDArray[np.uint8],
    x: np.unsignedinteger,
    words: npt.NDArray[np.uint32],
    offset: np.unsignedinteger,
    gathered: npt.NDArray[np.uint32],
) -> None:
    """Look up the words of eight pixels from `x` on, in the table that begins at `offset`."""
    pixels = load_word(row, x)
    for k in range(_U(8)):
        value = (pixels >> (_U(8) * k)) & _U(255)
        gathered[x + k] = words[value + offset]


# (uint8[::1], uintp, uint32[::1], uintp, uint32[::1]) -> None
@inline_kernel
def gather_last_four(
    row: npt.NDArray[np.uint8],
    x: np.unsignedinteger,
    words: npt.NDArray[np.uint32],
    offset: np.unsignedinteger,
    gathered: npt.NDArray[np.uint32],
) -> None:
    """Look up the words of the last four of the eight pixels from `x` on."""
    pixels = load_word(row, x)
    for k in range(_U(4), _U(8)):
        value = (pixels >> (_U(8) * k)) & _U(255)
        gathered[x + k] = words[value + offset]


# (uint8[::1], int64[::1], int64, int64, uint32[::1], uint32[::1]) -> None
@inline_kernel
def gather_words(
    row: npt.NDArray[np.uint8],
    cell_starts: npt.NDArray[np.int64],
    first_cell: int,
    last_cell: int,
    words: npt.NDArray[np.uint32],
    gathered: npt.NDArray[np.uint32],
) -> None:
    """Look up the word of each pixel of cells `first_cell` to ``last_cell - 1``.

    Eight pixels are read with one load. The last eight pixels of a cell may overlap the eight
    before. A few pixels are then looked up twice, which is faster than one by one.

    Parameters
    ----------
    row : (W,) uint8
    cell_starts : (cells + 1,) int64
    words : (cells * 256,) uint32
        From `pack_words`, of `first_cell` and those after it.
    gathered : (W,) uint32, output
    """
    for cell in range(last_cell - first_cell):
        offset = _U(cell * _VALUES)
        x = _U(cell_starts[first_cell + cell])
        end = _U(cell_starts[first_cell + cell + 1])
        if x + _U(8) > end:
            while x < end:
                gathered[x] = words[_U(row[x]) + offset]
                x += _U(1)
            continue
        for _ in range((end - x) // _U(8)):
            gather_eight(row, x, words, offset, gathered)
            x += _U(8)
        if x + _U(4) < end:
            gather_eight(row, end - _U(8), words, offset, gathered)
        elif x < end:
            gather_last_four(row, end - _U(8), words, offset, gathered)


# (uint32[::1], int64, int64, float32[::1], float32[::1], float32, float32, uint8[::1]) -> None
@inline_kernel
def blend_row(
    gathered: npt.NDArray[np.uint32],
    start: int,
    stop: int,
    right: npt.NDArray[np.float32],
    left: npt.NDArray[np.float32],
    below: np.float32,
    above: np.float32,
    out: npt.NDArray[np.uint8],
) -> None:
    """Blend the four levels of pixels `start` to ``stop - 1`` (OpenCV's CLAHE_Interpolation_Body).

    Every operation is rounded to float32, in OpenCV's order. The result needs no clamp: weights
    of a pair sum to 1 up to rounding, which moves the result by less than 0.5.

    Parameters
    ----------
    gathered : (W,) uint32
    right, left : (W,) float32
        Weights of the tile after and before the pixel along the row; OpenCV's ``xa``, ``xa1``.
    below, above : float32
        The same down the column; OpenCV's ``ya``, ``ya1``.
    out : (W,) uint8, output
    """
    byte = _U32(255)
    for x in range(_U(start), _U(stop)):
        word = gathered[x]  # unsigned: LLVM's code for signed shifts is twice as slow here
        above_left = _F32(_I32(word & byte))
        above_right = _F32(_I32((word >> _U32(8)) & byte))
        below_left = _F32(_I32((word >> _U32(16)) & byte))
        below_right = _F32(_I32(word >> _U32(24)))
        upper = above_left * left[x] + above_right * right[x]
        lower_ = below_left * left[x] + below_right * right[x]
        level = upper * above + lower_ * below
        out[x] = _I32((level + ROUND) - ROUND)


# (uint8[:, ::1], uint8[:, ::1], int64, int64, uint8[::1], uint8[::1], int64[::1], float32[::1],
#  float32[::1], float32[::1]) -> None
@inline_kernel
def blend_band(
    src: npt.NDArray[np.uint8],
    dst: npt.NDArray[np.uint8],
    start: int,
    stop: int,
    upper: npt.NDArray[np.uint8],
    lower: npt.NDArray[np.uint8],
    cell_starts: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    below: npt.NDArray[np.float32],
    above: npt.NDArray[np.float32],
) -> None:
    """Look up and blend rows `start` to ``stop - 1``, which lie between two rows of tiles.

    Parameters
    ----------
    src, dst : (H, W) uint8
        May be the same.
    start, stop : int
    upper, lower : ((groups * 8 + 2) * 256,) uint8
        Tables of the two rows of tiles, from `clahe_u8.make_lut_row`.
    cell_starts : (cells + 1,) int64
    weights : float32
        From `arrange_weights`.
    below, above : (H,) float32
        Weights of the lower and the upper row of tiles; OpenCV's ``ya``, ``ya1``.
    """
    cells = cell_starts.size - 1
    room = min(cells, _CELLS_AT_A_TIME)
    words = np.empty(room * _VALUES, np.uint32)
    width = src.shape[1]
    gathered = np.empty(width, np.uint32)
    right, left = weights[:width], weights[width:]
    for first_cell in range(0, cells, room):
        last_cell = min(first_cell + room, cells)
        first, last = cell_starts[first_cell], cell_starts[last_cell]
        pack_words(upper, lower, first_cell, last_cell - first_cell, words)
        for y in range(start, stop):
            gather_words(src[y], cell_starts, first_cell, last_cell, words, gathered)
            blend_row(gathered, first, last, right, left, below[y], above[y], dst[y])
