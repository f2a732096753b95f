"""The strips or tiles of a TIFF's first page; OpenCV does not report those that it cannot decode.

OpenCV fills the pixels of a piece of 8-bit TIFF that is missing or damaged with other values.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io._tiff import YCBCR, tiff_numbers

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance.io._tiff import TiffPage

    Numbers = npt.NDArray[np.uint64]

_OFFSETS, _COUNTS, _ROWS_PER_STRIP = 273, 279, 278
_TILE_OFFSETS, _TILE_COUNTS = 324, 325
_FILL_ORDER, _LOWEST_BIT_FIRST = 266, 2
_UNCOMPRESSED, _DEFLATE = 1, (8, 32946)


def lacks_pixels(data: bytes, page: TiffPage) -> bool:
    """Return whether a piece lies outside the file, is too short, or cannot be inflated.

    Other compressions than Deflate have no checks: only the place of their pieces is checked. So it
    is for Deflate of bytes in reversed order of bits.
    """
    needed = _bytes_of_pieces(data, page)
    is_tiled = page.tile is not None
    offsets = tiff_numbers(data, _TILE_OFFSETS if is_tiled else _OFFSETS)
    counts = tiff_numbers(data, _TILE_COUNTS if is_tiled else _COUNTS)
    if needed is None or offsets is None or len(offsets) < len(needed):
        return True
    offsets = offsets[: len(needed)]
    is_uncompressed = page.compression == _UNCOMPRESSED
    if is_uncompressed and (counts is None or len(needed) == 1):  # OpenCV corrects one count
        counts = needed
    if counts is None or (len(needed) == 1 and not counts[0]):  # OpenCV finds out the counts
        return False
    counts = counts[: len(needed)]
    if len(counts) < len(needed) or (offsets > len(data)).any():
        return True
    if (counts > len(data) - offsets).any() or (is_uncompressed and (counts < needed).any()):
        return True
    order = tiff_numbers(data, _FILL_ORDER)
    if page.compression not in _DEFLATE or (order is not None and order[0] == _LOWEST_BIT_FIRST):
        return False
    pieces = zip(offsets.tolist(), counts.tolist(), needed.tolist(), strict=True)
    return not all(_inflates(data[start : start + size], least) for start, size, least in pieces)


def _bytes_of_pieces(data: bytes, page: TiffPage) -> Numbers | None:
    """Return how many bytes of pixels each piece must have; None if the directory is damaged."""
    if page.tile is not None:
        width, height = page.tile
    else:
        stated = tiff_numbers(data, _ROWS_PER_STRIP)
        width = page.width
        height = page.height if stated is None else min(int(stated[0]), page.height)
    if not width or not height:
        return None
    across, down = -(-page.width // width), -(-page.height // height)
    planes = page.samples if page.is_planar else 1
    row_bytes = -(-width * page.bits * (1 if page.is_planar else page.samples) // 8)
    rows = np.full((planes, down, across), height, np.uint64)
    if page.tile is None:
        rows[:, -1] = page.height - height * (down - 1)
    if page.photometric == YCBCR:  # fewer, if neighbours share colour values
        row_bytes = 0
    return rows.reshape(-1) * np.uint64(row_bytes)


def _inflates(piece: bytes, least: int) -> bool:
    """Return whether a piece inflates to so many bytes, and its check is right if it is there."""
    inflater = zlib.decompressobj()
    try:
        size = len(inflater.decompress(piece, least)) if least else 0
        inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error:
        return False
    return size == least
