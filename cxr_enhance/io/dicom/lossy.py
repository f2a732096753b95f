"""Whether the pixels of a source were ever compressed with loss, as a derived header must say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io import _headers
from cxr_enhance.io._signatures import HEAD_BYTES, image_format

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.elements import Elements
    from cxr_enhance.io.dicom.header import DicomHeader

_METHODS = {
    "50": "ISO_10918_1", "51": "ISO_10918_1", "81": "ISO_14495_1", "91": "ISO_15444_1",
    "203": "ISO_15444_15",
}  # fmt: skip
_MOST_FRAMES = 1 << 31  # as many as the number may tell
# These may as well be without loss, if the header says so.
_MAYBE = ("81", "91", "203")


class Loss(NamedTuple):
    """How a source was compressed with loss."""

    ratio: float
    method: str  # one of the standard's terms, or empty
    is_certain: bool = True


def loss_of_dicom(elements: Elements, header: DicomHeader) -> Loss | None:
    """Tell the loss of a DICOM file by its transfer syntax."""
    kind = header.transfer_syntax.removeprefix("1.2.840.10008.1.2.4.")
    if kind not in _METHODS or not elements.is_encapsulated or not elements.pixels:
        return None
    size = header.height * header.width * header.samples * header.bits_allocated // 8
    ratio = size * min(header.frames, _MOST_FRAMES) / len(elements.pixels)
    return Loss(ratio, _METHODS[kind], is_certain=kind not in _MAYBE)


def loss_of_file(source: bytes) -> Loss | None:
    """Tell the loss of an image file that is no DICOM file."""
    name = image_format(source[:HEAD_BYTES])
    size = _headers.declared_size(source, name) if name in ("JPEG", "WebP") else None
    if size is None or (name == "WebP" and b"VP8 " not in source):
        return None
    channels = 3
    place = _headers.jpeg_frame(source) if name == "JPEG" else None
    if place is not None:
        channels = source[place + 9]
    ratio = size.width * size.height * channels / len(source)
    return Loss(ratio, "ISO_10918_1" if name == "JPEG" else "")
