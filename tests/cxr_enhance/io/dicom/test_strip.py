"""A stripped header holds codes and numbers of technique, whatever stands under their tags."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from cxr_enhance.io.dicom.write import derived_dicom

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytestmark = [
    pytest.mark.opencv,
    pytest.mark.filterwarnings("ignore:.*nvalid value for VR:UserWarning"),  # wrong on purpose
]

from tests.helpers.dicom_files import data_set, element, saved  # noqa: E402

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)
TAGS = {"Modality": 0x00080060, "ViewPosition": 0x00185101, "KVP": 0x00180060,
        "BodyPartExamined": 0x00180015, "PatientOrientation": 0x00200020}  # fmt: skip


def strip(data):
    notes = []
    content = derived_dicom(PIXELS, data, description="x", strip_identity=True, notes=notes)
    return content, pydicom.dcmread(io.BytesIO(content)), notes


def with_element(tag, vr, value):
    """Give a file in which an element stands with this VR, true to its tag or not."""
    source = data_set(PIXELS, KVP="70", BodyPartExamined="Chest", PatientOrientation=["L", "F"])
    if tag in source:
        del source[tag]
    source[0x7FE00010].VR = "OB"
    data = saved(source)
    pixels = data.index(struct.pack("<HH", 0x7FE0, 0x10))
    value += b" " * (len(value) % 2)
    return data[:pixels] + element(tag, vr, value) + data[pixels:]


@pytest.mark.parametrize("keyword", TAGS)
@pytest.mark.parametrize("vr", ["UN", "LO", "LT", "CS", "SQ", "OB"])
def test_what_is_no_code_or_number_of_its_tag_is_left_out(keyword, vr):
    value = b"Doe^Jane SECRET-4711"
    if vr == "SQ":
        inner = element(0x00100010, "PN", b"Doe^Jane")
        value = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    content, derived, notes = strip(with_element(TAGS[keyword], vr, value))
    assert b"Doe" not in content
    assert b"SECRET" not in content
    assert keyword not in derived
    assert len(notes) == 1
    assert f"({TAGS[keyword] >> 16:04X},{TAGS[keyword] & 0xFFFF:04X})" in notes[0]


def test_codes_and_numbers_stay_as_they_are():
    _, derived, notes = strip(with_element(0x00181160, "SH", b"Al+Cu 0.1/2"))
    assert notes == []
    assert (derived.Modality, derived.ViewPosition, derived.KVP) == ("DX", "PA", 70)
    assert (derived.BodyPartExamined, derived.FilterType) == ("Chest", "Al+Cu 0.1/2")
    assert derived.PatientOrientation == ["L", "F"]
    assert derived.ImageType == ["DERIVED", "PRIMARY", "LAT"]


@pytest.mark.parametrize("tag", [0x00091001, 0x00111111, 0x00187777, 0x00290010, 0x50000005])
def test_private_unknown_and_repeating_elements_go_without_a_note(tag):
    content, derived, notes = strip(with_element(tag, "UN", b"Doe^Jane"))
    assert b"Doe" not in content
    assert tag not in derived
    assert notes == []
