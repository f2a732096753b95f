"""Image files made byte by byte, for variants that no installed encoder writes."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def drawn(height=37, width=53, dtype=np.uint8, channels=None, seed=0):
    """Return a smooth image with the full range of values, which lossy codecs change little."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    largest = np.iinfo(dtype).max
    planes = [
        0.5 + 0.25 * np.sin((x + 3 * k + seed) / 9) + 0.25 * np.cos((y - 5 * k) / 7)
        for k in range(channels or 1)
    ]
    image = np.floor(np.stack(planes, axis=-1) * largest).astype(dtype)
    return image if channels else image[..., 0]


def encoded(extension, image, options=()):
    """Return an image encoded with OpenCV, whose channel order is BGR."""
    import cv2

    done, data = cv2.imencode(extension, np.ascontiguousarray(image), list(options))
    assert done
    return data.tobytes()


def png(image, color_type, extra=b""):
    """Return a PNG of 8 or 16 bits.

    `color_type` is 0 for gray, 2 for RGB, 3 for palette, 4 for gray with alpha, 6 for RGBA. `extra`
    contains chunks to insert before the pixels.
    """
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
    """Return `content` as a PNG chunk."""
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def tiff(
    pages, *, order="<", photometric=1, sample_format=1, bits=None, extra_samples=None, big=False
):
    """Return an uncompressed TIFF or BigTIFF with one strip per page."""
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


_TIFF_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}


def tiff_of(fields, data):
    """Return a TIFF with the given fields; `data` begins at byte 8.

    `fields` maps each tag to its kind and values, or is a list of such pairs.
    """
    pairs = list(fields.items()) if isinstance(fields, dict) else fields
    data = data + b"\0" * (len(data) % 2)
    entries, values_elsewhere = b"", b""
    place = 8 + len(data) + 2 + 12 * len(pairs) + 4
    for tag, (kind, values) in sorted(pairs, key=lambda pair: pair[0]):
        packed = struct.pack(f"<{len(values)}{_TIFF_CODES[kind]}", *values)
        entries += struct.pack("<HHI", tag, kind, len(values))
        if len(packed) > 4:
            entries += struct.pack("<I", place + len(values_elsewhere))
            values_elsewhere += packed
        else:
            entries += packed.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    return head + data + struct.pack("<H", len(pairs)) + entries + bytes(4) + values_elsewhere


def tiff_fields(width, height, bits, samples, photometric, **strips):
    """Return the fields that every TIFF has.

    The keywords `at` and `counts` are the offsets and the byte counts of the strips.
    """
    return {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * samples),
        259: (3, [1]),
        262: (3, [photometric]),
        277: (3, [samples]),
        278: (4, [height]),
        273: (4, strips.get("at", [8])),
        279: (4, strips.get("counts", [width * height * samples * bits // 8])),
    }


def tiled_tiff(image, side, more=None):
    """Return a TIFF of an image of shape (H, W, C), in tiles of `side` x `side` pixels."""
    height, width, samples = image.shape
    tiles = []
    for top in range(0, height, side):
        for left in range(0, width, side):
            part = image[top : top + side, left : left + side]
            tile = np.zeros((side, side, samples), image.dtype)
            tile[: part.shape[0], : part.shape[1]] = part
            tiles.append(tile.tobytes())
    size = len(tiles[0])
    bits = image.dtype.itemsize * 8
    fields = tiff_fields(width, height, bits, samples, 1 if samples == 1 else 2)
    for tag in (273, 278, 279):
        del fields[tag]
    fields |= {
        322: (3, [side]),
        323: (3, [side]),
        324: (4, [8 + size * number for number in range(len(tiles))]),
        325: (4, [size] * len(tiles)),
    }
    return tiff_of(fields | (more or {}), b"".join(tiles))


def packed_rows(values, bits):
    """Return rows of values packed with `bits` bits each; every row ends at a whole byte."""
    shifts = np.arange(bits - 1, -1, -1)
    single = (values[..., None].astype(np.int64) >> shifts & 1).reshape(len(values), -1)
    return np.packbits(single.astype(np.uint8), axis=-1)


def bmp(pixels, bits, width, height, *, palette=(), core=False, header=40, masks=()):
    """Return a BMP of stored rows, the bottom row first; `core` selects the header of OS/2."""
    rows = b"".join(row + b"\0" * (-len(row) % 4) for row in pixels)
    if core:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
        colours = b"".join(bytes(colour[::-1]) for colour in palette)
    else:
        fields = (header, width, height, 1, bits, 3 if masks else 0, len(rows), 0, 0, 0, 0)
        head = struct.pack("<IiiHHIIiiII", *fields)
        packed = struct.pack(f"<{len(masks)}I", *masks)
        head += packed.ljust(header - 40, b"\0") if header > 40 else packed
        colours = b"".join(bytes(colour[::-1]) + b"\0" for colour in palette)
    offset = 14 + len(head) + len(colours)
    start = b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset)
    return start + head + colours + rows


def animated_png(default, frames):
    """Return an animated PNG of 8-bit frames whose default image is not one of the frames."""
    height, width = default.shape
    chunks, number = png_chunk(b"acTL", struct.pack(">II", len(frames), 0)), 0
    after = b""
    for frame in frames:
        place = struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 1, 0, 0)
        rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in frame))
        after += png_chunk(b"fcTL", place)
        after += png_chunk(b"fdAT", struct.pack(">I", number + 1) + rows)
        number += 2
    whole, end = png(default, 0, chunks), png_chunk(b"IEND", b"")
    return whole.removesuffix(end) + after + end


def exif_orientation(value):
    """Return an EXIF block that contains only an orientation."""
    return b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, value, 0) + b"\0" * 4


def jpeg_with_orientation(data, value):
    """Return a JPEG with an EXIF orientation inserted."""
    block = b"Exif\0\0" + exif_orientation(value)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
