"""Loss by compression is told by what the pixels are, whatever holds them."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance.io.dicom.elements import read_elements
from cxr_enhance.io.dicom.header import read_header
from cxr_enhance.io.dicom.lossy import loss_of_dicom, loss_of_file

cv2 = pytest.importorskip("cv2")
pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.helpers.dicom_files import compressed, data_set, jpeg_lossless, saved  # noqa: E402
from tests.helpers.image_files import drawn, encoded, tiff  # noqa: E402

GRAY = drawn(36, 52)
JPEG = encoded(".jpg", GRAY)


def loss_of(data):
    elements = read_elements(data)
    return loss_of_dicom(elements, read_header(elements))


@pytest.mark.parametrize("channels", [None, 3])
def test_a_tiff_with_jpeg_inside_is_lossy(channels):
    image = drawn(64, 80, channels=channels)
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 7, cv2.IMWRITE_TIFF_ROWSPERSTRIP, 64]
    data = encoded(".tif", image, options)
    loss = loss_of_file(data)
    assert loss.method == "ISO_10918_1"
    assert loss.is_certain
    assert loss.ratio == image.size / len(data)


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_a_tiff_without_jpeg_is_not(compression):
    data = encoded(".tif", GRAY, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    assert loss_of_file(data) is None
    assert loss_of_file(tiff([GRAY])) is None


@pytest.mark.parametrize(
    "syntax",
    [uid.JPEGBaseline8Bit, uid.JPEGLosslessSV1, uid.ExplicitVRLittleEndian, uid.JPEGLSLossless,
     uid.JPEG2000Lossless, uid.RLELossless],
)  # fmt: skip
def test_a_lossy_jpeg_is_one_under_any_transfer_syntax(syntax):
    data = saved(data_set(GRAY), uid.JPEGBaseline8Bit, [JPEG])
    old, new = (str(name).encode() for name in (uid.JPEGBaseline8Bit, syntax))
    changed = data.replace(old.ljust(22, b"\0"), new.ljust(22, b"\0"))
    loss = loss_of(changed)
    assert (loss.method, loss.is_certain) == ("ISO_10918_1", True)


def test_a_lossless_jpeg_is_none_under_any_transfer_syntax():
    lossless = jpeg_lossless(GRAY)
    for syntax in (uid.JPEGBaseline8Bit, uid.JPEGLossless, uid.JPEGLosslessSV1):
        assert loss_of(saved(data_set(GRAY), syntax, [lossless])) is None


def test_native_and_lossless_pixels_have_none():
    deep = drawn(36, 52, np.uint16)
    assert loss_of(saved(data_set(deep))) is None
    for syntax in (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        assert loss_of(compressed(data_set(deep), syntax)) is None
