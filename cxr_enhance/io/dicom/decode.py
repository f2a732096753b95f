"""Decode a DICOM file to the image to be shown: modality LUT, VOI LUT or window, polarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io._headers import Size
from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.codec import RLE, check_stream, code_stream, corrected_header
from cxr_enhance.io.dicom.elements import read_elements
from cxr_enhance.io.dicom.frames import SNIFFED_BYTES, first_bytes, holds_fragments
from cxr_enhance.io.dicom.grayscale import rescaled_range, stored_range
from cxr_enhance.io.dicom.header import read_header
from cxr_enhance.io.dicom.no_image import check_holds_image
from cxr_enhance.io.dicom.padding import darken_padding
from cxr_enhance.io.dicom.pixels import check_native, stored_words
from cxr_enhance.io.dicom.windowing import (
    apply_table,
    changes_nothing,
    display_table,
    shown_bits,
    with_window,
)
from cxr_enhance.io.options import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance._types import Image
    from cxr_enhance.io._content import Content
    from cxr_enhance.io.dicom.elements import Elements, View
    from cxr_enhance.io.dicom.header import DicomHeader
    from cxr_enhance.io.options import ReadOptions


class Decoded(NamedTuple):
    """A decoded image and the header problems that were tolerated."""

    image: Image
    notes: Sequence[str] = ()
    was_inverted: bool = False  # whether 0 was stored as white; `image` has 0 as black
    padding: int = 0  # number of padding pixels; no other pixel is darker than padding
    bits: int = 0  # of gray DICOM pixels, with values 0 to 2**bits - 1; 0 means those of the dtype
    decoder: str = ""  # name and version; empty for native DICOM pixels
    pixel_spacing: tuple[float, float] | None = None  # millimetres, down and across


class StoredFrame(NamedTuple):
    """One frame as stored, before any transform; `shown_frame` applies VOI transforms to it."""

    words: Image
    header: DicomHeader
    decoder: str
    notes: Sequence[str]

    def values(self) -> tuple[float, float] | None:
        """Return the least and the greatest value after the modality LUT or rescale.

        None for a colour image. Padding is ignored, unless all pixels are padding.
        """
        if self.words.ndim != 2:
            return None
        header = self.header
        table, _ = darken_padding(display_table(header, "none", []), self.words, header)
        levels = 2 ** shown_bits(header, "none") - 1
        shown = apply_table(table, self.words)
        ends = [int(shown.min()), int(shown.max())]
        if header.inverted:
            ends = [levels - end for end in reversed(ends)]
        low, high = 0.0, float(levels)
        if header.modality_table is None:
            stored = stored_range(header.bits_stored, signed=header.signed)
            low, high = rescaled_range(stored, header.rescale)
        return low + (high - low) * ends[0] / levels, low + (high - low) * ends[1] / levels


def decode_dicom(data: Content, options: ReadOptions) -> Decoded:
    """Decode one frame of the content of a DICOM file.

    Parameters
    ----------
    data : bytes or FileBytes
        The file, with or without its preamble of 128 bytes; the preamble is ignored. Of an open
        file, the header is read, and of native pixels only the frame.
    options : ReadOptions
        VOI transform or window, frame, and largest number of pixels.

    Returns
    -------
    Decoded
        The image, of shape (H, W) or (H, W, 3), dtype uint8 or uint16: gray after the modality and
        VOI transforms, 0 black, or RGB; uint8 if the values have at most 8 bits. The notes name
        each problem of the header and its repair.

    Raises
    ------
    ValueError
        If the file is damaged, of a kind that is not read, or too large; see `read_image`.
        `NoImageError` if the file is valid and holds no image, such as a report.
    ImportError
        If pydicom or the decoder of the file is not installed.

    Notes
    -----
    The transforms are evaluated once for every word that a pixel may hold, and then looked up. The
    arithmetic is that of the standard (PS3.3 C.7.6.3, C.11.1, C.11.2) in binary64. The range that
    the header allows is moved to 0..2**bits - 1 and rounded half to even: unsigned data without
    rescale do not change, signed data lose their negative offset. In native pixels, spare bits
    above the stored bits are ignored, as are overlays in losslessly compressed words; other
    compressed values beyond the stored range are clipped. Where
    header and pixels contradict each other and the pixels show what is right, the pixels count, and
    a note is made. In enhanced multi-frame files the functional groups of the frame count.
    """
    return shown_frame(stored_frame(data, options), options)


def stored_frame(data: Content, options: ReadOptions) -> StoredFrame:
    """Decode one frame of the content of a DICOM file without any transform; see `decode_dicom`."""
    elements, header = _checked_header(data, options)
    notes = elements.notes
    if options.frame >= header.frames:
        raise ValueError(
            f"`frame` must be less than the number of frames, {header.frames}; got {options.frame}."
        )
    if header.frames > 1:
        notes.append(f"frame {options.frame} of {header.frames}, counted from 0")
    words, header, decoder = stored_words(elements, header, options.frame)
    return StoredFrame(words, header, decoder, tuple(notes))


def check_declared(data: Content, options: ReadOptions) -> None:
    """Refuse a DICOM file by its header, as `decode_dicom` does; no pixel is read.

    Raises
    ------
    ValueError
        As `decode_dicom`.
    """
    _checked_header(data, options)


def _checked_header(data: Content, options: ReadOptions) -> tuple[Elements, DicomHeader]:
    elements = read_elements(data, options.frame)
    check_holds_image(elements)
    header = read_header(elements)
    options.check_size("DICOM image", Size(header.width, header.height))
    return elements, header


def shown_frame(frame: StoredFrame, options: ReadOptions) -> Decoded:
    """Show a frame with the VOI transform or window of `options`.

    Raises
    ------
    ValueError
        If the window's width is not allowed with the frame's VOI LUT Function.

    Notes
    -----
    If the transforms change nothing, the image may be the frame's own array.
    """
    words, header, decoder, _ = frame
    notes = list(frame.notes)
    padding = bits = 0
    if words.ndim == 2:
        if options.window is not None:
            header = with_window(header, options.window)
        bits = shown_bits(header, options.voi)
        table = display_table(header, options.voi, notes)
        table, padding = darken_padding(table, words, header)
        if not changes_nothing(table, words):
            words = apply_table(table, words)
    image = words if words.flags.writeable else words.copy()
    return Decoded(image, notes, header.inverted, padding, bits, decoder, header.pixel_spacing)


def dicom_header(data: Content) -> tuple[DicomHeader, list[str]]:
    """Return the header of a DICOM file and the notes on it, without decoding pixels."""
    elements = read_elements(data)
    check_holds_image(elements)
    header = read_header(elements)
    if elements.pixels is None:
        raise ValueError(f"{RULE}; got a DICOM file without pixel data.")
    try:
        _compare(elements, elements.pixels, header)
    except ValueError as error:  # the pixels cannot be decoded, but the header can be described
        elements.notes.append(
            f"cannot be decoded: {str(error).rpartition('; got ')[2].rstrip('.')}"
        )
    return header, elements.notes


def _compare(elements: Elements, pixels: View, header: DicomHeader) -> None:
    """Note contradictions between header and pixels that are visible without decoding."""
    is_unusual = header.high_bit != header.bits_stored - 1
    if holds_fragments(elements):
        data = first_bytes(pixels)
        stream = code_stream(data)
        if stream is None and len(data) == SNIFFED_BYTES and header.transfer_syntax != RLE:
            return  # the frame's header may follow
        corrected, syntax = corrected_header(data, stream, header, elements.notes)
        check_stream(stream, data, corrected, syntax)
        is_unseen = syntax == RLE
    elif is_unusual and header.samples == 1 and header.height * header.width <= MAX_PIXELS:
        stored_words(elements, header, 0)
        return
    else:
        is_unseen = header.samples == 1
        check_native(len(pixels), header, elements.notes)
    if is_unusual and is_unseen:
        elements.notes.append(f"High Bit {header.high_bit} of {header.bits_stored} bits stored")
