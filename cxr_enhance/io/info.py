"""Format, size and other header fields of an image file; no pixel is decoded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr_enhance.io import _headers
from cxr_enhance.io._content import Cut, documented_errors, opened, unpack
from cxr_enhance.io._signatures import HEAD_BYTES, READ, RULE, image_format, no_image
from cxr_enhance.io._tiff import tiff_first_page
from cxr_enhance.io.dicom.decode import dicom_header
from cxr_enhance.io.options import check_source
from cxr_enhance.io.samples import member_of, read_member

if TYPE_CHECKING:
    from cxr_enhance.io._content import Content
    from cxr_enhance.io.dicom.header import DicomHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """The fields of a file's header; None for a field that the header lacks.

    Parameters
    ----------
    format : str
        "JPEG", "PNG", "TIFF", "WebP", "BMP" or "DICOM".
    height, width : int or None
        Size in pixels, as stored (before an EXIF orientation is applied).
    channels : int or None
        Samples per pixel.
    bits : int or None
        Bits used in a sample; for DICOM, Bits Stored.
    bits_allocated : int or None
        Bits Allocated, the bits that a sample occupies. This and all further fields are set for
        DICOM only.
    signed : bool or None
        Whether stored values have a sign.
    photometric : str or None
        Photometric interpretation, such as "MONOCHROME1".
    frames : int
        Number of frames.
    transfer_syntax : str or None
        UID of the transfer syntax.
    window : (float, float) or None
        Center and width of the first window.
    has_voi_lut, has_modality_lut : bool
        Whether the file has a VOI LUT and a Modality LUT.
    rescale : (float, float) or None
        Rescale Slope and Rescale Intercept.
    modality, view, laterality : str or None
        Modality, View Position and Laterality, such as "DX", "PA" and "L".
    pixel_spacing : (float, float) or None
        Millimetres from one row to the next and from one column to the next: PixelSpacing, else
        ImagerPixelSpacing, else NominalScannedPixelSpacing.
    notes : tuple of str
        Problems of the header that were tolerated; and why the pixels cannot be decoded, where they
        contradict the header.
    """

    format: str
    height: int | None
    width: int | None
    channels: int | None = None
    bits: int | None = None
    bits_allocated: int | None = None
    signed: bool | None = None
    photometric: str | None = None
    frames: int = 1
    transfer_syntax: str | None = None
    window: tuple[float, float] | None = None
    has_voi_lut: bool = False
    has_modality_lut: bool = False
    rescale: tuple[float, float] | None = None
    modality: str | None = None
    view: str | None = None
    laterality: str | None = None
    pixel_spacing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def image_info(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> ImageInfo:
    """Read format, size and other header fields of an image file; no pixel is decoded.

    Parameters
    ----------
    source : str, PathLike, bytes, bytearray or memoryview
        Name of a file or, as for `read_image`, of an image in a file of samples; or the content of
        an image file.

    Returns
    -------
    ImageInfo
        The header's fields; no field identifies a patient.

    Raises
    ------
    TypeError
        If `source` is neither a name nor bytes.
    ValueError
        If `read_image` does not read the format, or the header is damaged.
    OSError
        If the file cannot be opened or read.

    See Also
    --------
    cxr_enhance.read_image

    Notes
    -----
    Only the header of a file is read: time and memory do not grow with the number of frames, nor
    memory with the lengths that a DICOM header declares. There is one exception: if a DICOM header
    states an unusual High Bit, the first frame of native pixels is read too, unless it has more
    than 2**28 pixels. A deflated DICOM file is inflated, to 512 MiB at most. For several DICOM
    frames, window and rescale are those of the first frame.

    Examples
    --------
    >>> from cxr_enhance.io import image_info, write_image
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.png"
    >>> write_image(path, np.zeros((48, 64), np.uint16))
    >>> info = image_info(path)
    >>> info.format, info.height, info.width, info.bits
    ('PNG', 48, 64, 16)
    """
    if isinstance(source, bytes | bytearray | memoryview):
        with documented_errors():
            return _info(bytes(source))
    check_source(source)
    member = member_of(source)
    try:
        if member is not None:
            with documented_errors():
                return _info(read_member(member))
        with opened(source) as content, documented_errors():
            return _info(content)
    except ValueError as error:
        raise ValueError(f"{error} File: {os.fspath(source)!r}.") from error


def _info(data: Content) -> ImageInfo:
    name = image_format(data[:HEAD_BYTES])
    if name not in READ:
        got = no_image(data) if name is None else f"{name}. Convert it to PNG first"
        raise ValueError(f"{RULE}; got {got}.")
    if name == "DICOM":
        return _dicom_info(*dicom_header(data))
    size = _headers.declared_size(data, name)
    width, height = (None, None) if size is None else size
    try:
        channels, bits = _depth(data, name)
    except Cut:
        channels, bits = None, None
    return ImageInfo(format=name, height=height, width=width, channels=channels, bits=bits)


def _dicom_info(header: DicomHeader, notes: list[str]) -> ImageInfo:
    window = header.window
    return ImageInfo(
        format="DICOM",
        height=header.height,
        width=header.width,
        channels=header.samples,
        bits=header.bits_stored,
        bits_allocated=header.bits_allocated,
        signed=header.signed,
        photometric=header.photometric,
        frames=header.frames,
        transfer_syntax=header.transfer_syntax,
        window=None if window is None else (window.center, window.width),
        has_voi_lut=header.voi_table is not None,
        has_modality_lut=header.modality_table is not None,
        rescale=header.rescale,
        modality=header.modality,
        view=header.view,
        laterality=header.laterality,
        pixel_spacing=header.pixel_spacing,
        notes=tuple(notes),
    )


def _depth(data: Content, name: str) -> tuple[int | None, int | None]:
    """Return the number of channels and the bits of a channel; None for what is not known."""
    if name == "PNG":
        bits, kind = unpack("BB", data, 24)
        return {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(kind), 8 if kind == 3 else bits
    if name == "TIFF":
        page = tiff_first_page(data)
        return None, None if page is None else page.bits
    if name == "JPEG":
        frame_start = _headers.jpeg_frame(data)
        if frame_start is None:
            return None, None
        bits, channels = unpack("B4xB", data, frame_start + 4)
        return channels, bits
    if name == "BMP" and unpack("<I", data, 14)[0] != 12:
        (bits,) = unpack("<H", data, 28)
        return max(bits // 8, 3), 8
    return None, 8 if name == "WebP" else None
