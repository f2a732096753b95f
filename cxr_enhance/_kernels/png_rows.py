"""Filter the rows of a PNG file with the filter "up", before they are compressed.

PNG (W3C Recommendation, 9.2) compresses differences of bytes instead of bytes. The filter "up"
subtracts the byte above. Among the filters that are the same for all rows, it gives the smallest
files of radiographs. Except for the filter "none", which changes nothing, it is also the only
filter that needs neither the number of channels nor other bytes of the same row. Its loop has no
dependencies and is compiled to vector code.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cxr_enhance._kernels.jit import inline_kernel, kernel

_U = np.uintp
_U32 = np.uint32

UP = 2  # the filter's number at the start of each row
_CARRY = _U32(0x10000)  # keeps a difference of 16 bits positive and changes neither of its bytes
_BYTE = _U32(0xFF)


# (T[::1], T[::1], uint8[::1]) -> None
@inline_kernel
def filter_row(
    row: npt.NDArray[np.unsignedinteger],
    above: npt.NDArray[np.unsignedinteger],
    out: npt.NDArray[np.uint8],
) -> None:
    """Write the filter's number and the differences of a row's bytes to those `above`, modulo 256.

    Words of 16 bits are written high byte first, and the two bytes are subtracted separately. The
    rows have N elements; `out` has 1 + N bytes for uint8 and 1 + 2 N bytes for uint16.
    """
    out[0] = UP
    if row.itemsize == 1:
        for x in range(_U(row.size)):
            out[x + _U(1)] = (_CARRY + _U32(row[x]) - _U32(above[x])) & _BYTE
    else:
        for x in range(_U(row.size)):
            word, upper = _U32(row[x]), _U32(above[x])
            out[x * _U(2) + _U(1)] = (_CARRY + (word >> _U32(8)) - (upper >> _U32(8))) & _BYTE
            out[x * _U(2) + _U(2)] = (_CARRY + word - upper) & _BYTE


# (T[:, ::1], uint8[:, ::1]) -> None
@kernel
def filter_rows(rows: npt.NDArray[np.unsignedinteger], out: npt.NDArray[np.uint8]) -> None:
    """Filter every row; the row above the first row is zero.

    Parameters
    ----------
    rows : (H, N) uint8 or uint16
        N is the width times the number of channels.
    out : (H, 1 + N) uint8, or (H, 1 + 2 N) for uint16, output
    """
    above = np.zeros_like(rows[0])
    for y in range(rows.shape[0]):
        filter_row(rows[y], above, out[y])
        above = rows[y]
