"""Tables whose descriptors are wrong: bits, counts and first values are told by the entries."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance.io import image_info
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from cxr_enhance.io.dicom.decode import decode_dicom  # noqa: E402
from cxr_enhance.io.options import ReadOptions  # noqa: E402
from tests.helpers.dicom_files import (  # noqa: E402
    data_set,
    element,
    lut_item,
    read_with_notes,
    saved,
)

STEPS = np.arange(0, 4096, 5, np.uint16)

RAMP = STEPS[None].repeat(4, 0)


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize(
    ("entries", "bits", "taken"),
    [
        (np.arange(4096) * 4, 10, 14),  # wider than declared
        (np.arange(4096), 10, 12),
        (np.arange(4096), 16, 12),  # the word's bits declared
        (np.arange(4096) // 16, 16, 8),
        (np.arange(4096) * 8, 16, None),  # the lower half of the range may be meant
        (np.arange(4096) * 16, 0, 16),
        (np.arange(4096) * 16, 32, 16),
    ],
)
def test_bits_of_a_table_are_those_of_its_entries(keyword, entries, bits, taken):
    ds = data_set(RAMP, bits=12, photometric="MONOCHROME1")
    setattr(ds, keyword, [lut_item(0, bits, entries)])
    image, notes = read_with_notes(saved(ds))
    top = 2 ** (taken or 16) - 1
    expected = (top - entries[RAMP]).astype(np.uint8 if taken == 8 else np.uint16)
    assert_same_image(image, expected)
    assert (f"LUT of {bits} bits holds entries of {taken}" in notes) == (taken is not None)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize("bits", [8, 16])
def test_entries_packed_two_a_word_are_read(syntax, bits):
    entries = (np.arange(4096) // 16).astype(np.uint8)
    ds = data_set(RAMP, bits=12, VOILUTSequence=[lut_item(0, bits, [0, 0])])
    item = ds.VOILUTSequence[0]
    item.LUTDescriptor = [4096, 0, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries.tobytes()
    if syntax == uid.ExplicitVRBigEndian:
        item.LUTData = entries.reshape(-1, 2)[:, ::-1].tobytes()
        ds.PixelData = RAMP.astype(">u2").tobytes()
    image, _ = read_with_notes(saved(ds, syntax))
    assert_same_image(image, entries[RAMP])


def test_a_table_shorter_than_declared_ends_with_its_last_entry():
    ds = data_set(RAMP, bits=12, VOILUTSequence=[lut_item(0, 16, np.arange(3000) * 20)])
    ds.VOILUTSequence[0].LUTDescriptor = [4096, 0, 16]
    ds.VOILUTSequence[0]["LUTDescriptor"].VR = "US"
    image, notes = read_with_notes(saved(ds))
    assert_same_image(image, (np.minimum(RAMP, 2999) * 20).astype(np.uint16))
    assert "VOI LUT of 4096 entries, 3000 are there" in notes


@pytest.mark.parametrize(("tag", "name"), [(0x00283000, "Modality LUT"), (0x00283010, "VOI LUT")])
def test_a_sequence_of_no_items_is_no_table_and_noted_unless_it_is_empty(tag, name):
    whole = saved(data_set(RAMP, bits=12))
    place = whole.index(b"\xe0\x7f\x10\0")
    empty = element(tag, "SQ", b"\xfe\xff\xdd\xe0\0\0\0\0", 0xFFFFFFFF)
    for sequence in (element(tag, "SQ", b""), empty, element(tag, "SQ", bytes(80))):
        image, notes = read_with_notes(whole[:place] + sequence + whole[place:])
        assert_same_image(image, RAMP)
        assert (f"{name} damaged; left out" in notes) == (sequence[12:] == bytes(80))


ENTRIES = np.arange(3000) * 20


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_a_first_value_mapped_without_its_sign_is_told_by_the_rescale(syntax):
    pixels = np.array([[0, 500, 1999, 2999]], np.uint16)
    ds = data_set(
        pixels, bits=12, RescaleSlope="1", RescaleIntercept="-1000",
        VOILUTSequence=[lut_item(64_536, 16, ENTRIES)],
    )  # fmt: skip
    image, notes = read_with_notes(saved(ds, syntax))
    assert_same_image(image, ENTRIES[pixels].astype(np.uint16))
    assert "VOI LUT begins at 64536, beyond most values; taken as -1000" in notes
    assert any("begins at 64536" in note for note in image_info(saved(ds, syntax)).notes)


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize(
    ("pixels", "first", "vr"),
    [
        (np.array([[-1000, -500, 0, 1999]], np.int16), 64_536, "US"),
        (np.array([[40_000, 41_000, 42_999, 39_000]], np.uint16), -25_536, "SS"),
        (np.array([[40_000, 41_000, 42_999, 39_000]], np.uint16), 40_000, "US"),
        (np.array([[-1000, -500, 0, 1999]], np.int16), -1000, "SS"),
    ],
)
def test_a_first_value_mapped_of_the_other_sign_is_told_by_the_pixels(keyword, pixels, first, vr):
    ds = data_set(pixels)
    setattr(ds, keyword, [lut_item(first, 16, ENTRIES, vr=vr)])
    image, notes = read_with_notes(saved(ds))
    meant = 40_000 if pixels.dtype == np.uint16 else -1000
    places = np.clip(pixels.astype(int) - meant, 0, 2999)
    assert_same_image(image, ENTRIES[places].astype(np.uint16))
    assert ("begins at" in notes) == (first != meant)


EIGHT_BITS = np.arange(4096) >> 4


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("bits", [12, 14, 15])
def test_entries_of_8_bits_under_more_are_an_image_of_8_bits(keyword, bits):
    data = saved(data_set(RAMP, bits=12, **{keyword: [lut_item(0, bits, EIGHT_BITS)]}))
    decoded = decode_dicom(data, ReadOptions())
    assert_same_image(decoded.image, EIGHT_BITS[RAMP].astype(np.uint8))
    (note,) = decoded.notes
    assert note.endswith(f"LUT of {bits} bits holds entries of 8; taken as 8")
    assert image_info(data).notes == (note,)


@pytest.mark.parametrize(("greatest", "bits"), [(256, 12), (1500, 12), (255, 11), (5000, 14)])
def test_a_table_of_a_dark_image_stays_dark(greatest, bits):
    entries = np.arange(4096) * greatest // 4095
    data = saved(data_set(RAMP, bits=12, VOILUTSequence=[lut_item(0, bits, entries)]))
    decoded = decode_dicom(data, ReadOptions())
    assert_same_image(decoded.image, entries[RAMP].astype(np.uint16))
    assert decoded.notes == []


def test_a_modality_table_before_a_voi_table_keeps_its_values():
    source = data_set(
        RAMP, bits=12, ModalityLUTSequence=[lut_item(0, 12, EIGHT_BITS)],
        VOILUTSequence=[lut_item(0, 16, np.arange(256) * 257)],
    )  # fmt: skip
    decoded = decode_dicom(saved(source), ReadOptions())
    assert_same_image(decoded.image, (EIGHT_BITS[RAMP] * 257).astype(np.uint16))
