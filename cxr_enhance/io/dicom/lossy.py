"""Whether the pixels of a source were ever compressed with loss, as a derived header must say."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io import _headers
from cxr_enhance.io._signatures import HEAD_BYTES, image_format
from cxr_enhance.io._tiff import tiff_first_page
from cxr_enhance.io.dicom.codec import believed_syntax, code_stream
from cxr_enhance.io.dicom.frames import first_bytes, holds_fragments

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.elements import Elements
    from cxr_enhance.io.dicom.header import DicomHeader

_METHODS = {
    "50": "ISO_10918_1", "51": "ISO_10918_1", "81": "ISO_14495_1", "91": "ISO_15444_1",
    "203": "ISO_15444_15",
}  # fmt: skip
_MOST_FRAMES = 1 << 31  # as many as the number may tell
_JPEG_IN_TIFF = (6, 7)
# These may as well be without loss, if the header says so.
_MAYBE = ("81", "91", "203")


class Loss(NamedTuple):
    """How a source was compressed with loss."""

    ratio: float
    method: str  # one of the standard's terms, or empty
    is_certain: bool = True


def loss_of_dicom(elements: Elements, header: DicomHeader) -> Loss | None:
    """Tell the loss of a DICOM file by what its first frame is, else by its transfer syntax."""
    if not elements.pixels or not holds_fragments(elements):
        return None
    kind = _syntax(elements.pixels, header).removeprefix("1.2.840.10008.1.2.4.")
    if kind not in _METHODS:
        return None
    size = header.height * header.width * header.samples * header.bits_allocated // 8
    ratio = size * min(header.frames, _MOST_FRAMES) / len(elements.pixels)
    return Loss(ratio, _METHODS[kind], is_certain=kind not in _MAYBE)


def _syntax(pixels: memoryview, header: DicomHeader) -> str:
    """Name the transfer syntax that fits the first frame, where the one declared does not."""
    data = first_bytes(pixels)
    with contextlib.suppress(ValueError):
        stream = code_stream(data)
        if stream is not None and stream.is_jpeg:  # which alone tells whether it has loss
            return stream.transfer_syntax
        return believed_syntax(data, stream, header)
    return header.transfer_syntax


def loss_of_file(source: bytes) -> Loss | None:
    """Tell the loss of an image file that is no DICOM file."""
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
