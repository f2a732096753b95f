"""Header fields of image files that are needed before decoding, or that decoding loses.

If a parser of this module and OpenCV's parser could read different sizes, no size is returned, and
the file is not decoded. The module `_tiff` reads TIFF headers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io._content import Cut, unpack
from cxr_enhance.io._tiff import tiff_first_page

if TYPE_CHECKING:
    from cxr_enhance.io._content import Content

_JPEG_SIZE_MARKERS = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset((0x01, *range(0xD0, 0xD8)))
_JPEG_ENDS = frozenset((0xD8, 0xD9, 0xDA))  # second start, end, pixels: no frame header before
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff]")
# A marker that a segment follows, or the end of the image; no restart and no second start.
_JPEG_SEGMENT_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_END_OF_IMAGE = 0xD9
_MOST_MARKERS = 100_000  # before the frame header; a profile in pieces has hundreds
_PIECE_BYTES = 1 << 16
_START_OF_SCAN, _MOST_SCANS = b"\xff\xda", 200  # encoders write about 10 scans, and 60 at most
_PNG_GRAY_TYPES = (0, 4)  # gray, gray with alpha
_MOST_CHUNKS = 1_000_000
_FILE_HEADER_BYTES = 14  # of a BMP
# Chunks to remove: animations, and texts and profiles, which OpenCV would inflate without need.
_PASSED_OVER = (b"acTL", b"fcTL", b"fdAT", b"zTXt", b"iTXt", b"iCCP")
_LARGEST_PIXEL, _PIXELS_SLACK = 8, 1 << 16  # bytes


class Size(NamedTuple):
    """Width and height in pixels that a header declares."""

    width: int
    height: int


def declared_size(data: Content, name: str) -> Size | None:
    """Return the size that an image file of the format `name` declares; None if not known."""
    try:
        if name == "PNG":
            length, kind, width, height = unpack(">I4sII", data, 8)
            return Size(width, height) if (length, kind) == (13, b"IHDR") else None
        if name == "JPEG":
            return jpeg_size(data)
        if name == "BMP":
            width, height = unpack("<HH" if _is_core(data) else "<ii", data, 18)
            return Size(abs(width), abs(height))  # rows from the top have a negative height
        if name == "WebP":
            return _webp_size(data)
    except Cut:
        return None
    page = tiff_first_page(data) if name == "TIFF" else None
    return None if page is None else Size(page.width, page.height)


def jpeg_size(data: Content) -> Size | None:
    """Return the size of a JPEG or JPEG-LS stream."""
    start = jpeg_frame(data)
    if start is None:
        return None
    height, width = unpack(">HH", data, start + 5)
    return Size(width, height)


def jpeg_frame(data: Content) -> int | None:
    """Return the offset of a JPEG's frame header; None if `data` does not hold all of it."""
    position = 2
    try:
        for _ in range(_MOST_MARKERS):
            position = _next_marker(data, position)
            _, marker, length = unpack(">BBH", data, position)
            if marker in _JPEG_SIZE_MARKERS:
                unpack("10s", data, position)
                return position
            if marker in _JPEG_ENDS:
                return None
            position += 2 if marker in _JPEG_BARE_MARKERS else 2 + max(length, 2)
    except Cut:
        pass
    return None


def _next_marker(data: Content, position: int, kind: re.Pattern[bytes] = _JPEG_MARKER) -> int:
    """Return the offset of the next marker; bytes between segments are ignored, as decoders do."""
    size = 16  # bytes; nearly always the marker is the first of them
    while True:
        piece = bytes(data[position : position + size])
        marker = kind.search(piece)
        if marker is not None:
            return position + marker.start()
        if len(piece) < size:
            raise Cut
        position, size = position + size - 1, min(4 * size, _PIECE_BYTES)


def jpeg_has_too_many_scans(data: bytes) -> bool:
    """Tell whether a JPEG has more scans than any encoder writes; each scan decodes all pixels.

    Bytes after the end marker do not count. Segments are skipped by their length, as decoders do:
    an end marker within a segment ends nothing.
    """
    if data.count(_START_OF_SCAN) <= _MOST_SCANS:  # true for nearly all files, and fast
        return False
    position, scans = 2, 0
    try:
        for _ in range(_MOST_MARKERS):
            position = _next_marker(data, position, _JPEG_SEGMENT_MARKER)
            if data[position + 1] == _END_OF_IMAGE:
                return False
            scans += data[position + 1] == _START_OF_SCAN[1]
            if scans > _MOST_SCANS:
                return True
            (length,) = unpack(">H", data, position + 2)
            position += 2 + max(length, 2)
    except Cut:
        return False
    return True


def jpeg_has_an_end(data: bytes, frame: int) -> bool:
    """Return whether an end marker follows the start of the pixels."""
    return data.rfind(b"\xff\xd9", max(data.find(_START_OF_SCAN, frame), frame)) >= 0


def _webp_size(data: Content) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = unpack("<HH", data, 26)
        return Size(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = unpack("<I", data, 21)
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        six = unpack("<6B", data, 24)
        width, height = (int.from_bytes(three, "little") + 1 for three in (six[:3], six[3:]))
        return Size(width, height)
    return None


def _is_core(data: Content) -> bool:
    return bool(unpack("<I", data, 14)[0] == 12)


def bmp_has_a_palette_unseen(data: bytes) -> bool:
    """Return whether an OS/2 BMP has a colour palette, which OpenCV would decode as gray."""
    (offset,) = unpack("<I", data, 10)
    (bits,) = unpack("<H", data, 24)
    if not _is_core(data) or bits > 8:
        return False
    colours = data[26 : max(min(26 + (3 << bits), offset), 26)]
    return not colours[::3] == colours[1::3] == colours[2::3]


def bmp_pixels_overlap(data: bytes) -> bool:
    """Return whether the pixels of a BMP begin within its header or palette."""
    (offset,) = unpack("<I", data, 10)
    if _is_core(data):  # its palette may have fewer colours than pixels can name
        return bool(offset < _FILE_HEADER_BYTES + 12)
    header_size, bits, colours = unpack("<I10xH16xI", data, 14)
    palette = 4 * (colours or 1 << bits) if bits <= 8 else 0
    return bool(offset < _FILE_HEADER_BYTES + header_size + palette)


def bmp_has_other_masks(data: bytes) -> bool:
    """Return whether a 32-bit BMP has colour masks that OpenCV ignores."""
    if _is_core(data):
        return False
    header_size, bits, compression = unpack("<I10xHI", data, 14)
    if bits != 32 or compression == 0:
        return False
    masks = unpack("<III", data, 54)
    if masks == (0xFF0000, 0xFF00, 0xFF):
        return False
    whole_bytes = {0xFF << shift for shift in (0, 8, 16, 24)}
    return header_size < 56 or len(set(masks) & whole_bytes) < 3


def png_is_gray(data: Content) -> bool:
    """Return whether a PNG's own colour type is gray, with or without alpha."""
    return data[25:26] in [bytes([kind]) for kind in _PNG_GRAY_TYPES]


def still_png(data: bytes) -> bytes | None:
    """Return a PNG without the chunks of an animation and without compressed texts.

    Returns
    -------
    bytes or None
        None if a chunk's name is damaged, if IHDR is not the first chunk or occurs twice, or if
        there are more compressed pixels than any encoder writes, all of which would be inflated.

    Raises
    ------
    Cut
        If the data end before the IEND chunk; bytes after IEND are ignored.
    """
    position, kept, pieces = 8, 0, []
    width, height = unpack(">II", data, 16)
    room = 2 * height * (width * _LARGEST_PIXEL + 1) + _PIXELS_SLACK
    for number in range(_MOST_CHUNKS):
        length, kind = unpack(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):  # OpenCV allocates the length that a chunk declares
            raise Cut
        if not kind.isalpha() or (kind == b"IHDR") != (number == 0):
            return None
        room -= length if kind == b"IDAT" else 0
        if room < 0:
            return None
        if kind in _PASSED_OVER:
            pieces.append(data[kept:position])
            kept = end
        if kind == b"IEND":
            return b"".join([*pieces, data[kept:]]) if pieces else data
        position = end
    return None
