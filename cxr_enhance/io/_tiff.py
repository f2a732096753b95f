"""Read the first directory of a TIFF as OpenCV's decoder does; refuse ambiguous directories."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_enhance.io._content import Cut, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from cxr_enhance.io._content import Content

_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}  # BYTE, SHORT, LONG, LONG8
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 256, 257, 258, 259, 262, 274
_SAMPLES, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 277, 284, 322, 323
_EXTRA_SAMPLES, _SAMPLE_FORMAT = 338, 339
_SINGLE = frozenset((
    _WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _PLANAR, _TILE_WIDTH,
    _TILE_HEIGHT,
))  # fmt: skip
_TAGS = _SINGLE | {_BITS, _EXTRA_SAMPLES, _SAMPLE_FORMAT}
_MOST_TAGS, _MOST_VALUES = 4096, 16
COLOR_MAP = 320
_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6


class TiffPage(NamedTuple):
    """The first page of a TIFF.

    Parameters
    ----------
    width, height : int
        Pixels.
    tile : (int, int) or None
        Width and height of a tile; None where the page consists of strips.
    bits : int
        Bits a sample.
    samples : int
        Samples a pixel.
    compression : int
        Value of the tag; 1 is no compression.
    photometric : int
        Meaning of samples: `WHITE_IS_ZERO`, `BLACK_IS_ZERO`, `RGB`, `PALETTE` or another value.
    is_unsigned : bool
        Whether samples are unsigned integers.
    is_planar : bool
        Whether each channel is stored apart.
    orientation : int
        Orientation as in EXIF.
    unassociated_alpha : tuple of (int, str)
        Positions in the file, and struct codes, of the values that declare unassociated alpha.
    """

    width: int
    height: int
    tile: tuple[int, int] | None
    bits: int
    samples: int
    compression: int
    photometric: int
    is_unsigned: bool
    is_planar: bool
    orientation: int
    unassociated_alpha: tuple[tuple[int, str], ...]


class _Field(NamedTuple):
    values: list[int]
    position: int
    code: str  # struct code of one value, with the byte order


def tiff_first_page(data: Content) -> TiffPage | None:
    """Read the first directory of a TIFF or BigTIFF.

    Returns
    -------
    TiffPage or None
        None if the directory lies outside `data`, has a tag twice, or has a tag that readers
        understand differently, such as a size of several values or of an odd type.
    """
    try:
        fields = _fields(data)
    except Cut:
        return None
    if fields is None:
        return None
    # Readers agree only where each of these tags has one value.
    if any(len(fields[tag].values) != 1 for tag in _SINGLE & fields.keys()):
        return None

    def number(tag: int, default: int) -> int:
        return fields[tag].values[0] if tag in fields else default

    width, height = number(_WIDTH, 0), number(_HEIGHT, 0)
    depths = set(fields[_BITS].values) if _BITS in fields else {1}
    if not width or not height or len(depths) != 1:
        return None
    formats = set(fields[_SAMPLE_FORMAT].values) if _SAMPLE_FORMAT in fields else {1}
    tile = (number(_TILE_WIDTH, 0), number(_TILE_HEIGHT, 0))
    extra = fields.get(_EXTRA_SAMPLES)
    return TiffPage(
        width=width,
        height=height,
        tile=tile if any(tile) else None,
        bits=depths.pop(),
        samples=number(_SAMPLES, 1),
        compression=number(_COMPRESSION, 1),
        photometric=number(_PHOTOMETRIC, BLACK_IS_ZERO),
        is_unsigned=formats <= {1, 4},  # 4 is "undefined"
        is_planar=number(_PLANAR, 1) == 2,
        orientation=number(_ORIENTATION, 1),
        unassociated_alpha=() if extra is None else _alpha_places(extra),
    )


def without_blending(data: bytes, page: TiffPage) -> bytes:
    """Declare alpha as associated, so that OpenCV drops it without blending."""
    changed = bytearray(data)
    for position, code in page.unassociated_alpha:
        struct.pack_into(code, changed, position, _ASSOCIATED_ALPHA)
    return bytes(changed)


def _alpha_places(extra: _Field) -> tuple[tuple[int, str], ...]:
    size = struct.calcsize(extra.code)
    return tuple(
        (extra.position + index * size, extra.code)
        for index, value in enumerate(extra.values)
        if value == _UNASSOCIATED_ALPHA
    )


def tiff_numbers(data: Content, tag: int) -> npt.NDArray[np.uint64] | None:
    """Return the values of one tag of the first directory; None if it is missing or damaged."""
    try:
        entries = [entry for entry in _entries(data) if entry.tag == tag]
        if len(entries) != 1 or not _is_of_numbers(entries[0]):
            return None
        (entry,) = entries
        code, place = entry.order + _TYPES[entry.kind], _place_of(data, entry)
    except Cut:
        return None
    size = entry.length * struct.calcsize(code)
    values = data[place : place + size] if size <= len(data) else b""
    if len(values) < size:
        return None
    return np.frombuffer(values, code).astype(np.uint64)


class _Entry(NamedTuple):
    tag: int
    kind: int
    length: int
    position: int  # of the values, or of their offset if they need more room
    order: str
    offset_code: str


def _entries(data: Content) -> Iterator[_Entry]:
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    offset_code, count_code, entry_size = ("Q", "Q", 20) if big else ("I", "H", 12)
    (start,) = unpack(order + offset_code, data, 8 if big else 4)
    (count,) = unpack(order + count_code, data, start)
    if count > _MOST_TAGS:
        raise Cut
    first = start + struct.calcsize(order + count_code)
    for position in range(first, first + count * entry_size, entry_size):
        tag, kind, values = unpack(order + "HH" + offset_code, data, position)
        at = position + 4 + struct.calcsize(order + offset_code)
        yield _Entry(tag, kind, values, at, order, offset_code)


def _is_of_numbers(entry: _Entry) -> bool:
    return entry.kind in _TYPES and entry.length >= 1


def _place_of(data: Content, entry: _Entry) -> int:
    """Return the position of the values."""
    size = entry.length * struct.calcsize(entry.order + _TYPES[entry.kind])
    if size <= struct.calcsize(entry.order + entry.offset_code):
        return entry.position
    return int(unpack(entry.order + entry.offset_code, data, entry.position)[0])


def _fields(data: Content) -> dict[int, _Field] | None:
    fields: dict[int, _Field] = {}
    for entry in _entries(data):
        if entry.tag not in _TAGS:
            continue
        if entry.tag in fields or not _is_of_numbers(entry) or entry.length > _MOST_VALUES:
            return None
        code, place = _TYPES[entry.kind], _place_of(data, entry)
        values = list(unpack(f"{entry.order}{entry.length}{code}", data, place))
        fields[entry.tag] = _Field(values, place, entry.order + code)
    return fields
