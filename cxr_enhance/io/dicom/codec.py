"""The header of a compressed frame, and its contradictions to the DICOM header."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io._headers import jpeg_frame
from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.elements import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    GE_BIG_PIXELS,
    IMPLICIT_LITTLE,
)
from cxr_enhance.io.dicom.jpeg_2000 import stream_size

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.header import DicomHeader

RLE = "1.2.840.10008.1.2.5"
NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED, GE_BIG_PIXELS)
_JPEG = "1.2.840.10008.1.2.4."
_FAMILIES = {
    "JPEG": tuple(_JPEG + end for end in ("50", "51", "57", "70")),
    "JPEG-LS": tuple(_JPEG + end for end in ("80", "81")),
    "JPEG 2000": tuple(_JPEG + end for end in ("90", "91")),
    "HTJ2K": tuple(_JPEG + end for end in ("201", "202", "203")),
    "RLE": (RLE,),
}
# Of JPEG 2000 and HTJ2K, further syntaxes may be lossless too.
_LOSSLESS = frozenset(_JPEG + end for end in ("57", "70", "80", "90", "201", "202"))
_FAMILY_OF = {syntax: name for name, family in _FAMILIES.items() for syntax in family}
# Syntax by the marker of the frame header. Decoders know no syntax of progressive JPEG.
_JPEG_SYNTAXES = {0xC0: "50", 0xC1: "51", 0xC2: "50", 0xC3: "57", 0xF7: "80"}
_HEADER_OF_RLE = 64
_MOST_RLE_SEGMENTS = 15


class CodeStream(NamedTuple):
    """The fields that a compressed frame declares."""

    transfer_syntax: str  # the syntax under which decoders read the frame
    width: int
    height: int
    channels: int
    bits: int
    signed: bool

    @property
    def is_jpeg(self) -> bool:
        """Whether the frame is a JPEG (not JPEG-LS or JPEG 2000), lossy or not."""
        return self.transfer_syntax in _FAMILIES["JPEG"]

    @property
    def is_dct(self) -> bool:
        """Whether the frame is a lossy JPEG (not JPEG-LS or JPEG 2000)."""
        return self.transfer_syntax in _FAMILIES["JPEG"][:2]


def code_stream(data: bytes) -> CodeStream | None:
    """Read the header of a compressed frame; None for a frame without a header, such as RLE.

    Raises
    ------
    ValueError
        If the boxes of a JP2 file do not lead to a code stream.
    """
    if data[:2] == b"\xff\xd8":
        place = jpeg_frame(data)
        syntax = None if place is None else _JPEG_SYNTAXES.get(data[place + 1], "50")
        if place is None or syntax is None:
            return None
        bits, height, width, channels = struct.unpack_from(">BHHB", data, place + 4)
        return CodeStream(_JPEG + syntax, width, height, channels, bits, signed=False)
    try:
        size = stream_size(data)
    except ValueError as error:
        raise ValueError(f"{RULE}; got a DICOM file whose pixels are {error}.") from None
    if size is None:
        return None
    syntax = "203" if size.high_throughput else "91"
    return CodeStream(
        _JPEG + syntax, size.width, size.height, size.components, size.bits, size.signed
    )


def corrected_syntax(data: bytes, stream: CodeStream | None, header: DicomHeader) -> str:
    """Return the transfer syntax to decode a frame by: the declared one, unless the frame differs.

    Raises
    ------
    ValueError
        If the transfer syntax is one without compression, and the frame is of no known kind.
    """
    stated = header.transfer_syntax
    if stream is not None:
        same = _FAMILY_OF.get(stated) == _FAMILY_OF.get(stream.transfer_syntax)
        return stated if same else stream.transfer_syntax
    if stated != RLE and _may_be_rle(data):
        return RLE
    if stated in NATIVE:
        raise ValueError(
            f"{RULE}; got a DICOM file whose pixels are compressed in a way that is not known, "
            "under a transfer syntax without compression."
        )
    return stated


def corrected_header(
    data: bytes, stream: CodeStream | None, header: DicomHeader, notes: list[str]
) -> tuple[DicomHeader, str]:
    """Return a header that agrees with a compressed frame, and the syntax to decode it by."""
    syntax = corrected_syntax(data, stream, header)
    if syntax != header.transfer_syntax:
        notes.append(
            f"transfer syntax {header.transfer_syntax} over {_FAMILY_OF[syntax]}; taken as {syntax}"
        )
    if syntax == RLE or stream is None:
        return header, syntax
    stored = header.bits_stored
    if not 1 <= stream.bits <= 16:
        raise ValueError(
            f"{RULE} of at most 16 bits; got a DICOM image of {stream.bits} bits in its compressed "
            "pixels."
        )
    # In both cases the header must be wrong; any other difference is an encoder's choice.
    if stream.bits > header.bits_allocated or (stream.is_dct and stream.bits == 8 < stored):
        notes.append(
            f"Bits Stored {stored} over compressed pixels of {stream.bits}; taken as {stream.bits}"
        )
        stored = stream.bits
    if header.high_bit != header.bits_stored - 1:
        notes.append(
            f"High Bit {header.high_bit} of {header.bits_stored} bits stored, which means nothing "
            f"in compressed pixels; taken as {stored - 1}"
        )
    allocated = 8 if stored <= 8 else 16
    corrected = dataclasses.replace(
        header, bits_allocated=allocated, bits_stored=stored, high_bit=stored - 1
    )
    return corrected, syntax


def check_stream(stream: CodeStream | None, data: bytes, header: DicomHeader, syntax: str) -> None:
    """Refuse a compressed frame of unknown size, or of another size than the header's.

    Such a frame may be a bomb.

    Raises
    ------
    ValueError
        If the size or the number of channels differs, or the frame has no header of its family.
    """
    if syntax == RLE:  # the worst encoder writes two bytes for each byte, and some padding
        size = header.height * header.width * header.samples * header.bits_allocated // 8
        if len(data) > 2 * size + 4096:
            raise ValueError(
                f"{RULE}; got a DICOM image of {size} bytes in {len(data)} bytes of RLE, more "
                "than any encoder writes."
            )
    elif stream is None and syntax in _FAMILY_OF:
        raise ValueError(
            f"{RULE}; got a DICOM file whose pixels are no {_FAMILY_OF[syntax]} that can be "
            f"decoded: {len(data)} bytes that begin with {data[:8]!r}."
        )
    elif stream is not None:
        if (stream.width, stream.height) != (header.width, header.height):
            raise ValueError(
                f"{RULE}; got a DICOM image of {header.width} x {header.height} pixels whose "
                f"compressed data hold {stream.width} x {stream.height}."
            )
        if stream.channels != header.samples:
            raise ValueError(
                f"{RULE}; got a DICOM image of {header.samples} channels whose compressed data "
                f"hold {stream.channels}."
            )


def is_lossless(transfer_syntax: str) -> bool:
    """Return whether a transfer syntax with code streams never changes a pixel."""
    return transfer_syntax in _LOSSLESS


def _may_be_rle(data: bytes) -> bool:
    if len(data) < _HEADER_OF_RLE:
        return False
    segments, first = struct.unpack_from("<II", data)
    return bool(1 <= segments <= _MOST_RLE_SEGMENTS and first == _HEADER_OF_RLE)
