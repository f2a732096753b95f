"""Values stand at either end of their words, whatever High Bit, sign and compression say."""

from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
openjpeg = pytest.importorskip("openjpeg.utils")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from cxr_enhance.io.dicom.decode import decode_dicom  # noqa: E402
from cxr_enhance.io.options import ReadOptions  # noqa: E402
from tests.helpers.compare import assert_same_image  # noqa: E402
from tests.helpers.dicom_files import compressed, data_set, saved  # noqa: E402
from tests.helpers.image_files import drawn  # noqa: E402

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
    frame = bytes(openjpeg.encode_array(words, use_mct=False, compression_ratios=[4]))
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
