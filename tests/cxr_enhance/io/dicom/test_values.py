"""Numbers as they stand in files: unclean, none at all, or written in binary."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance import read_image
from cxr_enhance.io import image_info
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv


from tests.helpers.dicom_files import (  # noqa: E402
    data_set,
    element,
    read_with_notes,
    saved,
)
from tests.helpers.image_files import drawn  # noqa: E402

GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4


@pytest.mark.parametrize(
    ("written", "read"), [(b"1,5 ", 1.5), (b"1.5\0zz", 1.5), (b"1.5 mm", 1.5), (b"+1.50E0 ", None)]
)
def test_a_number_that_is_not_clean_is_read_with_a_note(written, read):
    data = saved(data_set(GRAY12, bits=12, RescaleSlope="2.25", RescaleIntercept="0"))
    data = data.replace(element(0x00281053, "DS", b"2.25"), element(0x00281053, "DS", written))
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert ("(0028,1053) is no clean number; read as 1.5" in notes) == (read is not None)
    assert image_info(data).rescale == (1.5, 0.0)


@pytest.mark.parametrize(
    "written", [b"nan ", b"inf ", b"1e999 ", b"1_0 ", b"0x10", b"--1 ", b"1.2.3 "]
)
def test_what_is_no_number_is_left_out_with_a_note(written):
    data = saved(data_set(GRAY12, bits=12, RescaleSlope="2.25", RescaleIntercept="0"))
    data = data.replace(element(0x00281053, "DS", b"2.25"), element(0x00281053, "DS", written))
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert "(0028,1053) is no number; left out" in notes


@pytest.mark.parametrize("vr", ["US", "SS", "UL", "SL", "FL", "FD"])
def test_a_rescale_in_binary_is_read(vr):
    form = {"US": "<u2", "SS": "<i2", "UL": "<u4", "SL": "<i4", "FL": "<f4", "FD": "<f8"}[vr]
    window = {"WindowCenter": "3000", "WindowWidth": "1000"}
    ds = data_set(GRAY12, bits=12, RescaleSlope="2", RescaleIntercept="100", **window)
    right = read_image(saved(ds))
    data = saved(ds)
    for tag, text, value in ((0x00281053, b"2 ", 2), (0x00281052, b"100 ", 100)):
        old = element(tag, "DS", text)
        assert old in data
        data = data.replace(old, element(tag, vr, np.array(value, form).tobytes()))
    image, notes = read_with_notes(data)
    assert_same_image(image, right)
    assert f"(0028,1053) written with VR {vr}; read as 2" in notes
