"""Find out whether a source was compressed with loss, which a derived header must state."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io import _headers
from cxr_enhance.io._signatures import HEAD_BYTES, image_format
from cxr_enhance.io._tiff import tiff_first_page
from cxr_enhance.io.dicom.codec import code_stream, corrected_syntax
from cxr_enhance.io.dicom.frames import first_bytes, holds_fragments

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.elements import Elements, View
    from cxr_enhance.io.dicom.header import DicomHeader

_METHODS = {
    "50": "ISO_10918_1", "51": "ISO_10918_1", "81": "ISO_14495_1", "91": "ISO_15444_1",
    "203": "ISO_15444_15",
}  # fmt: skip
_MOST_FRAMES = 1 << 31  # the greatest number that Number of Frames can hold
_JPEG_IN_TIFF = (6, 7)
# These syntaxes may be lossless too, if the header says so.
_MAYBE = ("81", "91", "203")


class Loss(NamedTuple):
    """The lossy compression of a source."""

    ratio: float
    method: str  # the standard's term for the method, or empty
    is_certain: bool = True


def loss_of_dicom(elements: Elements, header: DicomHeader) -> Loss | None:
    """Find the loss of a DICOM file by its first frame, else by its transfer syntax."""
    if not elements.pixels or not holds_fragments(elements):
        return None
    kind = _syntax(elements.pixels, header).removeprefix("1.2.840.10008.1.2.4.")
    if kind not in _METHODS:
        return None
    size = header.height * header.width * header.samples * header.bits_allocated // 8
    ratio = size * min(header.frames, _MOST_FRAMES) / len(elements.pixels)
    return Loss(ratio, _METHODS[kind], is_certain=kind not in _MAYBE)


def _syntax(pixels: View, header: DicomHeader) -> str:
    """Return the transfer syntax of the first frame, which may differ from the declared syntax."""
    data = first_bytes(pixels)
    with contextlib.suppress(ValueError):
        stream = code_stream(data)
        if stream is not None and stream.is_jpeg:  # only JPEG streams show whether they are lossy
            return stream.transfer_syntax
        return corrected_syntax(data, stream, header)
    return header.transfer_syntax


def loss_of_file(source: bytes) -> Loss | None:
    """Find the loss of an image file that is not a DICOM file."""
    name = image_format(source[:HEAD_BYTES])
    if name == "TIFF":
        return _loss_of_tiff(source)
    size = _headers.declared_size(source, name) if name in ("JPEG", "WebP") else None
    if size is None or (name == "WebP" and b"VP8 " not in source):
        return None
    channels = 3
    place = _headers.jpeg_frame(source) if name == "JPEG" else None
    if place is not None:
        channels = source[place + 9]
    ratio = size.width * size.height * channels / len(source)
    return Loss(ratio, "ISO_10918_1" if name == "JPEG" else "")


def _loss_of_tiff(source: bytes) -> Loss | None:
    page = tiff_first_page(source)
    if page is None or page.compression not in _JPEG_IN_TIFF:
        return None
    size = page.width * page.height * page.samples * page.bits // 8
    return Loss(size / len(source), "ISO_10918_1")
