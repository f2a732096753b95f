"""Lookup tables whose descriptors are wrong: the entries decide, and a note tells."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv

from cxr_enhance.io import image_info  # noqa: E402
from cxr_enhance.io.dicom.decode import decode_dicom  # noqa: E402
from cxr_enhance.io.options import ReadOptions  # noqa: E402
from tests.helpers.compare import assert_same_image  # noqa: E402
from tests.helpers.dicom_files import data_set, lut_item, saved  # noqa: E402

STEPS = np.arange(0, 4096, 5, np.uint16)[None].repeat(4, 0)
EIGHT_BITS = np.arange(4096) >> 4


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("bits", [12, 14, 15])
def test_entries_of_8_bits_under_more_are_an_image_of_8_bits(keyword, bits):
    data = saved(data_set(STEPS, bits=12, **{keyword: [lut_item(0, bits, EIGHT_BITS)]}))
    decoded = decode_dicom(data, ReadOptions())
    assert_same_image(decoded.image, EIGHT_BITS[STEPS].astype(np.uint8))
    (note,) = decoded.notes
    assert note.endswith(f"LUT of {bits} bits holds entries of 8; taken as 8")
    assert image_info(data).notes == (note,)


@pytest.mark.parametrize(("greatest", "bits"), [(256, 12), (1500, 12), (255, 11), (5000, 14)])
def test_a_table_of_a_dark_image_stays_dark(greatest, bits):
    entries = np.arange(4096) * greatest // 4095
    data = saved(data_set(STEPS, bits=12, VOILUTSequence=[lut_item(0, bits, entries)]))
    decoded = decode_dicom(data, ReadOptions())
    assert_same_image(decoded.image, entries[STEPS].astype(np.uint16))
    assert decoded.notes == []


def test_a_modality_table_before_a_voi_table_keeps_its_values():
    source = data_set(
        STEPS, bits=12, ModalityLUTSequence=[lut_item(0, 12, EIGHT_BITS)],
        VOILUTSequence=[lut_item(0, 16, np.arange(256) * 257)],
    )  # fmt: skip
    decoded = decode_dicom(saved(source), ReadOptions())
    assert_same_image(decoded.image, (EIGHT_BITS[STEPS] * 257).astype(np.uint16))
