"""Gray from three channels with OpenCV's fixed-point weights, and shortcuts for equal channels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.constants import BLUE as BLUE
from cxr_enhance._kernels.constants import GREEN as GREEN
from cxr_enhance._kernels.constants import RED as RED
from cxr_enhance._kernels.jit import inline_kernel

_U = np.uintp
_U32 = np.uint32

_SHIFT = _U32(15)
_HALF = _U32(1 << 14)


# (T[::1], int64, int64, T[::1]) -> None
@inline_kernel
def mix_row(
    row: npt.NDArray[np.unsignedinteger],
    first_weight: int,
    third_weight: int,
    out: npt.NDArray[np.unsignedinteger],
) -> None:
    """Gray of one row of interleaved channels; the weights should be constants of the caller."""
    w0, w1, w2 = _U32(first_weight), _U32(GREEN), _U32(third_weight)
    for x in range(_U(out.size)):
        # Products of uint32 are uint64 in Numba, of which half as many fit a register.
        first = _U32(w0 * _U32(row[x * _U(3)]))
        second = _U32(w1 * _U32(row[x * _U(3) + _U(1)]))
        third = _U32(w2 * _U32(row[x * _U(3) + _U(2)]))
        out[x] = _U32(first + second + third + _HALF) >> _SHIFT


# (T[:, :, ::1], int64, T[:, ::1]) -> None
@inline_kernel
def mix_gray(
    src: npt.NDArray[np.unsignedinteger],
    first_weight: int,
    dst: npt.NDArray[np.unsignedinteger],
) -> None:
    """``(w0 * c0 + 19235 * c1 + w2 * c2 + 2**14) >> 15`` of every pixel; OpenCV's RGB2Gray.

    Fits uint32: the weights sum to 2**15 and a channel has at most 16 bits. `first_weight` is RED
    or BLUE and says the channels' order; with weights known to the compiler the loop takes half
    the time.
    """
    for y in range(src.shape[0]):
        row = src[y].reshape(-1)
        if first_weight == RED:
            mix_row(row, RED, BLUE, dst[y])
        else:
            mix_row(row, BLUE, RED, dst[y])


# (T[:, :, ::1], uint32[:, ::1], T[:, ::1]) -> None
@inline_kernel
def mix_stretched_gray(
    src: npt.NDArray[np.unsignedinteger],
    weighted: npt.NDArray[np.uint32],
    dst: npt.NDArray[np.unsignedinteger],
) -> None:
    """Gray of the white-balanced channels without making them: three look-ups and a sum a pixel.

    `weighted` holds, for each channel, its stretch table times its weight; the first channel's
    includes the rounding half.
    """
    first, second, third = weighted[0], weighted[1], weighted[2]
    for y in range(src.shape[0]):
        row, out = src[y].reshape(-1), dst[y]
        for x in range(_U(out.size)):
            level = (
                first[_U(row[x * _U(3)])]
                + second[_U(row[x * _U(3) + _U(1)])]
                + third[_U(row[x * _U(3) + _U(2)])]
            )
            out[x] = _U32(level) >> _SHIFT


# (T[:, ::1], int64, uint32[::1]) -> None
@inline_kernel
def weigh_table(
    table: npt.NDArray[np.unsignedinteger],
    weight: int,
    half: bool,
    weighted: npt.NDArray[np.uint32],
) -> None:
    """Multiply a stretch table by its channel's weight; add the rounding half if `half`."""
    offset = _HALF if half else _U32(0)
    for value in range(table.size):
        weighted[value] = _U32(table[value]) * _U32(weight) + offset


# (T[:, :, ::1], T[:, ::1]) -> bool
@inline_kernel
def take_equal_channels(
    src: npt.NDArray[np.unsignedinteger], dst: npt.NDArray[np.unsignedinteger]
) -> bool:
    """Copy the first channel to `dst` if all three are equal everywhere; else return False.

    Stops at the first row that differs; `dst` then holds nothing of use. Gray radiographs stored
    as colour are the common case, and cost one channel's work this way.
    """
    for y in range(src.shape[0]):
        row, out = src[y].reshape(-1), dst[y]
        different = False
        for x in range(_U(out.size)):
            first = row[x * _U(3)]
            different |= (first != row[x * _U(3) + _U(1)]) | (first != row[x * _U(3) + _U(2)])
            out[x] = first
        if different:
            return False
    return True
