"""Image files made byte by byte, for what no encoder at hand writes."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def drawn(height=37, width=53, dtype=np.uint8, channels=None, seed=0):
    """Draw a smooth image that fills its range: lossy codecs keep it recognisable."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    largest = np.iinfo(dtype).max
    planes = [
        0.5 + 0.25 * np.sin((x + 3 * k + seed) / 9) + 0.25 * np.cos((y - 5 * k) / 7)
        for k in range(channels or 1)
    ]
    image = np.floor(np.stack(planes, axis=-1) * largest).astype(dtype)
    return image if channels else image[..., 0]


def encoded(extension, image, options=()):
    """Encode with OpenCV, whose channels are BGR."""
    import cv2

    done, data = cv2.imencode(extension, np.ascontiguousarray(image), list(options))
    assert done
    return data.tobytes()


def png(image, color_type, extra=b""):
    """Make a PNG of 8 or 16 bits; 0 is gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGBA."""
    height, width = image.shape[:2]
    rows = b"".join(b"\0" + row.astype(image.dtype.newbyteorder(">")).tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, image.dtype.itemsize * 8, color_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def png_chunk(name, content):
    """Wrap `content` as a PNG chunk."""
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def tiff(
    pages, *, order="<", photometric=1, sample_format=1, bits=None, extra_samples=None, big=False
):
    """Make an uncompressed TIFF or BigTIFF of one strip a page."""
    count_code, offset_code = ("Q", "Q") if big else ("H", "I")
    mark = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "H", 43 if big else 42)
    data = bytearray(mark + (struct.pack(order + "HHQ", 8, 0, 0) if big else b"\0" * 4))
    link = len(data) - struct.calcsize(offset_code)
    for page in pages:
        samples = 1 if page.ndim == 2 else page.shape[2]
        pixels = page.astype(page.dtype.newbyteorder(order)).tobytes()
        strip = len(data)
        data += pixels
        depth = bits or page.dtype.itemsize * 8
        tags = [
            (256, 4, [page.shape[1]]),
            (257, 4, [page.shape[0]]),
            (258, 3, [depth] * samples),
            (259, 3, [1]),
            (262, 3, [photometric]),
            (273, 4, [strip]),
            (277, 3, [samples]),
            (278, 4, [page.shape[0]]),
            (279, 4, [len(pixels)]),
        ]
        if extra_samples is not None:
            tags.append((338, 3, [extra_samples]))
        tags.append((339, 3, [sample_format] * samples))
        fields = []
        for tag, kind, values in tags:
            packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
            room = struct.calcsize(offset_code)
            if len(packed) > room:
                fields.append((tag, kind, len(values), struct.pack(order + offset_code, len(data))))
                data += packed
            else:
                fields.append((tag, kind, len(values), packed.ljust(room, b"\0")))
        struct.pack_into(order + offset_code, data, link, len(data))
        data += struct.pack(order + count_code, len(fields))
        for tag, kind, count, packed in fields:
            data += struct.pack(order + "HH" + offset_code, tag, kind, count) + packed
        link = len(data)
        data += struct.pack(order + offset_code, 0)
    return bytes(data)


def exif_orientation(value):
    """Make an EXIF block that holds nothing but an orientation."""
    return b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, value, 0) + b"\0" * 4


def jpeg_with_orientation(data, value):
    """Insert an EXIF orientation into a JPEG."""
    block = b"Exif\0\0" + exif_orientation(value)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
