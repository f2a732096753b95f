"""Values beyond what the header allows: clipped and told where decoded, masked where native."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cxr_enhance import read_image
from cxr_enhance.io import image_info
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
jpeg_ls = pytest.importorskip("jpeg_ls")
pytest.importorskip("openjpeg")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from cxr_enhance.io.dicom.decode import decode_dicom  # noqa: E402
from cxr_enhance.io.options import ReadOptions  # noqa: E402
from tests.helpers.dicom_files import (  # noqa: E402
    compressed,
    data_set,
    element,
    j2k,
    jpeg_lossless,
    near_lossless,
    read_with_notes,
    saved,
)
from tests.helpers.image_files import drawn, encoded  # noqa: E402

GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4
SIGNED12 = GRAY12.astype(np.int16) - 2048
COLOUR = drawn(36, 52, channels=3)

# White that overshoots, as at the edge of a collimator, and what is far below it.
DEEPER = np.tile(np.array([[4000, 4095, 4096, 4200], [0, 1, 2048, 5000]], np.uint16), (16, 8))

DEEPER_SIGNED = np.tile(np.array([[-2048, -2100, 0, 2047], [2048, 2100, -1, 1]], np.int16), (16, 8))

DEEP = {
    "jpeg-2000": (uid.JPEG2000, j2k(DEEPER, 16)),
    "jpeg-2000-lossless": (uid.JPEG2000Lossless, j2k(DEEPER, 13)),
    "jpeg-ls": (uid.JPEGLSNearLossless, near_lossless(DEEPER, 0)),
    "jpeg": (uid.JPEGLossless, jpeg_lossless(DEEPER, bits=16)),
}


@pytest.mark.parametrize("name", DEEP)
def test_decoded_pixels_above_the_stored_range_are_white(name):
    syntax, frame = DEEP[name]
    image, notes = read_with_notes(saved(data_set(DEEPER, bits=12), syntax, [frame]))
    assert_same_image(image, np.minimum(DEEPER, 4095))
    assert "384 pixels beyond the range of Bits Stored 12" in notes


def longer(ds, length):
    """Return a file whose pixel data are repeated up to `length` bytes."""
    ds.PixelData = (ds.PixelData * 4)[:length]
    return saved(ds)


@pytest.mark.parametrize(
    ("pixels", "length"),
    [
        (GRAY12, 36 * 52 * 2 + 2),
        (GRAY12, 36 * 52 * 4),
        ((GRAY12 >> 4).astype(np.uint8), 36 * 52 * 2),
        (np.stack([GRAY12] * 2), 36 * 52 * 6),
    ],
)
def test_native_pixels_beyond_those_that_the_header_states_are_noted(pixels, length):
    data = longer(data_set(pixels, bits=12 if pixels.dtype == np.uint16 else 8), length)
    image, notes = read_with_notes(data)
    assert_same_image(image, pixels[0] if pixels.ndim == 3 else pixels)
    note = f"pixel data have {length} bytes, the header states {pixels.nbytes}"
    assert note in notes
    assert note in " ".join(image_info(data).notes)


def test_a_byte_that_makes_the_length_of_native_pixels_even_is_not_noted():
    pixels = np.arange(35, dtype=np.uint8).reshape(5, 7)
    data = saved(data_set(pixels))
    assert b"\x24\0\0\0" + pixels.tobytes() + b"\0" in data
    image, notes = read_with_notes(data)
    assert_same_image(image, pixels)
    assert not notes
    assert not image_info(data).notes


@pytest.mark.parametrize("shape", [(8, 8, 3), (3, 2, 3)])
def test_colour_without_shared_values_is_not_read_as_with_shared_values(shape):
    pixels = drawn(*shape[:2], channels=3)
    data = saved(data_set(pixels, photometric="YBR_FULL_422"))
    with pytest.raises(ValueError, match=r"3 bytes a pixel\. Correct its Photometric"):
        read_image(data)
    said = (
        "cannot be decoded: a DICOM image in YBR_FULL_422 whose pixel data have 3 bytes a pixel. "
    )
    assert [note.startswith(said) for note in image_info(data).notes] == [True]
    for right in ("RGB", "YBR_FULL"):
        assert read_image(saved(data_set(pixels, photometric=right))).shape == shape


def test_frames_that_are_not_there_are_noted():
    frames = np.stack([GRAY12] * 3)
    data = saved(data_set(frames, bits=12, NumberOfFrames=5))
    note = f"pixel data have {frames.nbytes} bytes, the header states {GRAY12.nbytes * 5}"
    assert image_info(data).notes == (note,)
    image, notes = read_with_notes(data, frame=2)
    assert_same_image(image, GRAY12)
    assert note in notes
    with pytest.raises(ValueError, match="pixel data are short: 5 frames"):
        read_image(data, frame=3)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (encoded(".jpg", drawn(8, 8)), "52 x 36 pixels whose compressed data hold 8 x 8"),
        (encoded(".jpg", drawn(36, 52, channels=3)), "1 channels whose compressed data hold 3"),
        (jpeg_lossless(GRAY12, bits=17), "image of 17 bits"),
    ],
)
def test_pixels_that_contradict_the_header_are_noted_where_they_are_not_decoded(frame, said):
    data = saved(data_set(GRAY12 >> 4), uid.JPEGBaseline8Bit, [frame])
    assert any(said in note for note in image_info(data).notes)
    with pytest.raises(ValueError, match=said):
        read_image(data)


def with_syntax(data, written, stated):
    """Return a file that states another transfer syntax than the one it was written with."""
    old, new = (
        element(0x00020010, "UI", text.encode() + b"\0" * (len(text) % 2))
        for text in (written, stated)
    )
    assert data.count(old) == 1
    return data.replace(old, new)


@pytest.mark.parametrize("stated", ["1.2.3.4.5", uid.JPEG2000, uid.MPEG4HP41])
def test_native_pixels_under_a_syntax_of_no_native_pixels_are_noted(stated):
    data = with_syntax(saved(data_set(GRAY12, bits=12)), uid.ExplicitVRLittleEndian, stated)
    note = f"native pixels under transfer syntax {stated}"
    assert image_info(data).notes == (note,)
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert note in notes


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT"])
def test_native_pixels_in_a_colour_space_of_jpeg_2000_are_rgb_and_noted(photometric):
    data = saved(data_set(COLOUR, photometric=photometric))
    note = f"Photometric Interpretation {photometric} of native pixels; taken as RGB"
    assert image_info(data).notes == (note,)
    image, notes = read_with_notes(data)
    assert_same_image(image, COLOUR)
    assert note in notes


def test_a_private_syntax_of_implicit_vr_with_pixels_of_big_endian_is_read():
    ds = data_set(GRAY12.astype(">u2"), bits=12)
    data = with_syntax(
        saved(ds, uid.ImplicitVRLittleEndian), uid.ImplicitVRLittleEndian, "1.2.840.113619.5.2"
    )
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert not notes


@pytest.mark.parametrize(
    ("pixels", "elements", "note"),
    [
        (GRAY12, {"NumberOfFrames": 0}, "Number of Frames 0; taken as 1"),
        (GRAY12, {"NumberOfFrames": -3}, "Number of Frames -3; taken as 1"),
        (GRAY12, {"PixelRepresentation": 2}, "Pixel Representation 2; taken as 0"),
        (COLOUR, {"PlanarConfiguration": 7}, "Planar Configuration 7; taken as 0"),
        (COLOUR, {"PlanarConfiguration": None}, "Planar Configuration missing; taken as 0"),
    ],
)
def test_values_that_are_not_followed_are_noted(pixels, elements, note):
    data = saved(data_set(pixels, **elements))
    assert image_info(data).notes == (note,)
    image, notes = read_with_notes(data)
    assert_same_image(image, pixels)
    assert note in notes


def with_overlays(pixels, bits, *positions):
    """Return a data set whose pixels hold overlays in the bits at `positions`."""
    words = pixels.view(np.uint16) & ((1 << bits) - 1)
    for number, position in enumerate(positions):
        words[4 + number : 9] |= 1 << position
    ds = data_set(words, bits=bits)
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    for number, position in enumerate(positions):
        group = 0x6000 + 2 * number << 16
        ds.add_new(group | 0x0010, "US", ds.Rows)
        ds.add_new(group | 0x0011, "US", ds.Columns)
        ds.add_new(group | 0x0100, "US", 16)
        ds.add_new(group | 0x0102, "US", position)
    return ds, words


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.JPEGLossless])
@pytest.mark.parametrize("pixels", [GRAY12, SIGNED12, GRAY12 >> 4])
@pytest.mark.parametrize("positions", [(12,), (14,), (12, 13)])
@pytest.mark.parametrize("allocated", [16, 1])
def test_overlays_in_losslessly_compressed_words_are_ignored_as_in_native_words(
    syntax, pixels, positions, allocated
):
    bits = int(pixels.max()).bit_length() + (pixels.dtype.kind == "i")
    ds, words = with_overlays(pixels, bits, *positions)
    ds[0x60000100].value = allocated
    native, _ = read_with_notes(saved(ds))
    frame = {
        uid.JPEGLSLossless: lambda: near_lossless(words, 0),
        uid.JPEG2000Lossless: lambda: j2k(words, 16),
        uid.JPEGLossless: lambda: jpeg_lossless(words, bits=16),
    }[syntax]()
    image, notes = read_with_notes(saved(ds, syntax, [frame]))
    assert_same_image(image, native)
    assert bool(notes) == (allocated == 1)
    assert "bits outside" not in notes


def test_overlays_in_words_that_may_be_lossy_are_clipped():
    ds, words = with_overlays(GRAY12, 12, 12)
    image, notes = read_with_notes(saved(ds, uid.JPEG2000, [j2k(words, 16)]))
    assert_same_image(image, np.minimum(words, 4095))
    assert "beyond the range of Bits Stored 12" in notes


def test_near_lossless_overshoot_of_jpeg_ls_is_white():
    pixels = np.random.default_rng(0).integers(4080, 4096, (16, 16)).astype(np.uint16)
    pixels[0, 0] = 4200  # without it the encoder would choose 12 bits
    frame = near_lossless(pixels, 9)
    values, _ = jpeg_ls.decode_pixel_data(frame)
    decoded = np.frombuffer(values, np.uint16).reshape(16, 16)
    assert (decoded > 4095).sum() > 5
    image, _ = read_with_notes(saved(data_set(pixels, bits=12), uid.JPEGLSNearLossless, [frame]))
    assert_same_image(image, np.minimum(decoded, 4095))


def test_deeper_inverted_pixels_are_black():
    data = saved(
        data_set(DEEPER, bits=12, photometric="MONOCHROME1"), uid.JPEG2000, [j2k(DEEPER, 16)]
    )
    assert_same_image(read_with_notes(data)[0], 4095 - np.minimum(DEEPER, 4095))


def test_deeper_signed_pixels_are_clipped_at_both_ends():
    data = saved(data_set(DEEPER_SIGNED, bits=12), uid.JPEG2000, [j2k(DEEPER_SIGNED, 16)])
    expected = (np.clip(DEEPER_SIGNED, -2048, 2047) + 2048).astype(np.uint16)
    assert_same_image(read_with_notes(data)[0], expected)


@pytest.mark.parametrize("depth", [12, 16])
def test_signed_pixels_in_code_streams_without_sign_are_read(depth):
    frame = near_lossless(SIGNED12.view(np.uint16) & ((1 << depth) - 1), 0)
    data = saved(data_set(SIGNED12, bits=12), uid.JPEGLSLossless, [frame])
    assert_same_image(read_image(data), GRAY12)


def test_a_code_stream_with_a_sign_under_a_header_without_is_read_without():
    frame = j2k((GRAY12.astype(np.int32) ^ 2048).astype(np.int16) - 2048, 12)
    image, notes = read_with_notes(saved(data_set(GRAY12, bits=12), uid.JPEG2000, [frame]))
    assert_same_image(image, GRAY12)
    assert "have a sign, the header has none" in notes


def test_undershoot_of_a_deeper_signed_stream_is_black():
    pixels = np.tile(np.array([[-3, 0, 5, 4095]], np.int16), (32, 8))
    data = saved(data_set(pixels.view(np.uint16), bits=12), uid.JPEG2000, [j2k(pixels, 16)])
    expected = np.maximum(pixels, 0).astype(np.uint16)
    assert_same_image(read_with_notes(data)[0], expected)


def test_native_spare_bits_are_masked_and_not_clipped():
    image, notes = read_with_notes(saved(data_set(GRAY12 | 0x7000, bits=12)))
    assert_same_image(image, GRAY12)
    assert f"{GRAY12.size} values have bits outside the 12 stored ones" in notes


GRAY16 = drawn(36, 52, dtype=np.uint16)
NATIVE = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian,
          uid.DeflatedExplicitVRLittleEndian)  # fmt: skip
LOSSLESS = (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless)


def words_of(stored, *, signed, left):
    """Give words that hold an image of so many bits, and the image."""
    image = GRAY16 >> (16 - stored)
    values = image.astype(np.int32) - ((1 << (stored - 1)) if signed else 0)
    words = values << (16 - stored if left else 0)
    return words.astype(np.int16 if signed else np.uint16), image


def file_of(words, syntax, stored, high):
    source = data_set(words)  # encoded as words of 16 bits, so that none is cut
    if syntax in LOSSLESS:
        source = pydicom.dcmread(io.BytesIO(compressed(source, syntax)))
    elif syntax == uid.ExplicitVRBigEndian:
        source.PixelData = words.astype(words.dtype.newbyteorder(">")).tobytes()
    source.BitsStored, source.HighBit = stored, high
    return saved(source, syntax)


@pytest.mark.parametrize("syntax", NATIVE + LOSSLESS, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("is_right", [False, True], ids=["high-bit-wrong", "high-bit-right"])
@pytest.mark.parametrize("stored", [10, 14])
def test_values_at_either_end_of_their_words_are_read(syntax, signed, left, is_right, stored):
    words, image = words_of(stored, signed=signed, left=left)
    high = 15 if left == is_right else stored - 1
    decoded = decode_dicom(file_of(words, syntax, stored, high), ReadOptions())
    assert_same_image(decoded.image, image)
    if not is_right:
        assert "justified" in " ".join(decoded.notes) or "High Bit" in " ".join(decoded.notes)


def test_lossy_signed_values_at_the_top_of_their_words_are_read():
    words, image = words_of(12, signed=True, left=True)
    frame = j2k(words, 16, compression_ratios=[4])
    data = saved(data_set(words, bits=12), uid.JPEG2000, [frame])
    decoded = decode_dicom(data, ReadOptions())
    assert np.abs(decoded.image.astype(int) - image).max() < 40
    assert "compressed values are left-justified; taken from bit 4 on" in decoded.notes


# Under RLE, bits above the stored ones may be other data; so may those below, but for High Bit.
@pytest.mark.parametrize("has_low_bits", [False, True])
@pytest.mark.parametrize(
    ("syntax", "high"),
    [(uid.RLELossless, 15), *((syntax, high) for syntax in LOSSLESS[1:] for high in (11, 15))],
)
def test_colours_at_the_top_of_their_words_are_read(syntax, high, has_low_bits):
    words = drawn(36, 52, np.uint16, 3) & (0xFFFF if has_low_bits else 0xFFF0)
    decoded = decode_dicom(file_of(words, syntax, 12, high), ReadOptions())
    assert_same_image(decoded.image, words >> 4)
