"""Compute gray from three channels with OpenCV's fixed-point weights; copy equal channels."""

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
    """Compute the gray of one row of interleaved channels.

    The caller should pass constants as weights, because the loop is then faster.
    """
    w0, w1, w2 = _U32(first_weight), _U32(GREEN), _U32(third_weight)
    for x in range(_U(out.size)):
        # Numba makes uint64 of a product of uint32. A register holds half as many uint64, so that
        # products are cast back.
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
    """Compute ``(w0 * c0 + 19235 * c1 + w2 * c2 + 2**14) >> 15`` per pixel; OpenCV's RGB2Gray.

    The sum fits uint32, because the weights sum to 2**15 and a channel has at most 16 bits.
    `first_weight` is RED or BLUE and determines the order of the channels: any other value counts
    as BLUE. If the compiler knows the weights, the loop takes half the time.
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
    """Compute the gray of white-balanced channels with three look-ups and a sum for each pixel.

    The white-balanced channels are not stored. `weighted` holds the stretch table of each channel
    times the channel's weight. The table of the first channel includes the half for rounding.
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


# (T[::1], int64, bool, uint32[::1]) -> None
@inline_kernel
def weigh_table(
    table: npt.NDArray[np.unsignedinteger],
    weight: int,
    half: bool,
    weighted: npt.NDArray[np.uint32],
) -> None:
    """Multiply a stretch table by its channel's weight; if `half`, add the half for rounding."""
    offset = _HALF if half else _U32(0)
    for value in range(table.size):
        weighted[value] = _U32(table[value]) * _U32(weight) + offset


# (T[:, :, ::1], T[:, ::1]) -> bool
@inline_kernel
def take_equal_channels(
    src: npt.NDArray[np.unsignedinteger], dst: npt.NDArray[np.unsignedinteger]
) -> bool:
    """Copy the first channel to `dst`; return whether all three channels are equal everywhere.

    The function stops at the first row with different channels; the content of `dst` is then not
    valid. Gray radiographs stored as colour are common; with this function, they need the work of
    one channel only.
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
