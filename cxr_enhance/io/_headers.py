"""The few header fields of image files that are needed before decoding, or lost by it."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mmap import mmap

_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}  # BYTE, SHORT, LONG, LONG8
_WIDTH, _HEIGHT, _BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 256, 257, 258, 262, 339
_TIFF_TAGS = frozenset((_WIDTH, _HEIGHT, _BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT))
_JPEG_SIZE_MARKERS = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset((0x01, *range(0xD0, 0xD9)))
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MOST_MARKERS = 100_000  # before the frame header; a profile in pieces has hundreds
_START_OF_SCAN, _MOST_SCANS = b"\xff\xda", 200  # encoders write about 10, the thriftiest 60
_PNG_GRAY_TYPES = (0, 4)  # gray, gray with alpha


class Size(NamedTuple):
    """Pixels as declared, before anything is decoded."""

    width: int
    height: int


class TiffPage(NamedTuple):
    """The first page of a TIFF."""

    size: Size
    bits: int
    is_unsigned: bool
    white_is_zero: bool


def declared_size(data: bytes | mmap, name: str) -> Size | None:
    """Size that an image file of the format `name` declares; None where it tells none."""
    try:
        if name == "PNG":
            return Size(*struct.unpack_from(">II", data, 16))
        if name == "JPEG":
            return jpeg_size(data)
        if name == "BMP":
            core = struct.unpack_from("<I", data, 14)[0] == 12
            width, height = struct.unpack_from("<HH" if core else "<ii", data, 18)
            return Size(abs(width), abs(height))  # rows from the top have a negative height
        if name == "WebP":
            return _webp_size(data)
    except struct.error:
        return None
    page = tiff_first_page(data) if name == "TIFF" else None
    return None if page is None else page.size


def jpeg_size(data: bytes | mmap) -> Size | None:
    """Size of a JPEG or JPEG-LS stream."""
    start = jpeg_frame(data)
    if start is None:
        return None
    height, width = struct.unpack_from(">HH", data, start + 5)
    return Size(width, height)


def jpeg_frame(data: bytes | mmap) -> int | None:
    """Where the frame header of a JPEG begins; all of it lies within `data`."""
    position = 2
    for _ in range(_MOST_MARKERS):
        found = _JPEG_MARKER.search(data, position)  # what stands between, decoders step over
        if found is None or found.start() + 10 > len(data):
            return None
        position, marker = found.start(), data[found.start() + 1]
        if marker in _JPEG_SIZE_MARKERS:
            return position
        position += 2
        if marker not in _JPEG_BARE_MARKERS:
            position += max(struct.unpack_from(">H", data, position)[0], 2)
    return None


def jpeg_has_too_many_scans(data: bytes) -> bool:
    """Tell whether a JPEG has more scans than any encoder writes: each goes over all pixels."""
    return data.count(_START_OF_SCAN) > _MOST_SCANS


def _webp_size(data: bytes | mmap) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Size(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Size(width, height)
    return None


def png_is_gray(data: bytes | mmap) -> bool:
    """Tell whether a PNG's own colour type is gray, with or without alpha."""
    return len(data) > 25 and data[25] in _PNG_GRAY_TYPES


def png_is_whole(data: bytes | mmap) -> bool:
    """Tell whether a PNG's chunks reach its closing IEND; what follows does not matter."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        if data[position + 4 : position + 8] == b"IEND":
            return True
        position += 12 + length
    return False


def tiff_first_page(data: bytes | mmap) -> TiffPage | None:
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
            if tag in _TIFF_TAGS:
                tags[tag] = _tiff_values(data, order, position, offset_code)
    except struct.error:
        return None
    width, height = (max(tags.get(tag, [0]), default=0) for tag in (_WIDTH, _HEIGHT))
    return TiffPage(
        size=Size(width, height),
        bits=max(tags.get(_BITS_PER_SAMPLE, [1]), default=1),
        is_unsigned=set(tags.get(_SAMPLE_FORMAT, [1])) <= {1, 4},  # 4 is "undefined"
        white_is_zero=tags.get(_PHOTOMETRIC, [1])[:1] == [0],
    )


def _tiff_values(data: bytes | mmap, order: str, position: int, offset_code: str) -> list[int]:
    kind, count = struct.unpack_from(order + "H" + offset_code, data, position + 2)
    field = position + 4 + struct.calcsize(order + offset_code)
    code = _TIFF_TYPES.get(kind)
    if code is None:
        return []
    code = f"{order}{min(count, 16)}{code}"
    if struct.calcsize(code) > struct.calcsize(order + offset_code):
        (field,) = struct.unpack_from(order + offset_code, data, field)
    return list(struct.unpack_from(code, data, field))
