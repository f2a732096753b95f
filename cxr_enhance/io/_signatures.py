"""What a file is, told from its first bytes; names and extensions say nothing reliable."""

from __future__ import annotations

import struct

HEAD_BYTES = 132  # DICOM's mark is the furthest in, at 128

READ = ("JPEG", "PNG", "TIFF", "WebP", "BMP")
"""The formats this package reads."""

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
    (b"GIF8", "GIF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
)
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC"}


def image_format(head: bytes) -> str | None:
    """Name the image format of a file from its first `HEAD_BYTES` bytes.

    Returns
    -------
    str or None
        One of `READ`, or the name of an image format that is known but not read, or None where
        the bytes are of no image.
    """
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and len(head) >= 18:
        # Two letters are little evidence; the reserved zeros and the header's size are the rest.
        reserved, _, header_size = struct.unpack_from("<III", head, 6)
        if reserved == 0 and header_size in _BMP_HEADERS:
            return "BMP"
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[4:8] == b"ftyp":
        return _ISO_BRANDS.get(head[8:12])
    return None
