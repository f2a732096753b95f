"""DICOM to an image as it is meant to be shown: modality LUT, VOI LUT or window, then polarity."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io._headers import Size
from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.codec import RLE, believed_header, code_stream
from cxr_enhance.io.dicom.elements import read_elements
from cxr_enhance.io.dicom.frames import first_bytes, holds_fragments
from cxr_enhance.io.dicom.header import read_header
from cxr_enhance.io.dicom.no_image import check_holds_image
from cxr_enhance.io.dicom.padding import darken_padding
from cxr_enhance.io.dicom.pixels import stored_words
from cxr_enhance.io.dicom.windowing import apply_table, changes_nothing, display_table, shown_bits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from mmap import mmap

    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.elements import Elements
    from cxr_enhance.io.dicom.header import DicomHeader
    from cxr_enhance.io.options import ReadOptions


class Decoded(NamedTuple):
    """A decoded image and the header problems that were tolerated."""

    image: Image
    notes: Sequence[str] = ()
    was_inverted: bool = False  # stored with 0 white, shown with 0 black
    padding: int = 0  # pixels that are no part of the image; none of the others is darker
    bits: int = 0  # of gray DICOM pixels, which fill 0 to 2**bits - 1; 0 where the dtype tells
    decoder: str = ""  # with its version; empty for native DICOM pixels
    pixel_spacing: tuple[float, float] | None = None  # millimetres, down and across


def decode_dicom(data: bytes, options: ReadOptions) -> Decoded:
    """Decode one frame of the content of a DICOM file.

    Parameters
    ----------
    data : bytes
        The file, with or without its preamble of 128 bytes, whose content is never looked at.
    options : ReadOptions
        VOI transform, frame, greatest size.

    Returns
    -------
    Decoded
        The image, of shape (H, W) or (H, W, 3), dtype uint8 or uint16: gray after the modality and
        VOI transforms, 0 black, or RGB; uint8 where 8 bits hold it. The notes say what was amiss
        in the header, and what was done about it.

    Raises
    ------
    ValueError
        If the file is damaged, of a kind not read, or too large; see `read_image`. `NoImageError`
        if it is whole and holds no image, such as a report.
    ImportError
        If pydicom or the decoder needed is not installed.

    Notes
    -----
    The transforms are evaluated once for every word a pixel may hold and then looked up. The
    values are those of the standard's arithmetic (PS3.3 C.7.6.3, C.11.1, C.11.2) in binary64, with
    the range that the header allows moved to 0..2**bits - 1, rounded half to even: nothing changes
    for unsigned data without rescale, signed data lose their negative offset. Spare bits above the
    stored ones are ignored in native pixels; compressed ones are clipped. Where header and pixels
    contradict each other the pixels decide if they can, with a note. In enhanced multi-frame files
    what the frame's functional groups say counts.
    """
    elements = read_elements(data, options.frame)
    check_holds_image(elements)
    header = read_header(elements)
    options.check_size("DICOM image", Size(header.width, header.height))
    notes = elements.notes
    if options.frame >= header.frames:
        raise ValueError(
            f"`frame` must be less than the number of frames, {header.frames}; got {options.frame}."
        )
    if header.frames > 1:
        notes.append(f"frame {options.frame} of {header.frames}, counted from 0")
    words, header, decoder = stored_words(elements, header, options.frame)
    padding = bits = 0
    if words.ndim == 2:
        bits = shown_bits(header, options.voi)
        table = display_table(header, options.voi, notes)
        table, padding = darken_padding(table, words, header)
        if not changes_nothing(table, words):
            words = apply_table(table, words)
    image = words if words.flags.writeable else words.copy()
    return Decoded(image, notes, header.inverted, padding, bits, decoder, header.pixel_spacing)


def dicom_header(data: bytes | mmap) -> tuple[DicomHeader, list[str]]:
    """Describe a DICOM file without decoding it; see `image_info`."""
    elements = read_elements(data)
    check_holds_image(elements)
    header = read_header(elements)
    if elements.pixels is None:
        raise ValueError(f"{RULE}; got a DICOM file without pixel data.")
    with contextlib.suppress(ValueError):  # what is wrong with pixels is for those who read them
        _compare(elements, elements.pixels, header)
    return header, elements.notes


def _compare(elements: Elements, pixels: memoryview, header: DicomHeader) -> None:
    """Note what pixels say against the header, as far as they tell without being decoded."""
    is_unusual = header.high_bit != header.bits_stored - 1
    if holds_fragments(elements):
        data = first_bytes(pixels)
        _, syntax = believed_header(data, code_stream(data), header, elements.notes)
        if is_unusual and syntax == RLE:
            elements.notes.append(f"High Bit {header.high_bit} of {header.bits_stored} bits stored")
    elif is_unusual and header.samples == 1:
        stored_words(elements, header, 0)
