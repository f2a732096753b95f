"""DICOM to an image as it is meant to be shown: modality LUT, VOI LUT or window, then polarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io._headers import Size
from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.elements import read_elements
from cxr_enhance.io.dicom.header import read_header
from cxr_enhance.io.dicom.pixels import stored_words
from cxr_enhance.io.dicom.tables import apply_table, display_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from mmap import mmap

    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.header import DicomHeader
    from cxr_enhance.io.options import ReadOptions


class Decoded(NamedTuple):
    """An image, and what its file had to be forgiven."""

    image: Image
    notes: Sequence[str] = ()
    was_inverted: bool = False  # MONOCHROME1, shown with 0 black


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
        If the file is damaged, of a kind not read, or too large; see `read_image`.
    ImportError
        If pydicom or the decoder needed is not installed.

    Notes
    -----
    The transforms are evaluated once for every word a pixel may hold and then looked up. The
    values are those of pydicom's ``apply_modality_lut`` and ``apply_voi_lut``, with the range that
    the header allows moved to 0..2**bits - 1, rounded half to even: nothing changes for unsigned
    data without rescale, signed data lose their negative offset. Spare bits above the stored ones
    are ignored. In enhanced multi-frame files those of the frame's functional groups count.
    """
    elements = read_elements(data, options.frame)
    header = read_header(elements)
    options.check_size("DICOM image", Size(header.width, header.height))
    notes = elements.notes
    if options.frame >= header.frames:
        raise ValueError(
            f"`frame` must be less than the number of frames, {header.frames}; got {options.frame}."
        )
    if header.frames > 1:
        notes.append(f"frame {options.frame} of {header.frames}, counted from 0")
    words = stored_words(elements, header, options.frame)
    table = display_table(header, options.voi, notes) if words.ndim == 2 else None
    if table is not None:
        words = apply_table(table, words)
    elif not words.flags.writeable:
        words = words.copy()
    return Decoded(words, notes, was_inverted=header.photometric == "MONOCHROME1")


def dicom_header(data: bytes | mmap) -> tuple[DicomHeader, list[str]]:
    """Describe a DICOM file without decoding it; see `image_info`."""
    elements = read_elements(data)
    header = read_header(elements)
    if elements.pixels is None:
        raise ValueError(f"{RULE}; got a DICOM file without pixel data.")
    return header, elements.notes
