"""PNG files of our own: what every reader reads, chunk by chunk as the standard has them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest

from cxr_enhance import read_image
from cxr_enhance._engine.png_rows import filtered_rows
from cxr_enhance.io import png, write
from cxr_enhance.synthetic import synthetic_radiograph
from tests import reference
from tests.helpers.compare import assert_same_image
from tests.helpers.image_files import drawn, encoded
from tests.helpers.images import KINDS, make_image

cv2 = pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv
needs_isal = pytest.mark.skipif(png.load_isal() is None, reason="needs isal")

IMAGES = {
    "gray": drawn(),
    "gray-16": drawn(dtype=np.uint16),
    "rgb": drawn(channels=3),
    "rgb-16": drawn(dtype=np.uint16, channels=3),
    "one-channel": drawn(channels=1),
    "one-pixel": np.full((1, 1), 7, np.uint8),
    "one-row": make_image("noise", 1, 999, "uint16"),
    "one-column": make_image("noise", 999, 1),
    "constant": np.zeros((300, 500), np.uint8),
    "noise": make_image("noise", 300, 500, "uint16", 3),
    "radiograph": synthetic_radiograph(200, 300),
    "radiograph-12": synthetic_radiograph(200, 300, bits=12),
}


def chunks_of(data):
    """Split a PNG file into (name, content) and check every length and CRC."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, place = [], 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (check,) = struct.unpack_from(">I", data, place + 8 + length)
        assert check == zlib.crc32(name + content)
        found.append((name, content))
        place += 12 + length
    assert place == len(data)
    return found


@needs_isal
@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
class TestEveryFile:
    def test_reads_back_equal_in_opencv(self, image):
        read = cv2.imdecode(
            np.frombuffer(png.encode_png(image, filtered_rows), np.uint8), cv2.IMREAD_UNCHANGED
        )
        if read.ndim == 3:
            read = read[..., ::-1]
        assert_same_image(
            np.ascontiguousarray(read), image.squeeze(2) if one_channel(image) else image
        )

    def test_reads_back_equal_in_pillow(self, image):
        pillow = pytest.importorskip("PIL.Image")
        read = np.asarray(pillow.open(io.BytesIO(png.encode_png(image, filtered_rows))))
        if image.dtype == np.uint16 and image.ndim == 3 and image.shape[2] == 3:
            image = (image >> 8).astype(np.uint8)  # Pillow has no colour of 16 bits
        image = image.squeeze(2) if one_channel(image) else image
        np.testing.assert_array_equal(read, image)

    def test_reads_back_equal_here(self, image):
        read = read_image(png.encode_png(image, filtered_rows))
        assert_same_image(read, image.squeeze(2) if one_channel(image) else image)

    def test_holds_the_chunks_of_the_standard(self, image):
        (first, header), *middle, last = chunks_of(png.encode_png(image, filtered_rows))
        height, width = image.shape[:2]
        colour = 2 if image.shape[2:] == (3,) else 0
        depth = image.dtype.itemsize * 8
        assert first == b"IHDR"
        assert struct.unpack(">IIBBBBB", header) == (width, height, depth, colour, 0, 0, 0)
        assert {name for name, _ in middle} == {b"IDAT"}
        assert last == (b"IEND", b"")
        unpacked = zlib.decompressobj()
        packed = b"".join(content for _, content in middle)
        rows = unpacked.decompress(packed)
        assert unpacked.eof
        assert unpacked.unused_data == b""
        assert rows == reference.png_rows(image).tobytes()
        assert rows == unpacked_with_the_window_it_declares(packed)


def unpacked_with_the_window_it_declares(packed):
    """Decompress a few bytes at a time, so that nothing reaches back beyond the declared window."""
    reader = zlib.decompressobj(8 + (packed[0] >> 4))
    rows = reader.decompress(packed, 100)
    while not reader.eof:
        rows += reader.decompress(reader.unconsumed_tail, 100)
    return rows


def one_channel(image):
    """Tell whether an image has one channel with an axis of its own."""
    return image.shape[2:] == (1,)


@needs_isal
def test_large_images_are_cut_into_several_chunks_of_data(monkeypatch):
    monkeypatch.setattr(png, "_CHUNK", 1000)
    data = png.encode_png(IMAGES["noise"], filtered_rows)
    sizes = [len(content) for name, content in chunks_of(data) if name == b"IDAT"]
    assert len(sizes) > 100
    assert set(sizes[:-1]) == {1000}
    assert 0 < sizes[-1] <= 1000
    assert_same_image(read_image(data), IMAGES["noise"])


@needs_isal
@pytest.mark.parametrize("kind", KINDS)
def test_files_are_about_as_small_as_opencvs(kind):
    image = make_image("radiograph", 600, 500, kind)
    ours = len(png.encode_png(image, filtered_rows))
    assert ours <= 1.1 * len(encoded(".png", image))


@needs_isal
def test_png_is_ours_only_where_rows_are_filtered():
    image = IMAGES["radiograph"]
    ours = write.encode_image(image, ".png", 95, filtered_rows)
    assert ours == png.encode_png(image, filtered_rows)
    assert bytes(write.encode_image(image, ".png", 95)) == encoded(".png", image)
    jpeg = bytes(write.encode_image(image, ".jpg", 95, filtered_rows))
    assert jpeg == bytes(write.encode_image(image, ".jpg", 95))


def test_opencv_writes_png_where_there_is_no_isal(monkeypatch):
    monkeypatch.setattr(write, "load_isal", lambda: None)
    image = IMAGES["radiograph"]
    assert bytes(write.encode_image(image, ".png", 95, filtered_rows)) == encoded(".png", image)


@pytest.mark.parametrize("error", [ModuleNotFoundError("no isal"), OSError("wrong libc")])
def test_an_isal_that_cannot_be_imported_counts_as_none(monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr(png.importlib, "import_module", fail)
    png.load_isal.cache_clear()
    try:
        assert png.load_isal() is None
    finally:
        png.load_isal.cache_clear()


def test_a_side_longer_than_readers_take_is_refused():
    image = np.zeros((1, 1_000_001), np.uint8)
    with pytest.raises(ValueError, match="at most 1000000 pixels a side for PNG"):
        write.encode_image(image, ".png", 95, filtered_rows)
