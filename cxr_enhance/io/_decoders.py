"""One decoder for each format; OpenCV decodes, and known faults of OpenCV are corrected.

To add a format, add an entry to `DECODERS`.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io import _headers, _tiff
from cxr_enhance.io._content import Cut
from cxr_enhance.io._signatures import RULE as _RULE
from cxr_enhance.io._tiff_pieces import lacks_pixels
from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance._types import Image
    from cxr_enhance.io._tiff import TiffPage

_TIFF_BITS = (1, 4, 8, 10, 12, 14, 16)
# The compressions that libtiff may be built with. OpenCV decodes others to black.
_TIFF_COMPRESSIONS = frozenset((
    1, 2, 3, 4, 5, 6, 7, 8, 32766, 32771, 32773, 32809, 32946, 34661, 34676, 34677, 34887, 34925,
    50000, 50001,
))  # fmt: skip
_KEPT_IN_TILES = (1, 4, 5, 8)  # orientations that OpenCV decodes correctly in tiled TIFF files


def decode_with_opencv(data: bytes, name: str, *, in_colour: bool = False) -> Image:
    """Decode a file to gray, or to BGR where the file holds colour or `in_colour` is set.

    Raises
    ------
    ValueError
        If OpenCV cannot decode the file.
    MemoryError
        If there is no memory for the image.
    """
    image = _opencv_image(data, name, in_colour=in_colour)
    if image is None:
        raise undecodable(data, name)
    return image


def undecodable(data: bytes, name: str) -> ValueError:
    """Return the error for a file that OpenCV cannot decode for an unknown reason."""
    return ValueError(
        f"{_RULE}; got a {name} of {len(data)} bytes that is cut short, damaged, or of a kind "
        "that OpenCV does not decode."
    )


def _opencv_image(data: bytes, name: str, *, in_colour: bool) -> Image | None:
    cv2 = load_cv2()
    # ANYCOLOR keeps gray as gray; both flags drop alpha and apply EXIF orientation.
    flags = cv2.IMREAD_COLOR if in_colour else cv2.IMREAD_ANYCOLOR
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_ANYDEPTH)
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
    return image  # type: ignore[no-any-return]


def _decode_jpeg(data: bytes, name: str) -> Image:
    frame = _headers.jpeg_frame(data)
    if frame is None:
        raise undecodable(data, name)
    if data[frame + 9] not in (1, 3, 4):
        raise ValueError(f"{_RULE}; got a JPEG of {data[frame + 9]} channels.")
    if _headers.jpeg_has_too_many_scans(data):
        raise ValueError(f"{_RULE}; got a JPEG of more scans than any encoder writes.")
    if not _headers.jpeg_has_an_end(data, frame):
        raise ValueError(
            f"{_RULE}; got a JPEG of {len(data)} bytes that is cut short: it has no end marker. "
            "Get a whole copy of it."
        )
    return decode_with_opencv(data, name)


def _decode_png(data: bytes, name: str) -> Image:
    try:
        still = _headers.still_png(data)
    except Cut:
        raise ValueError(f"{_RULE}; got a PNG cut short after {len(data)} bytes.") from None
    if still is None:
        raise undecodable(data, name)
    image = decode_with_opencv(still, name)
    if image.ndim == 3 and _headers.png_is_gray(data):  # OpenCV decodes gray with alpha as colour
        return np.ascontiguousarray(image[..., 0])
    return image


def _decode_bmp(data: bytes, name: str) -> Image:
    if _headers.bmp_has_other_masks(data):
        raise ValueError(
            f"{_RULE}; got a BMP of 32 bits with masks of its own for red, green and blue. Save it "
            "as PNG."
        )
    if _headers.bmp_pixels_overlap(data):
        raise ValueError(
            f"{_RULE}; got a BMP whose pixels begin within its header or palette. Get a whole copy "
            "of it, or save it as PNG."
        )
    return decode_with_opencv(data, name, in_colour=_headers.bmp_has_a_palette_unseen(data))


def _decode_tiff(data: bytes, name: str) -> Image:
    page = _tiff.tiff_first_page(data)
    if page is None:
        raise undecodable(data, name)
    _check_tiff_depth(page)
    _check_tiff_layout(page)
    _check_tiff_pixels(data, page)
    if page.bits <= 8 and page.photometric == _tiff.RGB and page.unassociated_alpha:
        data = _tiff.without_blending(data, page)
    image = _opencv_image(data, name, in_colour=page.photometric == _tiff.PALETTE)
    if image is None and page.tile is not None:
        image = _decode_from_a_file(data)
    if image is None:
        raise undecodable(data, name)
    if (image.dtype == np.uint8) != (page.bits <= 8):
        raise ValueError(
            f"{_RULE}; got a {page.bits}-bit TIFF of a kind that OpenCV cuts to {image.dtype}."
        )
    if page.bits > 8 and page.photometric == _tiff.WHITE_IS_ZERO:
        # OpenCV inverts WhiteIsZero at 8 bits only: a negative must not be read as a positive.
        white = ((1 << page.bits) - 1) << (16 - page.bits)  # OpenCV shifts fewer bits to the top
        return np.uint16(white) - image
    return image


def _check_tiff_depth(page: TiffPage) -> None:
    is_read = page.bits in _TIFF_BITS and (page.bits != 4 or page.photometric == _tiff.PALETTE)
    if page.is_unsigned and is_read:
        return
    kind = "unsigned" if page.is_unsigned else "signed or floating-point"
    cure = f"Scale it and save it as {'uint8' if page.bits < 8 else 'uint16'}"
    raise ValueError(
        f"{_RULE} of 8 or 16 bits a channel; got a TIFF of {kind} {page.bits}-bit values. {cure}."
    )


def _check_tiff_layout(page: TiffPage) -> None:
    """Refuse layouts that OpenCV decodes to other pixels than the file holds."""
    is_deep, got_tiff = page.bits > 8, f"got a {page.bits}-bit TIFF"
    is_gray = page.photometric in (_tiff.WHITE_IS_ZERO, _tiff.BLACK_IS_ZERO)
    if page.is_planar and page.samples > 1 and (is_deep or page.photometric != _tiff.RGB):
        raise ValueError(
            f"{_RULE}; {got_tiff} with each channel by itself (PlanarConfiguration 2). Save it "
            "with the channels of each pixel together (PlanarConfiguration 1)."
        )
    if is_deep and is_gray and page.samples > 1:
        raise ValueError(f"{_RULE}; {got_tiff} of gray with alpha or more. Save it without alpha.")
    if (
        is_deep
        and not is_gray
        and (page.photometric, page.samples)
        not in (
            (_tiff.RGB, 3),
            (_tiff.RGB, 4),
        )
    ):
        raise ValueError(
            f"{_RULE}; {got_tiff} that is neither gray nor RGB (PhotometricInterpretation "
            f"{page.photometric}, {page.samples} samples a pixel). Save it as RGB."
        )
    if page.tile is not None and not is_deep and page.orientation not in _KEPT_IN_TILES:
        raise ValueError(
            f"{_RULE}; got a TIFF in tiles with orientation {page.orientation}. Turn its pixels "
            "and save it with orientation 1."
        )


def _check_tiff_pixels(data: bytes, page: TiffPage) -> None:
    """Refuse pixels that OpenCV does not decode although it reports no error."""
    if page.compression not in _TIFF_COMPRESSIONS:
        raise ValueError(
            f"{_RULE}; got a TIFF with a compression that is not decoded (Compression "
            f"{page.compression}). Save it without compression."
        )
    if page.photometric == _tiff.PALETTE:
        colours = _tiff.tiff_numbers(data, _tiff.COLOR_MAP)
        if colours is None or len(colours) < 3 << page.bits:
            raise ValueError(f"{_RULE}; got a TIFF of palette colours without a whole palette.")
    if lacks_pixels(data, page):
        raise ValueError(
            f"{_RULE}; got a TIFF of {len(data)} bytes whose pixels are cut short or damaged. Get "
            "a whole copy of it."
        )


def _decode_from_a_file(data: bytes) -> Image | None:
    """Write a TIFF to a temporary file and decode this file.

    From memory, OpenCV cannot read tiles whose number of bytes is not a multiple of 1,024.
    """
    cv2 = load_cv2()
    with tempfile.TemporaryDirectory(prefix="cxr-enhance-") as folder:
        path = os.path.join(folder, "tiles.tif")
        with open(path, "wb") as file:
            file.write(data)
        try:
            return cv2.imread(path, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)  # type: ignore[no-any-return]
        except cv2.error:
            return None


DECODERS: dict[str, Callable[[bytes, str], Image]] = {
    "JPEG": _decode_jpeg,
    "PNG": _decode_png,
    "TIFF": _decode_tiff,
    "WebP": decode_with_opencv,
    "BMP": _decode_bmp,
}
