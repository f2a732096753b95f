"""Kinds of PNG, BMP, JPEG and WebP that OpenCV reads otherwise than they are meant, or not."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest

from cxr_enhance import read_image
from tests.helpers.compare import assert_same_image
from tests.helpers.image_files import (
    animated_png,
    bmp,
    drawn,
    encoded,
    packed_rows,
    png,
    png_chunk,
)

cv2 = pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

GRAY, COLOUR = drawn(), drawn(channels=3)
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", png_chunk(b"IEND", b"")


def test_of_an_animated_png_the_default_image_is_read():
    data = animated_png(GRAY, [drawn(seed=30), drawn(seed=60)])
    assert_same_image(read_image(data), GRAY)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("color_type", [0, 2, 4, 6])
def test_a_default_image_that_is_a_frame_is_read(dtype, color_type):
    channels = {0: None, 2: 3, 4: 2, 6: 4}[color_type]
    image = drawn(dtype=dtype, channels=channels)
    place = struct.pack(">IIIIIHHBB", 0, 53, 37, 0, 0, 1, 1, 0, 0)
    chunks = png_chunk(b"acTL", struct.pack(">II", 1, 0)) + png_chunk(b"fcTL", place)
    assert_same_image(
        read_image(png(image, color_type, chunks)), read_image(png(image, color_type))
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_png_of_few_bits_is_gray_and_of_a_palette_colour(bits):
    random = np.random.default_rng(bits)
    places = random.integers(0, 1 << bits, (8, 19))
    colours = random.integers(0, 256, (1 << bits, 3)).astype(np.uint8)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed_rows(places, bits)))

    def made(color_type, extra):
        header = struct.pack(">IIBBBBB", 19, 8, bits, color_type, 0, 0, 0)
        chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", rows)
        return PNG_START + chunks + PNG_END

    gray = (places * 255 // ((1 << bits) - 1)).astype(np.uint8)
    assert_same_image(read_image(made(0, b"")), gray)
    assert_same_image(read_image(made(3, png_chunk(b"PLTE", colours.tobytes()))), colours[places])


def test_a_png_that_tells_its_size_late_or_twice_is_not_decoded():
    whole = png(GRAY, 0)
    header, rest = whole[8:33], whole[33:]
    other = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 5300, 3700, 8, 0, 0, 0, 0))
    long = png_chunk(b"IHDR", header[8:21] + b"\0" * 4)
    text = png_chunk(b"tEXt", b"Title\0none")
    for chunks in (header + other, other + header, text + header, long, header + bytes(12)):
        with pytest.raises(ValueError, match="a PNG"):
            read_image(PNG_START + chunks + rest)


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize(
    ("core", "upwards"),
    [(True, True), (False, True), (False, False)],
    ids=["os2", "windows", "windows-from-the-top"],
)
def test_a_palette_of_a_bmp_is_colour_unless_it_is_gray(bits, core, upwards):
    random = np.random.default_rng(bits)
    places = random.integers(0, 1 << bits, (8, 21))
    rows = [row.tobytes() for row in packed_rows(places, bits)]
    rows = rows[::-1] if upwards else rows
    colours = random.integers(0, 256, (1 << bits, 3))
    grays = np.repeat(colours[:, :1], 3, axis=1)
    for palette, expected in ((colours, colours[places]), (grays, colours[places, 0])):
        data = bmp(rows, bits, 21, 8 if upwards else -8, palette=palette.tolist(), core=core)
        assert_same_image(read_image(data), expected.astype(np.uint8))


@pytest.mark.parametrize(("offset", "colours"), [(0, 0), (14, 0), (54, 0), (1077, 0), (54, 1)])
def test_a_bmp_whose_pixels_begin_in_its_palette_is_a_sentence(offset, colours):
    palette = [[level] * 3 for level in range(256)]
    whole = bmp([row.tobytes() for row in GRAY[::-1]], 8, *GRAY.shape[::-1], palette=palette)
    assert_same_image(read_image(whole), GRAY)
    data = bytearray(whole)
    struct.pack_into("<I", data, 10, offset)
    struct.pack_into("<I", data, 46, colours)
    with pytest.raises(ValueError, match="pixels begin within its header or palette"):
        read_image(bytes(data))


MASKS = {
    "plain": (0xFF0000, 0xFF00, 0xFF),
    "rgb": (0xFF, 0xFF00, 0xFF0000),
    "shifted": (0xFF000000, 0xFF0000, 0xFF00),
    "deep": (0x3FF00000, 0xFFC00, 0x3FF),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("header", [40, 52, 56, 64, 108, 124])
def test_masks_of_a_bmp_are_followed_or_refused(header, name):
    values = np.random.default_rng(0).integers(0, 1 << 32, (8, 10), dtype=np.uint32)
    rows = [row.astype("<u4").tobytes() for row in values[::-1]]
    data = bmp(rows, 32, 10, 8, header=header, masks=MASKS[name])
    if name == "plain" or (header >= 56 and name != "deep"):
        shifts = [(mask & -mask).bit_length() - 1 for mask in MASKS[name]]
        expected = np.dstack([values >> shift & 0xFF for shift in shifts]).astype(np.uint8)
        assert_same_image(read_image(data), expected)
    else:
        with pytest.raises(ValueError, match=r"masks of its own .* Save it as PNG"):
            read_image(data)


@pytest.mark.parametrize("cut", [1, 2, 3, 6, 50])
@pytest.mark.parametrize("after", [b"", bytes(5000), b"\xff" * 100, b"text" * 50])
@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_a_jpeg_without_its_end_is_a_sentence_whatever_follows(cut, after, options):
    data = encoded(".jpg", COLOUR, options)[:-cut] + after
    with pytest.raises(ValueError, match=r"cut short: it has no end marker\. Get a whole copy"):
        read_image(data)


def test_the_end_of_a_thumbnail_is_not_that_of_the_jpeg():
    thumbnail, data = encoded(".jpg", drawn(8, 8)), encoded(".jpg", COLOUR)
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    assert_same_image(read_image(data[:2] + segment + data[2:]), read_image(data))
    with pytest.raises(ValueError, match="no end marker"):
        read_image(data[:2] + segment + data[2:-2])


def test_jpegs_of_four_channels_become_rgb():
    pillow = pytest.importorskip("PIL.Image")
    image = pillow.fromarray(drawn(40, 56, channels=4), "CMYK")
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, subsampling=0)
    data = file.getvalue()
    adobe = data.index(b"\xff\xee")
    expected = np.asarray(image.convert("RGB"), np.int16)
    assert np.abs(read_image(data) - expected).max() <= 4
    assert_same_image(read_image(data[:adobe] + data[adobe + 16 :]), read_image(data))


@pytest.mark.parametrize("channels", [0, 2, 5, 10])
def test_jpegs_of_other_channels_are_a_sentence(channels):
    data = bytearray(encoded(".jpg", GRAY))
    data[data.index(b"\xff\xc0") + 9] = channels
    with pytest.raises(ValueError, match=f"got a JPEG of {channels} channels"):
        read_image(bytes(data))


@pytest.mark.parametrize("marker", [b"\xff\xd8", b"\xff\xd9", b"\xff\xda\0\2"])
def test_a_jpeg_whose_size_stands_behind_its_pixels_is_not_decoded(marker):
    data = encoded(".jpg", GRAY)
    with pytest.raises(ValueError, match="a JPEG of"):
        read_image(b"\xff\xd8\xff\xe0\0\2" + marker + data[2:])


def animated_webp(frames):
    pillow = pytest.importorskip("PIL.Image")
    first, *others = [pillow.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    first.save(file, "WEBP", save_all=True, append_images=others, lossless=True)
    return file.getvalue()


def test_of_an_animated_webp_the_first_frame_is_read():
    frames = [drawn(40, 56, channels=3, seed=seed) for seed in (0, 20, 40)]
    assert_same_image(read_image(animated_webp(frames)), frames[0])


def test_the_limit_holds_for_the_canvas_of_a_webp():
    data = bytearray(animated_webp([COLOUR, drawn(channels=3, seed=9)]))
    place = data.index(b"VP8X") + 12
    data[place : place + 6] = (16_000).to_bytes(3, "little") * 2
    with pytest.raises(ValueError, match="at most 1000000 pixels; got a WebP image of 16001 x"):
        read_image(bytes(data), max_pixels=1_000_000)


@pytest.mark.parametrize("kind", [b"JUNK", b"ALPH", b"EXIF"])
def test_a_webp_that_tells_its_size_late_is_not_decoded(kind):
    data = encoded(".webp", COLOUR)
    chunk = kind + struct.pack("<I", 4) + b"abcd"
    with pytest.raises(ValueError, match="a WebP of"):
        read_image(data[:12] + chunk + data[12:], max_pixels=1)


@pytest.mark.parametrize("kept", range(18, 70, 4))
def test_a_bmp_cut_within_its_header_is_a_sentence(kept):
    for data in (
        bmp([bytes(40)] * 8, 32, 10, 8, header=56, masks=MASKS["rgb"]),
        bmp([bytes(12)] * 8, 8, 10, 8, palette=[[1, 2, 3]] * 256, core=True),
    ):
        with pytest.raises(ValueError, match=f"a BMP of {kept} bytes that is cut short"):
            read_image(data[:kept])
