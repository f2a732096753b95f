"""Bytes to pixels, by content: one decoder a format, chosen by the file's first bytes.

Knows nothing of enhancement. A further format is a row in `_DECODERS`.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io import _headers
from cxr_enhance.io._signatures import HEAD_BYTES, image_format
from cxr_enhance.io._signatures import RULE as _RULE
from cxr_enhance.io.dicom.decode import Decoded, decode_dicom
from cxr_enhance.io.opencv import load_cv2
from cxr_enhance.io.options import MAX_PIXELS, ReadOptions, check_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.tables import Voi

_START_BYTES = 1 << 26


def read_image(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview,
    *,
    voi: Voi = "auto",
    frame: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> Image:
    """Read an image file: gray as gray, colour as RGB, 16 bits as 16 bits.

    The format is told from the content, never from the name: JPEG, PNG, TIFF, WebP, BMP and DICOM.
    The pixels are those of ``cv2.imread``, with colour in RGB order and without its cut to 8 bits;
    those of DICOM are as meant to be shown, 0 being black.

    Parameters
    ----------
    source : str, PathLike, bytes, bytearray or memoryview
        Name of a file, or the content of one.
    voi : {"auto", "window", "lut", "none"}, default "auto"
        Which VOI transform of a DICOM file is applied after its modality LUT or rescale: its
        VOI LUT, else its first window; its first window; its VOI LUT; neither. Other formats have
        none.
    frame : int, default 0
        Which frame of a multi-frame DICOM file is read. Other formats have one; of a TIFF of
        several pages the first is read.
    max_pixels : int, default 2**28
        Most pixels an image may declare; more is an error before anything is decoded.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        (H, W) where the file says that it is gray, (H, W, 3) RGB for every other file, even where
        its three channels are equal. New array, native-endian, C-contiguous.

    Raises
    ------
    TypeError
        If `source` is neither a name nor bytes, or an option has the wrong type.
    ValueError
        If the content is empty, cut short, damaged, of no format read here, too large, or of a
        depth other than 8 or 16 bits without sign (DICOM: with or without); the sentence ends in
        the file's name. If an option is out of range.
    OSError
        If the file cannot be opened or read; FileNotFoundError where it does not exist.
    ImportError
        If OpenCV, or what a DICOM file needs, is missing or cannot be loaded.

    Warns
    -----
    UserWarning
        If a DICOM header was amiss and could be read all the same, with what was done about it.

    See Also
    --------
    write_image

    Notes
    -----
    - Alpha is dropped, not blended. A palette becomes RGB.
    - EXIF orientation is applied, as ``cv2.imread`` does (in WebP since OpenCV 5).
    - WebP has no gray: its images are always (H, W, 3).
    - DICOM: the values are pydicom's ``apply_modality_lut`` and ``apply_voi_lut``, with the range
      that the header allows moved to 0..2**bits - 1 and rounded half to even; then MONOCHROME1 is
      inverted. 12 bits stay 0..4095. YBR becomes RGB. uint8 where 8 bits hold the result.
    - CMYK becomes RGB by OpenCV's formula. TIFF of 10, 12 or 14 bits comes shifted left to 16.
    - Embedded colour profiles and gamma are ignored, as in ``cv2.imread``.
    - Damage inside JPEG scan data leaves no trace that OpenCV would report: such files are read as
      far as the codec can. PNG, WebP and compressed TIFF carry checks and raise.
    - OpenCV refuses images of more than 2**30 pixels; see its ``OPENCV_IO_MAX_IMAGE_PIXELS``.
    - Safe to call from several threads; decoding releases the GIL.

    Examples
    --------
    >>> from cxr_enhance import read_image, write_image
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "ramp.png"
    >>> write_image(path, np.tile(np.arange(64, dtype=np.uint8), (48, 1)))
    >>> read_image(path).shape
    (48, 64)
    """
    options = ReadOptions(voi=voi, frame=frame, max_pixels=max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        decoded = decode_image(bytes(source), options)
        _warn(decoded, "")
        return decoded.image
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"`source` must be a file's name or its bytes; got {type(source).__name__}."
            f"{' Pass its .read().' if hasattr(source, 'read') else ''}"
        )
    check_name(source, "source")
    data = read_if_image(source)
    if data is None:
        data = read_start(source)
    try:
        decoded = decode_image(data, options)
    except ValueError as error:
        raise ValueError(f"{error} File: {os.fspath(source)!r}.") from error
    _warn(decoded, f" File: {os.fspath(source)!r}.")
    return decoded.image


def read_if_image(path: str | os.PathLike[str]) -> bytes | None:
    """Read a file whole if its first bytes are those of an image, else return None."""
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
        if image_format(head) is None:
            return None
        return head + file.read()


def read_start(path: str | os.PathLike[str]) -> bytes:
    """Read enough of a file that is no image for `decode_image` to say what it is."""
    with open(path, "rb") as file:
        return file.read(_START_BYTES)


def _warn(decoded: Decoded, name: str) -> None:
    if decoded.notes:
        warnings.warn(f"DICOM: {'; '.join(decoded.notes)}.{name}", UserWarning, stacklevel=3)


def decode_image(data: bytes, options: ReadOptions) -> Decoded:
    """Decode the content of an image file; see `read_image`, which adds the file's name."""
    if not data:
        raise ValueError(f"{_RULE}; got an empty file.")
    name = image_format(data[:HEAD_BYTES])
    if name is None:
        raise ValueError(f"{_RULE}; got {_no_image(data)}.")
    if name == "DICOM":
        return decode_dicom(data, options)
    if name not in _DECODERS:
        raise ValueError(f"{_RULE}; got {name}. Convert it to PNG first.")
    size = _headers.declared_size(data, name)
    if size is not None:
        options.check_size(f"{name} image", size)
    if options.frame:
        raise ValueError(f"`frame` must be 0 for a {name} image; got {options.frame}.")
    image = _DECODERS[name](data, name)
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{_RULE} of 8 or 16 bits a channel; got a {name} of {image.dtype}.")
    if image.ndim == 2:
        return Decoded(image)
    return Decoded(np.ascontiguousarray(image[..., ::-1]))


def _decode_with_opencv(data: bytes, name: str) -> Image:
    cv2 = load_cv2()
    # These two flags keep gray gray and 16 bits 16 bits, drop alpha and apply EXIF orientation.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"OpenCV has no memory to decode this {name} image.") from error
        if "CV_IO_MAX_IMAGE" in str(error):
            raise ValueError(
                f"{_RULE} within OpenCV's size limits; got a {name} with more than 2**20 pixels a "
                "side or 2**30 in all."
            ) from error
        raise ValueError(
            f"{_RULE}; got a {name} that OpenCV cannot decode: {error.err}."
        ) from error
    if image is None:
        raise _undecodable(data, name)
    return image  # type: ignore[no-any-return]


def _undecodable(data: bytes, name: str) -> ValueError:
    return ValueError(
        f"{_RULE}; got a {name} of {len(data)} bytes that is cut short, damaged, or of a kind "
        "that OpenCV does not decode."
    )


def _decode_jpeg(data: bytes, name: str) -> Image:
    if _headers.jpeg_frame(data) is None:  # else its size would go unchecked
        raise _undecodable(data, name)
    if _headers.jpeg_has_too_many_scans(data):
        raise ValueError(f"{_RULE}; got a JPEG of more scans than any encoder writes.")
    return _decode_with_opencv(data, name)


def _decode_png(data: bytes, name: str) -> Image:
    if not _headers.png_is_whole(data):
        raise ValueError(f"{_RULE}; got a PNG cut short after {len(data)} bytes.")
    image = _decode_with_opencv(data, name)
    if image.ndim == 3 and _headers.png_is_gray(data):  # OpenCV makes gray with alpha colour
        return np.ascontiguousarray(image[..., 0])
    return image


def _decode_tiff(data: bytes, name: str) -> Image:
    page = _headers.tiff_first_page(data)
    if page is None:
        raise ValueError(f"{_RULE}; got a TIFF cut short after {len(data)} bytes.")
    if page.bits > 16 or not page.is_unsigned:
        kind = "unsigned" if page.is_unsigned else "signed or floating-point"
        raise ValueError(
            f"{_RULE} of 8 or 16 bits a channel; got a TIFF of {kind} {page.bits}-bit values. "
            "Scale it and save it as uint16."
        )
    if page.bits == 16 and page.white_is_zero:
        # OpenCV inverts the 8-bit ones and not these: a negative must not pass for a positive.
        raise ValueError(
            f"{_RULE} where 0 is black; got a 16-bit TIFF where 0 is white (WhiteIsZero). Invert "
            "its values and save it as BlackIsZero."
        )
    image = _decode_with_opencv(data, name)
    if (image.dtype == np.uint8) != (page.bits <= 8):
        raise ValueError(
            f"{_RULE}; got a {page.bits}-bit TIFF of a kind that OpenCV cuts to {image.dtype}, "
            "such as gray with alpha. Save it without alpha."
        )
    return image


_DECODERS: dict[str, Callable[[bytes, str], Image]] = {
    "JPEG": _decode_jpeg,
    "PNG": _decode_png,
    "TIFF": _decode_tiff,
    "WebP": _decode_with_opencv,
    "BMP": _decode_with_opencv,
}


def _no_image(data: bytes) -> str:
    return f"{len(data)} bytes that begin with {data[:8]!r}"
