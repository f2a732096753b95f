"""The format of a file by its first bytes; names and extensions are not reliable."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxr_enhance.io._content import Content

HEAD_BYTES = 132  # the mark of DICOM ends here, after all other marks

READ = ("JPEG", "PNG", "TIFF", "WebP", "BMP", "DICOM")
"""The formats this package reads."""

RULE = f"`source` must hold a whole {', '.join(READ[:-1])} or {READ[-1]} image"
"""The beginning of every error about a file's content."""

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
# Starts of other files that are found among images, and what to do with them.
_NO_IMAGES = (
    (b"\x93NUMPY", "a NumPy array. Load it with numpy.load"),
    (b"\x1f\x8b", "a gzip file. Unpack it first"),
    (b"PK\3\4", "a zip file. Unpack it first"),
    (b"version https://git-lfs", "a pointer of Git LFS. Fetch the file with git lfs pull"),
    *((b"P%d%c" % (kind, blank), "a Netpbm image. Convert it to PNG first")
      for kind in range(1, 8) for blank in b" \t\r\n"),
)  # fmt: skip
_FIRST_ELEMENTS = {2: (0x0000, 0x0002, 0x0010), 8: (0x0000, 0x0001, 0x0005, 0x0008, 0x0016, 0x0018)}
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC"}


def no_image(data: Content) -> str:
    """Describe the content of a file that is not an image, with a cure if its kind is known."""
    head = data[:HEAD_BYTES]
    if not head:
        return "an empty file"
    for start, description in _NO_IMAGES:
        if head.startswith(start):
            return description
    return f"{len(data)} bytes that begin with {head[:8]!r}"


def image_format(head: bytes) -> str | None:
    """Name the image format of a file from its first `HEAD_BYTES` bytes.

    Returns
    -------
    str or None
        One of `READ`, or the name of an image format that is known but not read, or None if the
        bytes begin no known image.
    """
    # DICOM comes first, because the 128 bytes before its mark may hold anything: a TIFF header in
    # files that are TIFF and DICOM, or a program in hostile files. These bytes are never read.
    if head[128:132] == b"DICM":
        return "DICOM"
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and len(head) >= 18:
        # Two letters prove little; the reserved zeros and the size of the header must fit too.
        reserved, _, header_size = struct.unpack_from("<III", head, 6)
        if reserved == 0 and header_size in _BMP_HEADERS:
            return "BMP"
    if head[4:8] == b"ftyp":
        return _ISO_BRANDS.get(head[8:12])
    return "DICOM" if _is_bare_dicom(head) else None


def _is_bare_dicom(head: bytes) -> bool:
    """Return whether `head` begins with DICOM elements, without the preamble and its mark.

    The first element must be one of the few that such files begin with. Its value must end within
    `head`, and a later element of the same group must follow.
    """
    if len(head) < 16:
        return False
    order = ">" if head[0] == 0 else "<"
    group, element = struct.unpack_from(order + "HH", head)
    if element not in _FIRST_ELEMENTS.get(group, ()):
        return False
    if head[4:6].isalpha() and head[4:6].isupper():
        (length,) = struct.unpack_from(order + "H", head, 6)
    else:
        (length,) = struct.unpack_from(order + "I", head, 4)
        if order == ">" or group == 2:  # big endian and group 2 are always written with a VR
            return False
    next_start = 8 + length
    if length > 64 or length % 2 or next_start + 4 > len(head):
        return False
    next_group, next_element = struct.unpack_from(order + "HH", head, next_start)
    return bool(next_group == group and next_element > element)
