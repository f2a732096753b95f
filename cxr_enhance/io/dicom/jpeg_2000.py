"""Where in JPEG 2000 data the code stream begins, and what its header declares."""

from __future__ import annotations

import struct
from typing import NamedTuple

_SIGNATURE = b"\0\0\0\x0cjP  "  # of a JP2 file: its first box
_CODE_STREAM = b"\xff\x4f\xff\x51"  # start of code stream, then its size
_COMPONENTS_AT = 40  # behind the start; the components' own fields follow
_HIGH_THROUGHPUT = 0x4000  # of the capabilities


class StreamSize(NamedTuple):
    """What a code stream declares; depth and sign are those of its first component."""

    width: int
    height: int
    components: int
    bits: int
    signed: bool
    high_throughput: bool


def stream_size(data: bytes) -> StreamSize | None:
    """Read the size of a code stream, bare or in a JP2 file; None where there is none.

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
    """Step from box to box; each must have its own header at least and end within `data`."""
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
