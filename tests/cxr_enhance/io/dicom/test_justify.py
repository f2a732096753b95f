"""High Bit against the words themselves: where in its word a value stands."""

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

from tests.helpers.dicom_files import (  # noqa: E402
    compressed,
    data_set,
    jpeg_lossless,
    near_lossless,
    read_with_notes,
    saved,
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
