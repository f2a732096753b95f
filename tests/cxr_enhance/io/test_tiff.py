"""Every layout of a TIFF gives the values that the file holds, or a sentence."""

from __future__ import annotations

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
