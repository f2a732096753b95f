"""Read DICOM's file structure into raw elements, in time and memory bounded by the file's size.

This module handles tags and lengths; it does not interpret images. It skips sequences without
recursion. It opens only the first item of the two lookup tables and, in enhanced files, the items
of the functional groups that state how a frame is shown.

The module replaces pydicom's parser for four reasons. A contradictory or hostile file must fail
with a clear message, in bounded time and memory. Each repair of a header must be noted. A header
must be read without its pixels. An archive of native pixels must need no further package.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

from cxr_enhance.io._content import Content, FileBytes
from cxr_enhance.io._signatures import RULE

PIXEL_DATA, EXTENDED_OFFSETS = 0x7FE00010, 0x7FE00001
TRANSFER_SYNTAX = 0x00020010
MODALITY_LUT, VOI_LUT = 0x00283000, 0x00283010
SHARED_GROUPS, FRAME_GROUPS = 0x52009229, 0x52009230
PIXEL_VALUE_TRANSFORMATION, FRAME_VOI_LUT = 0x00289145, 0x00289132
LUT_DESCRIPTOR, LUT_DATA = 0x00283002, 0x00283006

GE_BIG_PIXELS = "1.2.840.113619.5.2"  # private: implicit little-endian, pixels big-endian
IMPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
EXPLICIT_LITTLE, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"

# Window center, width and function, rescale intercept and slope.
_LIFTED = frozenset((0x00281050, 0x00281051, 0x00281056, 0x00281052, 0x00281053))
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN",
                       b"UR", b"UT", b"UV"))  # fmt: skip
_MOST_ELEMENTS = 500_000  # about a second of work; real headers have hundreds
_TOO_MANY = f"{RULE}; got a DICOM file of more than {_MOST_ELEMENTS} elements."
_DEEPEST = 100
_MOST_INFLATED, _INFLATED_AT_ONCE = 1 << 29, 1 << 20
_LONGEST_UID = 64
_DELIMITER_BYTES = 8  # all that an empty sequence of undefined length has

View = memoryview | FileBytes
"""The content of a file, or a part of it, that is read already, or that slicing reads."""


class Element(NamedTuple):
    """One element as it stands in the file."""

    vr: str
    value: View


@dataclass(slots=True)
class Elements:
    """The top level of a file's data set, up to the pixel data.

    Parameters
    ----------
    transfer_syntax : str
        UID; if the file states no UID, the UID that fits its first element.
    order : {"<", ">"}
        Byte order.
    by_tag : dict of int to Element
        The elements by tag, including group 0002. Sequences are left out, except sequences of known
        length that have no VR "SQ" in the file, as in implicit VR. Rescale and window of the
        frame's functional groups are copied here from their sequences.
    tables : dict of int to dict of int to Element
        The first item of each lookup table.
    pixels : memoryview, FileBytes or None
        The pixel data element; with its fragments if `is_encapsulated`.
    pixels_vr : str
        VR of the pixel data element.
    is_encapsulated : bool
        Whether the pixel data element has an undefined length, as fragments have.
    notes : list of str
        Problems that were tolerated.
    """

    transfer_syntax: str = ""
    order: str = "<"
    by_tag: dict[int, Element] = field(default_factory=dict)
    tables: dict[int, dict[int, Element]] = field(default_factory=dict)
    pixels: View | None = None
    pixels_vr: str = ""
    is_encapsulated: bool = False
    notes: list[str] = field(default_factory=list)


class Cut(Exception):  # noqa: N818 - never seen by callers of this package
    """The file ends before the element does."""


def read_elements(data: Content, frame: int = 0) -> Elements:
    """Read a DICOM file's elements, with the functional groups of one of its frames.

    Of an open file, only tags and lengths are read; the values of the elements are read when they
    are sliced, while the file is open. So memory does not grow with the lengths that a header
    declares.

    Raises
    ------
    ValueError
        If the structure is damaged, cut short before the pixel data, or far too deep or long.
    """
    try:
        walk, start = begin_walk(data)
        walk.run(start, frame)
    except Cut as error:
        raise ValueError(f"{RULE}; got a DICOM file cut short or damaged: {error}.") from None
    return walk.elements


def begin_walk(data: Content) -> tuple[Walk, int]:
    """Read the part before the data set; return a walk over the data set and its start."""
    view = memoryview(data) if isinstance(data, bytes) else data
    start = 132 if data[128:132] == b"DICM" else 0
    elements = Elements()
    start = _read_meta(view, start, elements)
    view, start, explicit = _data_set(view, start, elements)
    return Walk(view, elements, explicit), start


def _read_meta(view: View, position: int, elements: Elements) -> int:
    """Read group 0002, always explicit little-endian, and return its end."""
    for _ in range(_MOST_ELEMENTS):
        if bytes(view[position : position + 2]) != b"\2\0":
            return position
        tag, vr, length, value = _header(view, position, "<", explicit=True)
        position = value + length
        if length == UNDEFINED or position > len(view):
            raise Cut(_beyond(tag, length, view))
        if tag == TRANSFER_SYNTAX:
            uid = bytes(view[value : min(position, value + _LONGEST_UID)])
            elements.transfer_syntax = uid.decode("latin-1").strip(" \0")
        elements.by_tag[tag] = Element(vr, _part(view, value, position))
    raise ValueError(_TOO_MANY)


def _data_set(view: View, start: int, elements: Elements) -> tuple[View, int, bool]:
    """Inflate a deflated data set; return the data, their start, and whether VRs are explicit."""
    syntax = elements.transfer_syntax
    if syntax == DEFLATED:
        return _inflated(view, start), 0, True
    if not syntax:
        elements.notes.append("no transfer syntax; taken from the first element")
        if bytes(view[start : start + 2]) == b"\0\x08":
            syntax = EXPLICIT_BIG
        else:
            syntax = EXPLICIT_LITTLE if _is_vr(view[start + 4 : start + 6]) else IMPLICIT_LITTLE
        elements.transfer_syntax = syntax
    elements.order = ">" if syntax == EXPLICIT_BIG else "<"
    explicit = syntax not in (IMPLICIT_LITTLE, GE_BIG_PIXELS)
    # In implicit VR, letters here would be a length of more than 16 KB of the first element.
    if not explicit and _is_vr(bytes(view[start + 4 : start + 6])):
        elements.notes.append("transfer syntax of implicit VR, elements have explicit VR; read so")
        explicit = True
    return view, start, explicit


def _inflated(view: View, start: int) -> memoryview:
    inflater, inflated = zlib.decompressobj(-15), bytearray()
    for position in range(start, len(view), _INFLATED_AT_ONCE):
        piece = view[position : position + _INFLATED_AT_ONCE]
        try:
            inflated += inflater.decompress(piece, _MOST_INFLATED + 1 - len(inflated))
        except zlib.error as error:
            raise Cut(f"its deflated part cannot be inflated ({error})") from None
        if len(inflated) > _MOST_INFLATED:
            raise ValueError(f"{RULE}; got a DICOM file that inflates to more than 512 MiB.")
        if inflater.eof:
            break
    return memoryview(inflated).toreadonly()


class Walk:
    """One pass over a data set; the number of steps is limited, so that every pass ends."""

    def __init__(self, view: View, elements: Elements, explicit: bool) -> None:
        self.view, self.elements, self.explicit = view, elements, explicit
        self.steps = 0

    def run(self, position: int, frame: int) -> None:
        """Fill `elements`, from the element at `position` on, to the pixel data or the end."""
        view, elements = self.view, self.elements
        while position < len(view):
            tag, vr, length, value = self.header(position)
            if tag == PIXEL_DATA:
                self.take_pixels(vr, length, value)
                return
            undefined = length == UNDEFINED
            position = self.skip_items(value) if undefined else value + length
            if position > len(view):
                raise Cut(_beyond(tag, length, view))
            content = _part(view, value, position)
            if tag in (MODALITY_LUT, VOI_LUT):
                self.take_table(tag, content)
            elif tag == SHARED_GROUPS:
                self.take_group(content, 0)
            elif tag == FRAME_GROUPS and not self.take_group(content, frame):
                elements.notes.append(f"no functional group of frame {frame}")
            elif not undefined and vr != "SQ":
                elements.by_tag[tag] = Element(vr, content)

    def header(self, position: int) -> tuple[int, str, int, int]:
        """Read the element at `position`: its tag, VR, length, and the start of its value."""
        self.steps += 1
        if self.steps > _MOST_ELEMENTS:
            raise ValueError(_TOO_MANY)
        return _header(self.view, position, self.elements.order, self.explicit)

    def take_pixels(self, vr: str, length: int, value: int) -> None:
        """Keep the pixel data; note pixel data that the file cuts short."""
        elements, view = self.elements, self.view
        elements.is_encapsulated = length == UNDEFINED
        if not elements.is_encapsulated and value + length > len(view):
            elements.notes.append(
                f"pixel data declared with {length} bytes, {len(view) - value} are there"
            )
        elements.pixels_vr = vr
        stop = len(view) if elements.is_encapsulated else value + length
        elements.pixels = _part(view, value, stop)

    def take_table(self, tag: int, sequence: View) -> None:
        """Keep the first item of a lookup table's sequence."""
        item = self.item(sequence)
        if item is not None:
            self.elements.tables[tag] = item
        elif len(sequence) > _DELIMITER_BYTES:
            name = "VOI" if tag == VOI_LUT else "Modality"
            self.elements.notes.append(f"{name} LUT damaged; left out")

    def take_group(self, sequence: View, index: int) -> bool:
        """Copy rescale and VOI of one item of functional groups to the top level."""
        group = self.item(sequence, index)
        if group is None:
            return False
        for tag in (PIXEL_VALUE_TRANSFORMATION, FRAME_VOI_LUT):
            macro = group.get(tag)
            for inner, element in ((macro and self.item(macro.value)) or {}).items():
                if inner == VOI_LUT:
                    self.take_table(inner, element.value)
                elif inner in _LIFTED:
                    self.elements.by_tag[inner] = element
        return True

    def skip_items(self, position: int, *, within_item: bool = False) -> int:
        """Step over a sequence or item of undefined length, nested ones too, without recursion."""
        in_sequence = [not within_item]  # per level: True in a sequence, False in an item
        while in_sequence:
            if len(in_sequence) > 2 * _DEEPEST:
                raise ValueError(
                    f"{RULE}; got a DICOM file with sequences nested more than {_DEEPEST} deep."
                )
            tag, _, length, value = self.header(position)
            position = value
            if tag == (SEQUENCE_END if in_sequence[-1] else ITEM_END):
                in_sequence.pop()
            elif in_sequence[-1] and tag != ITEM:
                raise Cut(f"a sequence holds {tag_text(tag)} where an item must be")
            elif length == UNDEFINED:
                in_sequence.append(not in_sequence[-1])
            else:
                position += length
                if position > len(self.view):
                    raise Cut(_beyond(tag, length, self.view))
        return position

    def item(self, sequence: View, index: int = 0) -> dict[int, Element] | None:
        """Read the elements of one item of a sequence; None if there is no such item."""
        inner = Walk(sequence, self.elements, self.explicit)
        inner.steps = self.steps
        content, position = _part(sequence, 0, 0), 0
        for _ in range(index + 1):
            if position + 8 > len(sequence):
                return None
            tag, _, length, value = inner.header(position)
            if tag != ITEM:
                return None
            undefined = length == UNDEFINED
            position = inner.skip_items(value, within_item=True) if undefined else value + length
            content = _part(sequence, value, position)
        inner.view = content
        item = inner.all_elements()
        self.steps = inner.steps
        return item

    def all_elements(self) -> dict[int, Element]:
        """Return every element of an item; a sequence as its bytes."""
        item, position = {}, 0
        while position < len(self.view):
            tag, vr, length, value = self.header(position)
            if tag in (ITEM_END, SEQUENCE_END):
                break
            position = self.skip_items(value) if length == UNDEFINED else value + length
            if position > len(self.view):
                raise Cut(_beyond(tag, length, self.view))
            item[tag] = Element(vr, _part(self.view, value, position))
        return item


def _part(view: View, start: int, stop: int) -> View:
    """Return a part of a file's content; read nothing."""
    return view[start:stop] if isinstance(view, memoryview) else view.part(start, stop)


def fragments_of(pixels: memoryview) -> list[memoryview]:
    """Split encapsulated pixel data into its items; the first is the table of offsets."""
    fragments, position = [], 0
    while position + 8 <= len(pixels):
        group, element, length = struct.unpack_from("<HHI", pixels, position)
        position += 8
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            break
        if tag != ITEM:
            raise ValueError(
                f"{RULE}; got a DICOM file whose pixel data hold {tag_text(tag)} where a fragment "
                "must be."
            )
        if position + length > len(pixels):
            raise ValueError(
                f"{RULE}; got a DICOM file cut short: a fragment of {length} bytes is declared "
                f"where {len(pixels) - position} are left."
            )
        fragments.append(pixels[position : position + length])
        position += length
        if len(fragments) > _MOST_ELEMENTS:
            raise ValueError(f"{RULE}; got a DICOM file of more than {_MOST_ELEMENTS} fragments.")
    return fragments


def _header(view: View, position: int, order: str, explicit: bool) -> tuple[int, str, int, int]:
    """Read the element at `position`: its tag, VR, length, and the start of its value."""
    head = bytes(view[position : position + 12])
    if len(head) < 8:
        raise Cut(f"it ends after {len(view)} bytes, within an element")
    group, element = struct.unpack_from(order + "HH", head)
    vr = head[4:6]
    # Some writers drop into implicit VR in the midst of an explicit file; items never have a VR.
    if not explicit or group == 0xFFFE or not _is_vr(vr):
        (length,) = struct.unpack_from(order + "I", head, 4)
        return group << 16 | element, "", length, position + 8
    if vr in _LONG_VRS:
        if len(head) < 12:
            raise Cut(f"it ends after {len(view)} bytes, within an element")
        (length,) = struct.unpack_from(order + "I", head, 8)
        return group << 16 | element, vr.decode(), length, position + 12
    (length,) = struct.unpack_from(order + "H", head, 6)
    return group << 16 | element, vr.decode(), length, position + 8


def _is_vr(letters: bytes | memoryview) -> bool:
    return len(letters) == 2 and all(65 <= letter <= 90 for letter in letters)


def tag_text(tag: int) -> str:
    """Write a tag as the standard does: ``(gggg,eeee)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _beyond(tag: int, length: int, view: View) -> str:
    declared = "an undefined length" if length == UNDEFINED else f"{length} bytes"
    return f"element {tag_text(tag)} declares {declared}, the file has {len(view)}"
