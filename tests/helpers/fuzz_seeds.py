"""Image files of every kind to mutate; they are small, so that most changes hit a header."""

from __future__ import annotations

import numpy as np

from tests.helpers.dicom_files import (
    HTJ2K_FRAME,
    HTJ2K_PIXELS,
    compressed,
    data_set,
    jpeg_lossless,
    lut_item,
    saved,
)
from tests.helpers.image_files import (
    animated_png,
    bmp,
    drawn,
    encoded,
    exif_orientation,
    jpeg_with_orientation,
    packed_rows,
    png,
    png_chunk,
    tiff,
    tiff_fields,
    tiff_of,
    tiled_tiff,
)

_JPEG, _JPEG_LOSSLESS, _JPEG_LS, _JPEG_2000, _HTJ2K, _RLE = (
    f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.70", "4.80", "4.90", "4.201", "5")
)


def seeds():
    """Yield one or more files of every kind that is decoded in this process."""
    gray, colour, deep = drawn(9, 13), drawn(9, 13, channels=3), drawn(9, 13, np.uint16)
    palette = [[level, 0, 255 - level] for level in range(16)]
    places = np.arange(9 * 13).reshape(9, 13) % 16
    rows = [row.tobytes() for row in packed_rows(places, 4)]
    fields = tiff_fields(13, 9, 4, 1, 3, counts=[63]) | {320: (3, list(range(48)))}
    yield from (png(gray, 0), png(deep, 0), png(colour, 2))
    yield png(gray, 0, png_chunk(b"eXIf", exif_orientation(6)))
    yield animated_png(gray, [gray])
    yield from (encoded(".jpg", gray), jpeg_with_orientation(encoded(".jpg", colour), 6))
    yield encoded(".jpg", colour, [2, 1])  # progressive
    yield from (encoded(".webp", colour), encoded(".webp", colour, [64, 101]))
    yield from (encoded(".bmp", gray), encoded(".bmp", colour))
    yield bmp(rows, 4, 13, 9, palette=palette, core=True)
    yield bmp([bytes(52)] * 9, 32, 13, 9, header=56, masks=(0xFF, 0xFF00, 0xFF0000))
    yield from (encoded(".tif", gray), tiff([deep], order=">"), tiff([gray], big=True))
    yield from (tiled_tiff(colour, 16), tiff_of(fields, b"".join(rows)))
    yield tiff([np.dstack([colour, gray])], photometric=2, extra_samples=2)
    yield from (
        saved(data_set(gray)),
        saved(data_set(colour)),
        saved(data_set(np.stack([deep] * 2))),
    )
    table = [lut_item(0, 8, list(range(256)))]
    yield saved(
        data_set(deep, bits=12, RescaleSlope="2", RescaleIntercept="-9", VOILUTSequence=table)
    )
    yield saved(data_set(deep, WindowCenter="300", WindowWidth="200"))


def compressed_seeds():
    """Yield a DICOM file of every compression; most are decoded in a separate process."""
    gray, deep = drawn(9, 13), drawn(9, 13, np.uint16)
    yield saved(data_set(gray), _JPEG, [encoded(".jpg", gray)])
    yield saved(data_set(gray), _JPEG_LOSSLESS, [jpeg_lossless(gray)])
    yield saved(data_set(HTJ2K_PIXELS), _HTJ2K, [HTJ2K_FRAME])
    yield compressed(data_set(deep), _JPEG_LS)
    yield compressed(
        data_set(drawn(37, 53, np.uint16)), _JPEG_2000
    )  # the encoder does not accept smaller images
    yield compressed(data_set(deep), _RLE)
