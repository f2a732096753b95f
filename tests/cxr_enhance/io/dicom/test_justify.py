"""High Bit against the words: where in its word a value stands, and what stands beside it."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cxr_enhance import read_image
from cxr_enhance.io import image_info
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("jpeg_ls")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from cxr_enhance.io.dicom.decode import decode_dicom  # noqa: E402
from cxr_enhance.io.options import ReadOptions  # noqa: E402
from tests.helpers.dicom_files import (  # noqa: E402
    compressed,
    data_set,
    jpeg_lossless,
    near_lossless,
    read_with_notes,
    saved,
    shown_by_pydicom,
)
from tests.helpers.image_files import drawn  # noqa: E402

GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4
SIGNED12 = GRAY12.astype(np.int16) - 2048


@pytest.mark.parametrize(
    "syntax",
    [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless],
)
@pytest.mark.parametrize("pixels", [GRAY12, SIGNED12], ids=["unsigned", "signed"])
@pytest.mark.parametrize("high", [11, 13, 15])
def test_right_justified_values_are_read_whatever_high_bit_says(syntax, pixels, high):
    ds = data_set(pixels, bits=12)
    if syntax != uid.ExplicitVRLittleEndian:
        ds = pydicom.dcmread(io.BytesIO(compressed(ds, syntax)))
    ds.HighBit = high
    data = saved(ds, syntax)
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert (f"High Bit {high} of 12 bits stored" in notes) == (high != 11)
    if syntax != uid.RLELossless:  # whose values would have to be decoded first
        assert all(note in notes for note in image_info(data).notes)
    assert any("High Bit" in note for note in image_info(data).notes) == (high != 11)


@pytest.mark.parametrize("high", [11, 13, 15])
@pytest.mark.parametrize("compress", [False, True])
def test_left_justified_values_are_read_whatever_high_bit_says(high, compress):
    ds = data_set(GRAY12 << 4, bits=12, HighBit=high)
    if compress:
        data = saved(ds, uid.JPEGLossless, [jpeg_lossless(GRAY12 << 4, bits=16)])
    else:
        data = saved(ds)
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert ("High Bit" in notes) == (high != 15 or compress)


def test_overlays_in_spare_bits_do_not_count_against_high_bit():
    ds = data_set((GRAY12 << 4) | (GRAY12 & 1), bits=12, HighBit=15)
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 0)
    assert_same_image(read_image(saved(ds)), GRAY12)


@pytest.mark.parametrize("high", [11, 15])
def test_left_justified_values_compressed_with_loss_are_not_taken_for_white(high):
    pixels = (2 * 1024 + GRAY12 // 2) << 4  # most are far above the range of 12 bits
    frame = near_lossless(pixels.astype(np.uint16), 12)
    data = saved(data_set(GRAY12, bits=12, HighBit=high), uid.JPEGLSNearLossless, [frame])
    image, notes = read_with_notes(data)
    assert np.abs(image.astype(int) - (pixels >> 4)).max() <= 1
    assert "left-justified" in notes


def read(source, *, overlay_bit=None, syntax=uid.ExplicitVRLittleEndian):
    if overlay_bit is not None:
        source.add_new(0x60000100, "US", 16)
        source.add_new(0x60000102, "US", overlay_bit)
    decoded = decode_dicom(saved(source, syntax), ReadOptions())
    return decoded.image, [note for note in decoded.notes if "stored ones" in note]


def said_of(count, bits=12):
    return [
        f"{count} values have bits outside the {bits} stored ones, which no overlay declares; "
        "those bits are left out"
    ]


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless])
def test_values_wider_than_bits_stored_are_told_and_counted(syntax):
    wide = GRAY12.copy()
    wide[0, :3] += 4096
    source = data_set(wide)
    if syntax == uid.RLELossless:
        source = pydicom.dcmread(io.BytesIO(compressed(source, syntax)))
    source.BitsStored, source.HighBit = 12, 11
    image, notes = read(source, syntax=syntax)
    assert_same_image(image, GRAY12)
    assert notes == said_of(3)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_spare_bits_are_left_out_as_pydicom_does(photometric):
    source = data_set(GRAY12 | 0xF000, bits=10, photometric=photometric)
    image, notes = read(source)
    expected = shown_by_pydicom(saved(source)).astype(np.uint16)
    assert_same_image(image, 1023 - expected if photometric == "MONOCHROME1" else expected)
    assert notes == said_of(GRAY12.size, 10)


def test_left_justified_words_of_rle_are_not_masked_before_they_are_shifted():
    source = pydicom.dcmread(io.BytesIO(compressed(data_set(GRAY12 << 4), uid.RLELossless)))
    source.BitsStored, source.HighBit = 12, 15
    image, notes = read(source, syntax=uid.RLELossless)
    assert_same_image(image, GRAY12)
    assert notes == []


def test_an_overlay_that_nothing_declares_is_told_and_left_out():
    pixels = (GRAY12 << 4) | (GRAY12 & 1)
    image, notes = read(data_set(pixels, bits=12, HighBit=15))
    assert_same_image(image, GRAY12)
    assert notes == said_of(int((GRAY12 & 1).sum()))
    assert read(data_set(pixels, bits=12, HighBit=15), overlay_bit=0)[1] == []
    assert read(data_set(pixels, bits=12, HighBit=15), overlay_bit=1)[1] == notes


def test_copies_of_the_sign_are_no_other_data():
    assert read(data_set(SIGNED12, bits=12))[1] == []
    pixels = SIGNED12.copy()
    pixels[0, :2] ^= 1 << 14
    image, notes = read(data_set(pixels, bits=12))
    assert_same_image(image, GRAY12)
    assert notes == said_of(2)
    cut = (SIGNED12 & 0xFFF).astype(np.int16)  # as some writers do: no copies at all
    image, notes = read(data_set(cut, bits=12))
    assert_same_image(image, GRAY12)
    assert notes == []


def test_spare_bits_of_colours_are_told():
    colour = drawn(8, 12, channels=3) >> 2
    colour[0, 0] |= 0xC0
    image, notes = read(data_set(colour, bits=6))
    assert_same_image(image, colour & 63)
    assert notes == said_of(3, 6)
