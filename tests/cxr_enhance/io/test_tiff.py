"""Every layout of a TIFF gives the values that the file holds, or a sentence."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from cxr_enhance import read_image
from tests.helpers.compare import assert_same_image
from tests.helpers.image_files import (
    drawn,
    packed_rows,
    tiff,
    tiff_fields,
    tiff_of,
    tiled_tiff,
)

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

TURNED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}


def planar(image, **more):
    """Make a TIFF with each channel by itself."""
    height, width, samples = image.shape
    planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    size, bits = planes[0].nbytes, image.dtype.itemsize * 8
    at, counts = [8 + size * number for number in range(samples)], [size] * samples
    fields = tiff_fields(
        width, height, bits, samples, more.get("photometric", 2), at=at, counts=counts
    )
    extra = {338: (3, [more["alpha"]])} if "alpha" in more else {}
    return tiff_of(fields | {284: (3, [2])} | extra, planes.tobytes())


def chunky(image, photometric, more=None):
    height, width, samples = image.shape
    fields = tiff_fields(width, height, image.dtype.itemsize * 8, samples, photometric)
    return tiff_of(fields | (more or {}), image.tobytes())


def test_channels_by_themselves_of_8_bits_are_read():
    image = drawn(40, 50, channels=3)
    assert_same_image(read_image(planar(image)), image)


@pytest.mark.parametrize("alpha", [0, 1, 2])
def test_alpha_by_itself_is_dropped(alpha):
    image = drawn(40, 50, channels=4)
    assert_same_image(read_image(planar(image, alpha=alpha)), np.ascontiguousarray(image[..., :3]))


@pytest.mark.parametrize(
    ("channels", "dtype", "photometric"), [(3, np.uint16, 2), (4, np.uint16, 2), (2, np.uint8, 1)]
)
def test_channels_by_themselves_that_opencv_mixes_up_are_a_sentence(channels, dtype, photometric):
    data = planar(drawn(40, 50, dtype, channels), photometric=photometric)
    with pytest.raises(ValueError, match=r"each channel by itself .* Save it with the channels of"):
        read_image(data)


@pytest.mark.parametrize("alpha", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_of_any_kind_is_dropped_not_blended(dtype, alpha):
    image = drawn(40, 50, dtype, channels=4)
    data = chunky(image, 2, {338: (3, [alpha])})
    assert_same_image(read_image(data), np.ascontiguousarray(image[..., :3]))


def test_reading_does_not_change_the_bytes_it_is_given():
    data = chunky(drawn(40, 50, channels=4), 2, {338: (3, [2])})
    before = bytes(bytearray(data))
    read_image(data)
    assert data == before


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_a_palette_is_colour(bits):
    random = np.random.default_rng(bits)
    colours = random.integers(0, 256, (3, 1 << bits))
    places = random.integers(0, 1 << bits, (40, 48))
    fields = tiff_fields(48, 40, bits, 1, 3) | {320: (3, (colours.ravel() * 257).tolist())}
    image = read_image(tiff_of(fields, packed_rows(places, bits).tobytes()))
    assert_same_image(image, np.moveaxis(colours[:, places], 0, -1).astype(np.uint8))


def test_a_palette_of_16_bits_is_a_sentence():
    fields = tiff_fields(48, 40, 16, 1, 3) | {320: (3, [0] * (3 << 16))}
    with pytest.raises(ValueError, match=r"neither gray nor RGB .*Interpretation 3, 1 samples"):
        read_image(tiff_of(fields, bytes(48 * 40 * 2)))


@pytest.mark.parametrize(("photometric", "samples"), [(5, 4), (6, 3), (8, 3), (2, 5)])
def test_sixteen_bits_that_are_neither_gray_nor_rgb_are_a_sentence(photometric, samples):
    data = chunky(drawn(40, 50, np.uint16, samples), photometric)
    with pytest.raises(ValueError, match=f"neither gray nor RGB .*{photometric}, {samples} sam"):
        read_image(data)


@pytest.mark.parametrize("samples", [2, 3, 4])
def test_gray_of_16_bits_with_more_samples_is_a_sentence(samples):
    with pytest.raises(ValueError, match=r"gray with alpha or more\. Save it without alpha"):
        read_image(chunky(drawn(40, 50, np.uint16, samples), 1))


@pytest.mark.parametrize("bits", [1, 8, 10, 12, 14, 16])
def test_where_0_is_white_the_values_are_inverted(bits):
    values = np.random.default_rng(bits).integers(0, 1 << bits, (40, 53))
    rows = packed_rows(values, bits) if bits < 16 else values.astype("<u2")
    fields = tiff_fields(53, 40, bits, 1, 0, counts=[rows.nbytes])
    seen = (1 << bits) - 1 - values
    expected = (seen * 255).astype(np.uint8) if bits == 1 else seen.astype(np.uint8)
    if bits > 8:
        expected = (seen << (16 - bits)).astype(np.uint16)
    assert_same_image(read_image(tiff_of(fields, rows.tobytes())), expected)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_depths_of_odd_widths_are_read(bits, samples):
    values = np.random.default_rng(bits).integers(0, 1 << bits, (20, 51, samples))
    rows = packed_rows(values.reshape(20, -1), bits)
    fields = tiff_fields(51, 20, bits, samples, 1 if samples == 1 else 2, counts=[rows.nbytes])
    image = read_image(tiff_of(fields, rows.tobytes()))
    assert_same_image(
        image.reshape(values.shape), np.ascontiguousarray(values << (16 - bits), np.uint16)
    )


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("side", [16, 32, 48, 64, 128])
def test_tiles_of_every_size_are_read(side, dtype, samples):
    image = drawn(70, 90, dtype, samples)
    assert_same_image(read_image(tiled_tiff(image, side)).reshape(image.shape), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("orientation", TURNED)
def test_orientation_is_applied_to_strips_and_tiles_or_refused(orientation, dtype):
    image = drawn(40, 56, dtype, channels=3)
    expected = np.ascontiguousarray(TURNED[orientation](image))
    more = {274: (3, [orientation])}
    assert_same_image(read_image(chunky(image, 2, more)), expected)
    if dtype == np.uint8 and orientation in (2, 3, 6, 7):  # OpenCV turns each tile by itself
        with pytest.raises(ValueError, match=f"in tiles with orientation {orientation}. Turn its"):
            read_image(tiled_tiff(image, 32, more))
    else:
        assert_same_image(read_image(tiled_tiff(image, 32, more)), expected)


@pytest.mark.parametrize(("bits", "kind"), [(2, "uint8"), (6, "uint8"), (24, "uint16")])
def test_depths_that_are_not_read_are_a_sentence(bits, kind):
    data = tiff_of(tiff_fields(48, 40, bits, 1, 1), bytes(48 * 40 * 4))
    with pytest.raises(
        ValueError, match=f"unsigned {bits}-bit values. Scale it and save it as {kind}"
    ):
        read_image(data)


GRAY = drawn(40, 56)


@pytest.mark.parametrize("kind", [1, 3, 4, 16])
def test_the_limit_holds_for_sizes_of_every_type(kind):
    fields = tiff_fields(56, 40, 8, 1, 1) | {256: (kind, [56]), 257: (kind, [40])}
    data = tiff_of(fields, GRAY.tobytes())
    assert_same_image(read_image(data), GRAY)
    with pytest.raises(ValueError, match="at most 100 pixels; got a TIFF image of 56 x 40"):
        read_image(data, max_pixels=100)


@pytest.mark.parametrize("tag", [256, 257, 258, 277])
@pytest.mark.parametrize(
    "more",
    [(3, [50_000, 2]), (4, [1, 60_000]), (16, [1 << 40, 1])],
    ids=["shorts", "longs", "long8s"],
)
def test_sizes_of_several_values_are_not_decoded(tag, more):
    data = tiff_of(tiff_fields(56, 40, 8, 1, 1) | {tag: more}, GRAY.tobytes())
    with pytest.raises(ValueError, match="got a TIFF of"):
        read_image(data)


@pytest.mark.parametrize("tag", [256, 257, 258, 262, 277, 284, 322])
def test_what_is_said_twice_is_not_decoded(tag):
    fields = list(tiff_fields(56, 40, 8, 1, 1).items())
    data = tiff_of([*fields, (tag, (3, [1])), (tag, (3, [1]))], GRAY.tobytes())
    with pytest.raises(ValueError, match="cut short, damaged, or of a kind"):
        read_image(data)


def test_the_limit_holds_for_tiles_too():
    fields = tiff_fields(1, 1, 8, 1, 1) | {322: (4, [30_000]), 323: (4, [30_000])}
    fields |= {324: (4, [8]), 325: (4, [900_000_000])}
    with pytest.raises(ValueError, match=r"at most .* got a TIFF tile of 30000 x 30000"):
        read_image(tiff_of(fields, bytes(100)))


def test_a_size_behind_thousands_of_fields_is_not_decoded():
    fields = [(60_000, (3, [1]))] * 5000 + list(tiff_fields(56, 40, 8, 1, 1).items())
    data = tiff_of(fields, GRAY.tobytes())
    with pytest.raises(ValueError, match="got a TIFF of"):
        read_image(data, max_pixels=1)


def test_a_second_page_says_nothing_of_the_first():
    data = tiff([GRAY, drawn(500, 600)])
    assert_same_image(read_image(data, max_pixels=40 * 56), GRAY)


SMALL = drawn(37, 53)
STRIPS = [SMALL[top : top + 10].tobytes() for top in range(0, 37, 10)]


def in_strips(pieces, compression, more=None):
    """Make a TIFF of `SMALL` in strips of 10 rows."""
    at = np.cumsum([8, *map(len, pieces)])[:-1].tolist()
    fields = tiff_fields(53, 37, 8, 1, 1, at=at, counts=[*map(len, pieces)])
    fields |= {278: (3, [10]), 259: (3, [compression])}
    return tiff_of(fields | (more or {}), b"".join(pieces))


def in_tiles(compress, more=None):
    """Make a TIFF of `SMALL` in four tiles, of 32 x 32 pixels."""
    padded = np.zeros((64, 64), np.uint8)
    padded[:37, :53] = SMALL
    places = [(top, left) for top in (0, 32) for left in (0, 32)]
    pieces = [compress(padded[y : y + 32, x : x + 32].tobytes()) for y, x in places]
    fields = tiff_fields(53, 37, 8, 1, 1)
    for tag in (273, 278, 279):
        del fields[tag]
    fields |= {
        322: (3, [32]),
        323: (3, [32]),
        324: (4, np.cumsum([8, *map(len, pieces)])[:-1].tolist()),
        325: (4, [*map(len, pieces)]),
        259: (3, [1 if compress is bytes else 8]),
    }
    return tiff_of(fields | (more or {}), b"".join(pieces))


@pytest.mark.parametrize("compress", [bytes, zlib.compress], ids=["none", "deflate"])
def test_strips_and_tiles_are_read(compress):
    compression = 1 if compress is bytes else 8
    assert_same_image(read_image(in_strips([*map(compress, STRIPS)], compression)), SMALL)
    assert_same_image(read_image(in_tiles(compress)), SMALL)


COUNTS = [len(strip) for strip in STRIPS]
SHORT = {
    "a-count-too-small": in_strips(STRIPS, 1, {279: (4, [*COUNTS[:3], 1])}),
    "counts-of-zero": in_strips(STRIPS, 1, {279: (4, [0] * 4)}),
    "a-strip-too-few": in_strips(STRIPS, 1, {273: (4, [8, 538, 1068])}),
    "a-strip-outside": in_strips(STRIPS, 1, {273: (4, [8, 538, 1068, 1 << 31])}),
    "a-strip-across-the-end": in_strips(STRIPS, 1, {273: (4, [8, 538, 1068, 2000])}),
    "an-lzw-strip-outside": in_strips(STRIPS, 5, {273: (4, [8, 538, 1068, 1 << 31])}),
    "no-rows-in-a-strip": in_strips(STRIPS, 1, {278: (3, [0])}),
    "deflate-cut": in_strips([*map(zlib.compress, STRIPS[:3]), zlib.compress(STRIPS[3])[:40]], 8),
    "deflate-of-few-pixels": in_strips([*map(zlib.compress, STRIPS[:3]), zlib.compress(b"a")], 8),
    "deflate-of-nothing": in_strips([*map(zlib.compress, STRIPS[:3]), b""], 8),
    "a-tile-too-few": in_tiles(bytes, {324: (4, [8, 1032, 2056])}),
    "a-tile-outside": in_tiles(bytes, {324: (4, [8, 1032, 2056, 1 << 31])}),
    "a-tile-too-small": in_tiles(bytes, {325: (4, [1024, 1024, 1, 1024])}),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_tiff_that_lacks_pixels_is_a_sentence(name):
    with pytest.raises(
        ValueError, match=r"a TIFF of \d+ bytes whose pixels are cut short or damaged"
    ):
        read_image(SHORT[name])


def test_deflate_in_reversed_order_of_bits_is_read():
    reverse = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    pieces = [zlib.compress(strip).translate(reverse) for strip in STRIPS]
    assert_same_image(read_image(in_strips(pieces, 8, {266: (3, [2])})), SMALL)


def test_a_count_of_zero_of_the_only_deflated_strip_is_found_out():
    fields = tiff_fields(53, 37, 8, 1, 1, counts=[0]) | {259: (3, [8])}
    assert_same_image(read_image(tiff_of(fields, zlib.compress(SMALL.tobytes()))), SMALL)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9, 1.0])
def test_a_damaged_deflated_tiff_is_a_sentence(place):
    pieces = [bytearray(zlib.compress(strip)) for strip in STRIPS]
    pieces[2][int(place * (len(pieces[2]) - 1))] ^= 0x55
    with pytest.raises(ValueError, match="cut short or damaged"):
        read_image(in_strips(pieces, 8))


@pytest.mark.parametrize("count", [0, 1, 100, 0xFFFFFFF0])
def test_a_wrong_count_of_the_only_strip_is_corrected(count):
    data = tiff_of(tiff_fields(53, 37, 8, 1, 1, counts=[count]), SMALL.tobytes())
    assert_same_image(read_image(data), SMALL)


def test_missing_counts_of_strips_are_found_out():
    fields = tiff_fields(53, 37, 8, 1, 1)
    del fields[279]
    assert_same_image(read_image(tiff_of(fields, SMALL.tobytes())), SMALL)


@pytest.mark.parametrize("compression", [0, 9, 99, 34712, 65535])
def test_an_unknown_compression_is_a_sentence(compression):
    data = tiff_of(tiff_fields(53, 37, 8, 1, 1) | {259: (3, [compression])}, SMALL.tobytes())
    with pytest.raises(ValueError, match=rf"Compression {compression}\)\. Save it without"):
        read_image(data)


@pytest.mark.parametrize("more", [{}, {320: (3, [1] * 767)}])
def test_a_palette_that_is_not_whole_is_a_sentence(more):
    data = tiff_of(tiff_fields(53, 37, 8, 1, 3) | more, SMALL.tobytes())
    with pytest.raises(ValueError, match="palette colours without a whole palette"):
        read_image(data)
