"""Headers of derived files describe the new pixels; identity is stripped by a named profile."""

from __future__ import annotations

import hashlib
import hmac
import io
import struct

import numpy as np
import pytest

from cxr_enhance.io import image_info
from cxr_enhance.io.dicom.attributes import dicom_attributes
from cxr_enhance.io.dicom.pseudonym import pseudonym
from cxr_enhance.io.dicom.write import derived_dicom
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.read import decode_image
from tests.helpers.compare import assert_same_image

cv2 = pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.helpers.dicom_files import (  # noqa: E402
    compressed,
    data_set,
    lut_item,
    read_with_notes,
    saved,
)
from tests.helpers.image_files import drawn, encoded  # noqa: E402

GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4
RESULT = drawn(36, 52, dtype=np.uint16)
KEY = b"0123456789abcdef"
STORAGE = "1.2.840.10008.5.1.4.1.1."


def derive(data, image=RESULT, *, strip=False, key=None):
    """Derive a file and read it again, with the notes."""
    notes = []
    content = derived_dicom(
        image, data, description="enhanced", strip_identity=strip, pseudonym_key=key, notes=notes
    )
    return pydicom.dcmread(io.BytesIO(content)), notes


@pytest.mark.parametrize(
    ("elements", "reversed_"),
    [
        ({}, False),
        ({"PhotometricInterpretation": "MONOCHROME1"}, True),
        ({"PresentationLUTShape": "INVERSE"}, True),
        ({"RescaleSlope": "-1", "RescaleIntercept": "4095"}, True),
        ({"RescaleSlope": "-1", "RescaleIntercept": "4095",
          "PhotometricInterpretation": "MONOCHROME1"}, False),
        ({"VOILUTSequence": [lut_item(0, 16, np.arange(4096)[::-1] * 16)]}, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("strip", [False, True])
def test_the_sign_of_intensity_turns_with_the_polarity(elements, reversed_, sign, strip):
    ds = data_set(
        GRAY12, bits=12, PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=sign
    )
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    derived, _ = derive(saved(ds), strip=strip)
    assert derived.PixelIntensityRelationshipSign == (-sign if reversed_ else sign)
    assert derived.get("PresentationLUTShape", "IDENTITY") == "IDENTITY"


@pytest.mark.parametrize(("kind", "term"), [("1", "DISP"), ("1.1", "LIN"), ("1.2.1", "LIN")])
def test_the_intensity_relationship_is_one_that_the_class_allows(kind, term):
    ds = data_set(GRAY12, bits=12, PixelIntensityRelationship="LIN")
    ds.SOPClassUID = STORAGE + kind
    derived, _ = derive(saved(ds))
    assert derived.PixelIntensityRelationship == term


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("kind", ["1.1", "1.1.1", "1.2", "1.3.1"])
def test_digital_x_ray_states_that_values_are_not_rescaled(kind, strip):
    ds = data_set(GRAY12, bits=12, RescaleIntercept="-1024", RescaleSlope="2", RescaleType="OD")
    ds.SOPClassUID = STORAGE + kind
    derived, notes = derive(saved(ds), strip=strip)
    rescale = (derived.RescaleIntercept, derived.RescaleSlope, derived.RescaleType)
    assert rescale == (0, 1, "US")
    assert not notes


def test_other_classes_lose_the_rescale_of_the_source():
    ds = data_set(GRAY12, bits=12, RescaleIntercept="-1024", RescaleSlope="2", RescaleType="OD")
    ds.SOPClassUID = STORAGE + "1"
    derived, _ = derive(saved(ds))
    assert not {"RescaleIntercept", "RescaleSlope", "RescaleType"}.intersection(derived.dir())


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("kind", ["3.1", "7.2", "7.3"])
def test_a_frame_of_a_multi_frame_class_becomes_a_secondary_capture(kind, strip):
    ds = data_set(np.stack([GRAY12] * 3), bits=12, CineRate="30", FrameTime="33")
    ds.FrameTimeVector = ["0", "33", "33"]
    ds.FrameIncrementPointer = 0x00181065
    ds.SOPClassUID = STORAGE + kind
    derived, _ = derive(saved(ds), strip=strip)
    assert derived.SOPClassUID == uid.SecondaryCaptureImageStorage
    assert derived.ConversionType == "WSD"
    of_frames = {"NumberOfFrames", "CineRate", "FrameTime", "FrameTimeVector"}
    assert not of_frames.intersection(derived.dir())


def test_maps_of_the_stored_values_are_left_out():
    item = pydicom.Dataset()
    item.RealWorldValueSlope = 2.0
    ds = data_set(GRAY12, bits=12, RealWorldValueMappingSequence=[item])
    derived, _ = derive(saved(ds))
    assert "RealWorldValueMappingSequence" not in derived


@pytest.mark.parametrize(
    ("stated", "derived_type"),
    [
        ("ORIGINAL", ["DERIVED", "PRIMARY"]),
        ("ORIGINAL\\SECONDARY", ["DERIVED", "SECONDARY"]),
        (None, ["DERIVED", "PRIMARY"]),
    ],
)
@pytest.mark.parametrize("strip", [False, True])
def test_only_the_first_term_of_the_image_type_changes(stated, derived_type, strip):
    derived, _ = derive(saved(data_set(GRAY12, bits=12, ImageType=stated)), strip=strip)
    assert derived.ImageType == derived_type


@pytest.mark.parametrize("strip", [False, True])
def test_the_aspect_ratio_of_pixels_follows_the_size_of_the_image(strip):
    data = saved(data_set(GRAY12, bits=12, PixelAspectRatio=["4", "3"]))
    assert derive(data, strip=strip)[0].PixelAspectRatio == [4, 3]
    assert derive(data, image=RESULT[::2], strip=strip)[0].PixelAspectRatio == [8, 3]
    assert derive(data, image=RESULT[:, ::4], strip=strip)[0].PixelAspectRatio == [1, 3]
    assert derive(data, image=RESULT[::2, ::2], strip=strip)[0].PixelAspectRatio == [4, 3]


@pytest.mark.parametrize("stated", ["4", "0\\3", "4\\0", "-4\\3"])
def test_an_invalid_aspect_ratio_is_not_scaled(stated):
    data = saved(data_set(GRAY12, bits=12, PixelAspectRatio=stated.split("\\")))
    assert "PixelAspectRatio" not in derive(data, image=RESULT[::2])[0]


def test_values_of_fewer_bits_than_their_type_are_stored_as_such():
    data = saved(data_set(GRAY12, bits=12))
    content = derived_dicom(GRAY12, data, description="enhanced", strip_identity=False, bits=12)
    derived = pydicom.dcmread(io.BytesIO(content))
    assert (derived.BitsAllocated, derived.BitsStored, derived.HighBit) == (16, 12, 11)
    assert_same_image(decode_image(content, ReadOptions()).image, GRAY12)
    full, _ = derive(data)
    assert (full.BitsAllocated, full.BitsStored, full.HighBit) == (16, 16, 15)


@pytest.mark.parametrize("kind", ["1.1", "1.2", "1.3"])
def test_a_file_for_processing_becomes_one_for_presentation(kind):
    ds = data_set(GRAY12, bits=12, PresentationIntentType="FOR PROCESSING")
    ds.SOPClassUID = f"{STORAGE}{kind}.1"
    source = ds.SOPClassUID
    derived, _ = derive(saved(ds))
    assert derived.SOPClassUID == STORAGE + kind
    assert derived.file_meta.MediaStorageSOPClassUID == STORAGE + kind
    assert derived.PresentationIntentType == "FOR PRESENTATION"
    assert derived.SourceImageSequence[0].ReferencedSOPClassUID == source


def described_overlay(ds, position):
    """Describe an overlay in bit `position` of the pixels."""
    ds.add_new(0x60000010, "US", ds.Rows)
    ds.add_new(0x60000011, "US", ds.Columns)
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", position)
    return ds


def test_an_overlay_in_spare_bits_gets_data_of_its_own():
    drawn_over = GRAY12 > 2000
    ds = data_set(GRAY12 | (drawn_over.astype(np.uint16) << 13), bits=12)
    derived, notes = derive(saved(described_overlay(ds, 13)))
    assert (derived[0x60000100].value, derived[0x60000102].value) == (1, 0)
    assert_same_image(derived.overlay_array(0x6000), drawn_over.astype(np.uint8))
    assert not notes


@pytest.mark.parametrize("kind", ["resized", "compressed"])
def test_an_overlay_that_cannot_be_kept_is_left_out_with_a_note(kind):
    ds = described_overlay(data_set(GRAY12, bits=12), 12)
    if kind == "compressed":
        derived, notes = derive(compressed(ds, uid.JPEGLSLossless))
    else:
        derived, notes = derive(saved(ds), image=RESULT[::2, ::2])
    assert not derived.group_dataset(0x6000)
    assert any("overlay (6000,xxxx) left out" in note for note in notes)


@pytest.mark.parametrize("allocated", [None, 1, 8])
def test_an_overlay_in_spare_bits_is_kept_whatever_its_bits_allocated(allocated):
    drawn_over = GRAY12 > 2000
    ds = data_set(GRAY12 | (drawn_over.astype(np.uint16) << 13), bits=12)
    described_overlay(ds, 13)[0x60000100].value = allocated
    if allocated is None:
        del ds[0x60000100]
    derived, notes = derive(saved(ds))
    assert (derived[0x60000100].value, derived[0x60000102].value) == (1, 0)
    assert_same_image(derived.overlay_array(0x6000), drawn_over.astype(np.uint8))
    assert not notes
    note = (
        "overlay (6000,0000) in bit 13 of the pixels, with Overlay Bits Allocated "
        f"{allocated or 'missing'}; taken as 16"
    )
    image, read_notes = read_with_notes(saved(ds))
    assert_same_image(image, GRAY12)
    assert read_notes == f"DICOM: {note}."
    assert image_info(saved(ds)).notes == (note,)


@pytest.mark.parametrize(
    ("allocated", "position"),
    [(1, 0), (None, 0), (16, 0), (16, 11), (1, 11), (16, 16), (1, 16), (16, 0xFFFF)],
)
def test_an_overlay_without_data_never_takes_bits_that_are_not_its_own(allocated, position):
    ds = described_overlay(data_set(GRAY12, bits=12), position)
    ds[0x60000100].value = allocated
    if allocated is None:
        del ds[0x60000100]
    derived, notes = derive(saved(ds))
    assert not derived.group_dataset(0x6000)
    assert notes == ["overlay (6000,xxxx) left out, as the file has no data of it that can be read"]


def test_low_bits_of_left_justified_values_are_no_overlay_whose_data_were_removed():
    ds = data_set((GRAY12 << 4) | 1, bits=12, HighBit=15)
    described_overlay(ds, 0)[0x60000100].value = 1
    derived, notes = derive(saved(ds))
    assert not derived.group_dataset(0x6000)
    assert any("overlay (6000,xxxx) left out" in note for note in notes)


def test_an_overlay_below_left_justified_values_gets_data_of_its_own():
    drawn_over = (GRAY12 > 2000).astype(np.uint16)
    ds = data_set((GRAY12 << 4) | drawn_over, bits=12)
    ds.HighBit = 15
    derived, notes = derive(saved(described_overlay(ds, 0)))
    assert_same_image(derived.overlay_array(0x6000), drawn_over.astype(np.uint8))
    assert not notes


def test_empty_overlay_data_are_none():
    drawn_over = GRAY12 > 2000
    ds = data_set(GRAY12 | (drawn_over.astype(np.uint16) << 13), bits=12)
    described_overlay(ds, 13).add_new(0x60003000, "OW", b"")
    derived, notes = derive(saved(ds))
    assert_same_image(derived.overlay_array(0x6000), drawn_over.astype(np.uint8))
    assert not notes
    assert_same_image(read_with_notes(saved(ds))[0], GRAY12)


def test_an_overlay_with_data_of_its_own_never_names_a_bit_of_the_new_pixels():
    ds = described_overlay(data_set(GRAY12, bits=12), 13)
    ds.add_new(0x60003000, "OW", bytes(range(117)) * 2)
    derived, notes = derive(saved(ds))
    assert (derived[0x60000100].value, derived[0x60000102].value) == (1, 0)
    assert derived[0x60003000].value == bytes(range(117)) * 2
    assert not notes


@pytest.mark.parametrize(("frames", "is_kept"), [(1, True), (2, False)])
def test_an_overlay_of_several_frames_is_left_out_with_a_note(frames, is_kept):
    ds = described_overlay(data_set(GRAY12, bits=12), 0)
    ds.add_new(0x60000015, "IS", frames)
    ds.add_new(0x60003000, "OW", bytes(234) * frames)
    derived, notes = derive(saved(ds))
    assert bool(derived.group_dataset(0x6000)) == is_kept
    assert notes == ([] if is_kept else ["overlay (6000,xxxx) left out, as it has several frames"])


def test_an_overlay_with_data_of_its_own_stays():
    ds = described_overlay(data_set(GRAY12, bits=12), 0)
    ds[0x60000100].value = 1
    ds.add_new(0x60003000, "OW", bytes(234))
    derived, notes = derive(saved(ds))
    assert derived[0x60003000].value == bytes(234)
    assert not notes


def test_shutters_of_a_resized_image_are_left_out_with_a_note():
    ds = data_set(GRAY12, bits=12, ShutterShape="RECTANGULAR", ShutterLeftVerticalEdge="3")
    assert derive(saved(ds))[0].ShutterLeftVerticalEdge == 3
    derived, notes = derive(saved(ds), image=RESULT[::2, ::2])
    assert "ShutterLeftVerticalEdge" not in derived
    assert "shutter or collimator left out, as the image was resized" in notes


JPEG = encoded(".jpg", drawn(36, 52))


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize(
    ("data", "method"),
    [
        (JPEG, "ISO_10918_1"),
        (saved(data_set(drawn(36, 52)), uid.JPEGBaseline8Bit, [JPEG]), "ISO_10918_1"),
        (compressed(data_set(drawn(36, 52)), uid.JPEG2000, j2k_cr=[4]), "ISO_15444_1"),
        (compressed(data_set(drawn(36, 52)), uid.JPEGLSNearLossless, jls_error=3), "ISO_14495_1"),
    ],
    ids=["file", "jpeg", "jpeg-2000", "jpeg-ls"],
)
def test_loss_of_the_source_is_stated(data, method, strip):
    derived, _ = derive(data, strip=strip)
    assert derived.LossyImageCompression == "01"
    assert derived.LossyImageCompressionMethod == method
    stored = data if data is JPEG else pydicom.dcmread(io.BytesIO(data)).PixelData
    ratio = pytest.approx(36 * 52 / len(stored), rel=0.04)  # the end of the items counts too
    assert float(derived.LossyImageCompressionRatio) == ratio


def test_a_webp_file_was_lossy_unless_it_says_otherwise():
    lossy = encoded(".webp", drawn(36, 52, channels=3), [cv2.IMWRITE_WEBP_QUALITY, 50])
    lossless = encoded(".webp", drawn(36, 52, channels=3), [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert derive(lossy)[0].LossyImageCompression == "01"
    assert "LossyImageCompression" not in derive(lossless)[0]


@pytest.mark.parametrize("syntax", [None, uid.JPEG2000Lossless, uid.RLELossless])
def test_no_loss_is_stated_where_there_was_none(syntax):
    ds = data_set(GRAY12, bits=12)
    data = saved(ds) if syntax is None else compressed(ds, syntax)
    assert "LossyImageCompression" not in derive(data)[0]
    assert "LossyImageCompression" not in derive(encoded(".png", GRAY12))[0]


@pytest.mark.parametrize("nested", [False, True])
def test_an_element_that_cannot_be_written_again_is_left_out_with_a_note(nested):
    ds = data_set(GRAY12, bits=12, KVP="70", StudyDescription="CHEST")
    code = pydicom.Dataset()
    code.KVP, code.CodeMeaning = "71", "kept"
    ds.ViewCodeSequence = [code]
    data = saved(ds, uid.ImplicitVRLittleEndian)
    old = struct.pack("<HHI", 0x18, 0x60, 2) + (b"71" if nested else b"70")
    bad = struct.pack("<HHI", 0x18, 0x9073, 2) + b"ab"  # a duration in binary64
    assert data.count(old) == 1
    derived, notes = derive(data.replace(old, bad))
    assert notes == ["(0018,9073) cannot be written again; left out"]
    kept = derived.ViewCodeSequence[0] if nested else derived
    assert "AcquisitionDuration" not in kept
    assert derived.ViewCodeSequence[0].CodeMeaning == "kept"
    assert derived.StudyDescription == "CHEST"
    assert_same_image(derived.pixel_array, RESULT)


def test_a_stripped_file_names_the_profile_it_follows():
    derived, _ = derive(saved(data_set(GRAY12, bits=12)), strip=True)
    (code,) = derived.DeidentificationMethodCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
    assert code.CodeMeaning == "Basic Application Confidentiality Profile"
    assert derived.LongitudinalTemporalInformationModified == "REMOVED"
    assert "PS3.15" in derived.DeidentificationMethod
    assert len(derived.DeidentificationMethod) <= 64
    assert derived.PatientID == ""


def test_a_key_gives_patients_pseudonyms_and_uids_that_only_it_can_make():
    data = saved(data_set(GRAY12, bits=12))
    derived, _ = derive(data, strip=True, key=KEY)
    expected = hmac.new(KEY, b"SECRET-4711", hashlib.sha256).hexdigest()[:32]
    assert derived.PatientID == expected == pseudonym(" SECRET-4711 ", KEY)
    other, _ = derive(data, strip=True, key=KEY[::-1])
    without, _ = derive(data, strip=True)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        values = {str(found[keyword].value) for found in (derived, other, without)}
        assert len(values) == 3, keyword
        assert all(uid.UID(value).is_valid for value in values)
    assert derive(data, strip=True, key=KEY)[0].StudyInstanceUID == derived.StudyInstanceUID


@pytest.mark.parametrize(
    ("patient", "charset"),
    [
        ("4711", None),
        ("M\u00fcller1", "ISO_IR 100"),
        ("M\u00fcller1", "ISO_IR 192"),
        ("A\\B", None),
        ("\u0418\u0432\u0430\u043d", "ISO_IR 144"),
    ],
)
def test_a_patient_has_the_pseudonym_of_other_commands(tmp_path, patient, charset):
    ds = data_set(GRAY12, bits=12, PatientID=patient)
    if charset is not None:
        ds.SpecificCharacterSet = charset
    data = saved(ds)
    (tmp_path / "scan").write_bytes(data)
    derived, _ = derive(data, strip=True, key=KEY)
    assert derived.PatientID == pseudonym(dicom_attributes(tmp_path / "scan")["patient"], KEY)


def test_a_patient_without_an_identifier_has_no_pseudonym():
    derived, _ = derive(saved(data_set(GRAY12, bits=12, PatientID="")), strip=True, key=KEY)
    assert derived.PatientID == ""


def test_millimetres_and_places_follow_a_crop_with_margins_of_the_same_size():
    ds = data_set(
        GRAY12,
        bits=12,
        PixelSpacing=["0.2", "0.1"],
        ImagerPixelSpacing=["0.3", "0.15"],
        ShutterShape="RECTANGULAR",
    )
    notes = []
    content = derived_dicom(
        RESULT, saved(ds), description="x", strip_identity=False, scale=(0.5, 0.25), notes=notes
    )
    derived = pydicom.dcmread(io.BytesIO(content))
    assert [float(mm) for mm in derived.PixelSpacing] == [0.4, 0.4]
    assert [float(mm) for mm in derived.ImagerPixelSpacing] == [0.6, 0.6]
    assert "ShutterShape" not in derived
    assert notes == ["shutter or collimator left out, as the image was resized"]
