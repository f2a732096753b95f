"""Find the bytes of one frame in a file's pixel data, native or in fragments."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.elements import EXTENDED_OFFSETS, fragments_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance.io.dicom.elements import Elements, View
    from cxr_enhance.io.dicom.header import DicomHeader

_ITEM = b"\xfe\xff\x00\xe0"
_END_MARKER = b"\xff\xd9"  # the same in JPEG and JPEG 2000
_MOST_PADDING = 10  # bytes after an end marker
SNIFFED_BYTES = 1 << 16


def holds_fragments(elements: Elements) -> bool:
    """Return whether the pixel data consist of fragments, even if they declare a known length."""
    pixels = elements.pixels
    if pixels is None or elements.is_encapsulated:
        return elements.is_encapsulated
    if bytes(pixels[:4]) != _ITEM or len(pixels) < 16:
        return False
    length = int.from_bytes(pixels[4:8], "little")
    return length % 4 == 0 and bytes(pixels[8 + length : 12 + length]) == _ITEM


def first_bytes(pixels: View) -> bytes:
    """Return the beginning of the first frame of encapsulated pixel data."""
    position = 0
    for _ in range(2):  # the table of offsets, then the first fragment
        if bytes(pixels[position : position + 4]) != _ITEM or position + 8 > len(pixels):
            return b""
        length = int.from_bytes(pixels[position + 4 : position + 8], "little")
        start, position = position + 8, position + 8 + length
    return bytes(pixels[start : min(position, start + SNIFFED_BYTES)])


def native_bytes(
    pixels: View, start: int, size: int, *, swapped: bool
) -> bytes | memoryview | bytearray:
    """Return the bytes of one frame of native pixel data.

    Parameters
    ----------
    pixels : memoryview or FileBytes
        The value of the element.
    start, size : int
        Offset and length of the frame in bytes, counted after a swap.
    swapped : bool
        True if the pixel data consist of 16-bit words with the high byte first. Then the two bytes
        of each word are swapped. Words are counted from the start of the pixel data.
    """
    if not swapped:
        return pixels[start : start + size]
    first = start - start % 2
    part = bytearray(pixels[first : start + size + (start + size) % 2])
    even = len(part) - len(part) % 2
    part[0:even:2], part[1:even:2] = part[1:even:2], part[0:even:2]
    return part[start - first : start - first + size]


def compressed_frame(
    pixels: memoryview, elements: Elements, header: DicomHeader, frame: int
) -> bytes:
    """Join the fragments of one frame.

    Raises
    ------
    ValueError
        If there are no fragments, or neither offsets nor end markers assign them to frames.
    """
    offsets, *fragments = fragments_of(pixels) or [memoryview(b"")]
    if not any(map(len, fragments)):
        raise ValueError(f"{RULE}; got a DICOM file without pixel data.")
    if header.frames == 1:
        return b"".join(fragments)
    if len(fragments) == header.frames:
        return bytes(fragments[frame])
    firsts = _by_offsets(_offsets(elements, offsets), fragments)
    if len(firsts) != header.frames:
        if len(offsets):
            elements.notes.append("table of offsets does not fit; frames told by their ends")
        firsts = _by_end_markers(fragments)
    if len(firsts) != header.frames:
        raise ValueError(
            f"{RULE}; got a DICOM file of {header.frames} frames in {len(fragments)} fragments "
            "without a table or end markers that tell which is whose."
        )
    return b"".join(fragments[firsts[frame] : [*firsts, len(fragments)][frame + 1]])


def _offsets(elements: Elements, basic: memoryview) -> tuple[int, ...]:
    extended = elements.by_tag.get(EXTENDED_OFFSETS)
    table: View = basic if extended is None else extended.value
    code, size = ("I", 4) if extended is None else ("Q", 8)
    return struct.unpack(f"<{len(table) // size}{code}", table[: len(table) // size * size])


def _by_offsets(offsets: Sequence[int], fragments: Sequence[memoryview]) -> list[int]:
    """List the first fragment of each frame; empty if an offset is not the start of a fragment."""
    index_at, position = {}, 0
    for index, fragment in enumerate(fragments):
        index_at[position] = index
        position += len(fragment) + 8
    firsts = [index_at.get(offset, -1) for offset in offsets]
    rises = all(a < b for a, b in zip([-1, *firsts], firsts, strict=False))
    return firsts if rises and firsts[:1] == [0] else []


def _by_end_markers(fragments: Sequence[memoryview]) -> list[int]:
    ends = [
        index + 1
        for index, fragment in enumerate(fragments)
        if _END_MARKER in bytes(fragment[-_MOST_PADDING:])
    ]
    return [0, *ends[:-1]] if ends and ends[-1] == len(fragments) else []
