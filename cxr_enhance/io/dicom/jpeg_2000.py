"""The start and the header of the code stream in JPEG 2000 data."""

from __future__ import annotations

import struct
from typing import NamedTuple

_SIGNATURE = b"\0\0\0\x0cjP  "  # first box of a JP2 file
_CODE_STREAM = b"\xff\x4f\xff\x51"  # markers: start of code stream, image size
_COMPONENTS_AT = 40  # offset of the number of components, before their own fields
_HIGH_THROUGHPUT = 0x4000  # flag of the capabilities


class StreamSize(NamedTuple):
    """Size and depth that a code stream declares; depth and sign are the first component's."""

    width: int
    height: int
    components: int
    bits: int
    signed: bool
    high_throughput: bool


def stream_size(data: bytes) -> StreamSize | None:
    """Read the size of a code stream, bare or in a JP2 file; None if `data` holds none.

    Raises
    ------
    ValueError
        If the boxes of a JP2 file do not lead to a code stream.
    """
    start = _code_stream(data) if data.startswith(_SIGNATURE) else 0
    if data[start : start + 4] != _CODE_STREAM or start + _COMPONENTS_AT + 3 > len(data):
        return None
    capabilities, right, bottom, left, top = struct.unpack_from(">HIIII", data, start + 6)
    components, depth = struct.unpack_from(">HB", data, start + _COMPONENTS_AT)
    return StreamSize(
        right - left,
        bottom - top,
        components,
        bits=(depth & 0x7F) + 1,
        signed=depth > 0x7F,
        high_throughput=bool(capabilities & _HIGH_THROUGHPUT),
    )


def _code_stream(data: bytes) -> int:
    """Step from box to box to the code stream; a box must hold its header and end in `data`."""
    position = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        content = position + 8
        if length == 1 and position + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, position + 8)
            content = position + 16
        if kind == b"jp2c":
            return content
        if length < content - position or length > len(data) - position:
            raise ValueError(f"a JP2 box of length {length} at byte {position}")
        position += length
    raise ValueError("a JP2 file without a code stream")
