"""Look up and blend a band of uint8 rows in registers of 64 bytes; see `registers`.

The results equal those of `blend_loads`, byte for byte. The four tables of a cell stay in sixteen
registers while its pixels are processed, so that no words are packed and no row is gathered.
Sixteen pixels of four rows are processed at a time. Narrow cells then waste few lanes, and rows are
read and written from left to right, which is the fastest order for memory.

The lowest bytes of the sixteen 32-bit lanes of a register are its pixels 0, 4, 8, ...; the second
lowest bytes are the pixels 1, 5, 9, ..., and so on. Each of these four sets is masked, converted
and blended. Pixels of byte k are then ``256**k`` times too large, and their weights are smaller by
the same factor. A factor that is a power of two changes no digit of a float, so that every product
is rounded as in OpenCV.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.histogram import copy_row
from cxr_enhance._kernels.jit import inline_kernel
from cxr_enhance._kernels.registers import (
    ROW_PIXELS,
    ROWS,
    Register,
    choose,
    every_fourth,
    interleave,
    load_rows,
    load_table,
    look_up,
    repeat_quarter,
    spread_rows,
    store_rows,
)

_F32 = np.float32
_U = np.uintp
_U64 = np.uint64
_VALUES = _U(256)
_PIXELS = _U(ROW_PIXELS)
_PAIR = _U(2 * ROWS)  # weights of a set: right and left of four pixels
_WEIGHTS = _U(2 * ROW_PIXELS)  # weights of sixteen pixels
_EACH_ROW = _U64(0x0001_0001_0001_0001)  # lane 0 of each row

# Adding 2**23 to a float32 from 0 to below 2**22 rounds it to the nearest integer, half to even.
# The integer is then in the low bits of the sum.
_ROUND = _F32(8388608.0)


# (int64[::1], float32[::1], float32[::1]) -> float32[::1]
@inline_kernel
def arrange_weights(
    cell_starts: npt.NDArray[np.int64],
    right: npt.NDArray[np.float32],
    left: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Arrange the weights along a row in the order that `blend_band` needs.

    Each cell is divided into pieces of sixteen pixels; a piece that would extend beyond the row
    begins earlier. For each piece and each k from 0 to 3, there are the weights to the right of the
    pixels k, k + 4, k + 8 and k + 12, then their weights to the left. All are divided by
    ``256**k``.

    Parameters
    ----------
    cell_starts : (cells + 1,) int64
    right, left : (W,) float32
        See `blend_loads.blend_row`.

    Returns
    -------
    (pieces * 32,) float32
    """
    cells = cell_starts.size - 1
    width = right.size
    pieces = 0
    for cell in range(cells):
        pieces += (cell_starts[cell + 1] - cell_starts[cell] + ROW_PIXELS - 1) // ROW_PIXELS
    weights = np.zeros(pieces * 2 * ROW_PIXELS, np.float32)
    at = 0
    for cell in range(cells):
        for start in range(cell_starts[cell], cell_starts[cell + 1], ROW_PIXELS):
            first = max(min(start, width - ROW_PIXELS), 0)
            scale = _F32(1.0)
            for k in range(ROWS):
                for i in range(ROWS):
                    x = first + k + ROWS * i
                    if x < width:
                        weights[at + i] = right[x] * scale
                        weights[at + ROWS + i] = left[x] * scale
                at += 2 * ROWS
                scale = _F32(scale * _F32(1 / 256))
    return weights


# (four 64 uint8, float32[::1], uintp, 16 float32, 16 float32, 16 float32, int literal)
# -> 16 float32
@inline_kernel
def blend_set(
    levels: tuple[Register, Register, Register, Register],
    weights: npt.NDArray[np.float32],
    at: np.unsignedinteger,
    below: Register,
    above: Register,
    magic: Register,
    k: int,
) -> Register:
    """Blend pixels k, k + 4, k + 8, ... of a register; the results are in the lowest bytes."""
    above_left, above_right, below_left, below_right = levels
    right = repeat_quarter(weights, at)
    left = repeat_quarter(weights, at + _U(ROWS))
    upper = every_fourth(above_left, k) * left + every_fourth(above_right, k) * right
    lower = every_fourth(below_left, k) * left + every_fourth(below_right, k) * right
    blended: Register = (upper * above + lower * below) + magic
    return blended


# (64 uint8, four tables, float32[::1], uintp, 16 float32, 16 float32, 16 float32) -> 64 uint8
@inline_kernel
def blend_register(
    pixels: Register,
    tables: tuple[Any, Any, Any, Any],
    weights: npt.NDArray[np.float32],
    at: np.unsignedinteger,
    below: Register,
    above: Register,
    magic: Register,
) -> Register:
    """Look up and blend sixteen pixels of four rows (OpenCV's CLAHE_Interpolation_Body)."""
    levels = (
        look_up(tables[0], pixels),
        look_up(tables[1], pixels),
        look_up(tables[2], pixels),
        look_up(tables[3], pixels),
    )
    return interleave(
        blend_set(levels, weights, at, below, above, magic, 0),
        blend_set(levels, weights, at + _PAIR, below, above, magic, 1),
        blend_set(levels, weights, at + _PAIR + _PAIR, below, above, magic, 2),
        blend_set(levels, weights, at + _PAIR + _PAIR + _PAIR, below, above, magic, 3),
    )


# (four uint8[::1], four uint8[::1], uint8[::1], uint8[::1], int64[::1], float32[::1],
#  16 float32, 16 float32) -> None
@inline_kernel
def blend_four_rows(
    src: tuple[npt.NDArray[np.uint8], ...],
    dst: tuple[npt.NDArray[np.uint8], ...],
    upper: npt.NDArray[np.uint8],
    lower: npt.NDArray[np.uint8],
    cell_starts: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    below: Register,
    above: Register,
) -> None:
    """Look up and blend four rows of at least sixteen bytes each.

    The last piece of a cell may overlap neighbouring cells; the bytes of `dst` in the overlap keep
    their values.
    """
    magic = spread_rows(_ROUND, _ROUND, _ROUND, _ROUND)
    last_start = _U(src[0].size - ROW_PIXELS)
    at = _U(0)
    for cell in range(_U(cell_starts.size - 1)):
        x, end = _U(cell_starts[cell]), _U(cell_starts[cell + _U(1)])
        if x == end:
            continue
        table = cell * _VALUES
        tables = (
            load_table(upper, table),
            load_table(upper, table + _VALUES),
            load_table(lower, table),
            load_table(lower, table + _VALUES),
        )
        for _ in range((end - x) // _PIXELS):
            pixels = load_rows(src, x)
            blended = blend_register(pixels, tables, weights, at, below, above, magic)
            store_rows(dst, x, blended)
            x += _PIXELS
            at += _WEIGHTS
        if x < end:
            start = min(x, last_start)
            of_row = (_U64(1) << _U64(end - start)) - (_U64(1) << _U64(x - start))
            pixels = load_rows(src, start)
            blended = blend_register(pixels, tables, weights, at, below, above, magic)
            kept = load_rows(dst, start)
            store_rows(dst, start, choose(of_row * _EACH_ROW, blended, kept))
            at += _WEIGHTS


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
    """Look up and blend rows `start` to ``stop - 1``; see `blend_loads.blend_band`.

    An incomplete group of rows at the end is filled with its last row, which is then written
    several times with the same bytes. Rows of less than sixteen pixels are blended in a copy of
    sixteen pixels.
    """
    width = src.shape[1]
    short = np.zeros((ROWS, ROW_PIXELS), np.uint8)
    for y in range(start, stop, ROWS):
        y1, y2, y3 = min(y + 1, stop - 1), min(y + 2, stop - 1), min(y + 3, stop - 1)
        row_below = spread_rows(below[y], below[y1], below[y2], below[y3])
        row_above = spread_rows(above[y], above[y1], above[y2], above[y3])
        rows = (src[y], src[y1], src[y2], src[y3])
        out = (dst[y], dst[y1], dst[y2], dst[y3])
        if width < ROW_PIXELS:
            for k in range(ROWS):
                copy_row(src[min(y + k, stop - 1)], short[k])
            rows = (short[0], short[1], short[2], short[3])
            out = (short[0], short[1], short[2], short[3])
        blend_four_rows(rows, out, upper, lower, cell_starts, weights, row_below, row_above)
        if width < ROW_PIXELS:
            for k in range(ROWS):
                copy_row(short[k][:width], dst[min(y + k, stop - 1)])
