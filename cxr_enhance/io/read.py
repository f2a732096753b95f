"""Read image files; the first bytes of a file determine its decoder.

The module does not enhance images. It checks the size that a header declares before it reads all of
a file, and again before it decodes the file.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io import _headers
from cxr_enhance.io._content import Cut, documented_errors, opened
from cxr_enhance.io._decoders import DECODERS, undecodable
from cxr_enhance.io._signatures import HEAD_BYTES, image_format, no_image
from cxr_enhance.io._signatures import RULE as _RULE
from cxr_enhance.io._tiff import tiff_first_page
from cxr_enhance.io.dicom.decode import (
    Decoded,
    StoredFrame,
    check_declared,
    decode_dicom,
    stored_frame,
)
from cxr_enhance.io.opencv import opencv_version
from cxr_enhance.io.options import MAX_PIXELS, ReadOptions, check_source
from cxr_enhance.io.raw import read_raw
from cxr_enhance.io.samples import member_of, read_member

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.io._content import Content
    from cxr_enhance.io.dicom.windowing import Voi
    from cxr_enhance.io.raw import Raw

_START_BYTES = 1 << 26


def read_image(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview,
    *,
    voi: Voi = "auto",
    window: tuple[float, float] | None = None,
    frame: int = 0,
    max_pixels: int = MAX_PIXELS,
    raw: Raw | None = None,
) -> Image:
    """Read an image file: gray as gray, colour as RGB, 16 bits as 16 bits.

    Formats are JPEG, PNG, TIFF, WebP, BMP and DICOM. The content determines the format; the file's
    name does not. The pixels equal those of ``cv2.imread``, but colour is in RGB order and 16 bits
    are not reduced to 8. The pixels of DICOM are those to be shown; 0 is black.

    Parameters
    ----------
    source : str, PathLike, bytes, bytearray or memoryview
        Name of a file, or the content of a file. ``000000.tar::KEY`` names an image in a file of
        samples that `cxr-enhance run --format webdataset` or ``tfrecord`` wrote. The image is found
        with the index in the same folder.
    voi : {"auto", "window", "lut", "none"}, default "auto"
        VOI transform of a DICOM file, applied after its modality LUT or rescale. "auto" applies the
        VOI LUT, or the first window if there is no VOI LUT. "window" applies the first window.
        "lut" applies the VOI LUT. "none" applies neither. No effect on other formats that have a
        header.
    window : (float, float), optional
        Center and width of a window that replaces the VOI LUT and window of a DICOM file. The VOI
        LUT Function of the file (LINEAR if it has none) is kept. Only allowed with `voi` "auto" or
        "window". No effect on other formats that have a header.
    frame : int, default 0
        Index of the frame to read in a multi-frame DICOM file. Must be 0 for other formats. Only
        the first page of a TIFF file is read.
    max_pixels : int, default 2**28
        Largest number of pixels that a header may declare. A larger image is an error, which is
        raised before decoding.
    raw : {"jsrt"}, optional
        Layout of raw pixels without a header: "jsrt" for the ``.IMG`` files of the JSRT data set.
        None detects the format from the content. Only allowed without `window`, with `voi` "auto"
        and `frame` 0, and not for FILE::KEY.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        (H, W) if the file declares gray pixels. (H, W, 3) RGB for other files, even if their three
        channels are equal. New array, native byte order, C-contiguous.

    Raises
    ------
    TypeError
        If `source` is neither a name nor bytes, or an option has the wrong type.
    ValueError
        If the content is empty, cut short, damaged, too large, or of a format that is not read. If
        the values are not unsigned integers of 8 or 16 bits (DICOM values may be signed). The
        message ends with the file's name. If an option is out of range.
    OSError
        If the file cannot be opened or read; FileNotFoundError if it does not exist.
    ImportError
        If OpenCV, or a package that a DICOM file needs, is missing or cannot be loaded.
    MemoryError
        If there is not enough memory for the file or its pixels.

    Warns
    -----
    UserWarning
        If a DICOM header has a problem that was tolerated; the warning describes the repair.

    See Also
    --------
    write_image

    Notes
    -----
    - Alpha is dropped, not blended. A palette becomes RGB.
    - For an animated PNG the default image is read, for an animated WebP the first frame.
    - EXIF orientation is applied, as ``cv2.imread`` does (in WebP since OpenCV 5).
    - WebP has no gray: its images are always (H, W, 3).
    - DICOM: the standard's modality and VOI transforms are computed in float64. The range that the
      header allows is mapped to 0..2**bits - 1 and rounded half to even. Then MONOCHROME1 is
      inverted. 12-bit values stay 0..4095. YBR becomes RGB. The dtype is uint8 if the result has at
      most 8 bits. Padding is as dark as the darkest pixel of the image. See docs/archives.md, "What
      is read".
    - CMYK becomes RGB by OpenCV's formula. TIFF values of 10, 12 or 14 bits are shifted left to 16.
    - TIFF files in which 0 is white (WhiteIsZero) are inverted at every depth: 0 is black in the
      result.
    - Embedded colour profiles and gamma are ignored, as in ``cv2.imread``.
    - Files that OpenCV would decode to wrong pixels are refused: TIFF of more than 8 bits with
      separate planes for the channels, and BMP with unusual colour masks. A JPEG without an end
      marker is refused too; ``cv2.imread`` fills its missing pixels with gray.
    - PNG, WebP, and TIFF with Deflate contain checks: damaged files raise an error. JPEG, and TIFF
      with other compressions, contain none: pixels that are damaged inside such a file are read as
      far as the codec can read them. A TIFF that lacks pixels raises an error.
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
    options = ReadOptions(voi=voi, window=window, frame=frame, max_pixels=max_pixels)
    if raw is not None:
        return read_raw(source, raw, options)
    if isinstance(source, bytes | bytearray | memoryview):
        decoded = decode_image(bytes(source), options)
        _warn(decoded, "")
        return decoded.image
    check_source(source)
    decoded = decode_file(source, options)
    _warn(decoded, f" File: {os.fspath(source)!r}.")
    return decoded.image


def decode_file(path: str | os.PathLike[str], options: ReadOptions) -> Decoded:
    """Read and decode the image file at `path`, or the image that FILE::KEY names.

    The result holds the pixels, and also notes, polarity and padding, which `read_image` does not
    return.

    Raises
    ------
    ValueError
        As `read_image`; the message ends with the file's name.
    OSError, ImportError, MemoryError
        As `read_image`.
    """
    member = member_of(path)
    try:
        if member is not None:
            return decode_image(read_member(member), options)
        with opened(path) as content:
            if image_format(content[:HEAD_BYTES]) == "DICOM":
                with documented_errors():
                    return decode_dicom(content, options)
            data = _whole_if_image(content, options)
        return decode_image(read_start(path) if data is None else data, options)
    except ValueError as error:
        raise ValueError(f"{error} File: {os.fspath(path)!r}.") from error


def read_if_image(path: str | os.PathLike[str], options: ReadOptions) -> bytes | None:
    """Read all of a file if its first bytes are those of an image, else return None.

    Raises
    ------
    ValueError
        If its header declares more pixels than `options` allow, or the header of a DICOM file is
        damaged or that of no image; only the header is read then.
    OSError
        If the file cannot be read.
    """
    with opened(path) as content:
        return _whole_if_image(content, options)


def _whole_if_image(content: Content, options: ReadOptions) -> bytes | None:
    name = image_format(content[:HEAD_BYTES])
    if name is None:
        return None
    if isinstance(content, bytes):  # of a pipe
        return content
    with documented_errors():
        _check_declared(content, name, options)
    return content.whole_file()


def is_image_file(path: str) -> bool:
    """Return whether a file's first bytes are those of an image; True if they cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return not file.seekable() or image_format(file.read(HEAD_BYTES)) is not None
    except OSError:
        return True  # the error is reported when the file is read


def _check_declared(content: Content, name: str, options: ReadOptions) -> None:
    """Refuse a file whose header declares too many pixels, and a DICOM file without an image."""
    if name == "DICOM":
        check_declared(content, options)
    else:
        _check_size(content, name, options)


def read_start(path: str | os.PathLike[str]) -> bytes:
    """Read the start of a file that is not an image; the error of `decode_image` describes it."""
    with open(path, "rb") as file:
        return file.read(_START_BYTES)


def _warn(decoded: Decoded, file_sentence: str) -> None:
    """Warn the caller of `read_image` about header problems that were tolerated."""
    if decoded.notes:
        notes = "; ".join(decoded.notes)
        warnings.warn(f"DICOM: {notes}.{file_sentence}", UserWarning, stacklevel=3)


def decode_image(data: bytes, options: ReadOptions) -> Decoded:
    """Decode the content of an image file; see `read_image`, which adds the file's name."""
    name = image_format(data[:HEAD_BYTES])
    if name is None:
        raise ValueError(f"{_RULE}; got {no_image(data)}.")
    with documented_errors():
        return decode_dicom(data, options) if name == "DICOM" else _decode(data, name, options)


def decode_stored_frame(data: bytes, options: ReadOptions) -> StoredFrame | None:
    """Decode a DICOM file before any transform; None for the content of another format.

    Raises
    ------
    ValueError, ImportError, MemoryError
        As `read_image`.
    """
    if image_format(data[:HEAD_BYTES]) != "DICOM":
        return None
    with documented_errors():
        return stored_frame(data, options)


def _decode(data: bytes, name: str, options: ReadOptions) -> Decoded:
    if name not in DECODERS:
        raise ValueError(f"{_RULE}; got {name}. Convert it to PNG first.")
    size = _check_size(data, name, options)
    if options.frame:
        raise ValueError(f"`frame` must be 0 for a {name} image; got {options.frame}.")
    if size is None or 0 in size:  # an image of unknown size is not decoded
        raise undecodable(data, name)
    try:
        image = DECODERS[name](data, name)
    except Cut:
        raise undecodable(data, name) from None
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{_RULE} of 8 or 16 bits a channel; got a {name} of {image.dtype}.")
    if sorted(image.shape[:2]) != sorted(size):  # an EXIF orientation may swap height and width
        raise undecodable(data, name)
    if image.ndim == 3:
        image = np.ascontiguousarray(image[..., ::-1])
    return Decoded(image, decoder=opencv_version())


def _check_size(content: Content, name: str, options: ReadOptions) -> _headers.Size | None:
    """Return the declared size; refuse a size, or the size of a TIFF tile, that is too large."""
    size = _headers.declared_size(content, name)
    if size is not None:
        options.check_size(f"{name} image", size)
    page = tiff_first_page(content) if name == "TIFF" else None
    if page is not None and page.tile is not None:
        options.check_size("TIFF tile", _headers.Size(*page.tile))
    return size
