"""The few header fields of PNG and TIFF that OpenCV does not tell after decoding."""

from __future__ import annotations

import struct
from typing import NamedTuple

_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}  # BYTE, SHORT, LONG, LONG8
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_PNG_GRAY_TYPES = (0, 4)  # gray, gray with alpha


class TiffPage(NamedTuple):
    """The first page of a TIFF."""

    bits: int
    is_unsigned: bool
    white_is_zero: bool


def png_is_gray(data: bytes) -> bool:
    """Tell whether a PNG's own colour type is gray, with or without alpha."""
    return len(data) > 25 and data[25] in _PNG_GRAY_TYPES


def png_is_whole(data: bytes) -> bool:
    """Tell whether a PNG's chunks reach its closing IEND; what follows does not matter."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        if data[position + 4 : position + 8] == b"IEND":
            return True
        position += 12 + length
    return False


def tiff_first_page(data: bytes) -> TiffPage | None:
    """Read the first directory of a TIFF or BigTIFF; None where it lies outside `data`."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    offset_code, count_code, entry_size = ("Q", "Q", 20) if big else ("I", "H", 12)
    try:
        (start,) = struct.unpack_from(order + offset_code, data, 8 if big else 4)
        (count,) = struct.unpack_from(order + count_code, data, start)
        first = start + struct.calcsize(order + count_code)
        tags = {}
        for index in range(min(count, 4096)):
            position = first + index * entry_size
            (tag,) = struct.unpack_from(order + "H", data, position)
            if tag in (_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT):
                tags[tag] = _tiff_values(data, order, position, offset_code)
    except struct.error:
        return None
    return TiffPage(
        bits=max(tags.get(_BITS_PER_SAMPLE, [1]), default=1),
        is_unsigned=set(tags.get(_SAMPLE_FORMAT, [1])) <= {1, 4},  # 4 is "undefined"
        white_is_zero=tags.get(_PHOTOMETRIC, [1])[:1] == [0],
    )


def _tiff_values(data: bytes, order: str, position: int, offset_code: str) -> list[int]:
    kind, count = struct.unpack_from(order + "H" + offset_code, data, position + 2)
    field = position + 4 + struct.calcsize(order + offset_code)
    code = _TIFF_TYPES.get(kind)
    if code is None:
        return []
    code = f"{order}{min(count, 16)}{code}"
    if struct.calcsize(code) > struct.calcsize(order + offset_code):
        (field,) = struct.unpack_from(order + offset_code, data, field)
    return list(struct.unpack_from(code, data, field))
