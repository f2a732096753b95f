"""What is done to each image: presets, sizes, formats, against OpenCV and pydicom."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph
from tests.compare import assert_same_image
from tests.cxr_enhance.archive.conftest import rows_of
from tests.cxr_enhance.io.files import encoded
from tests.reference import notebook_chain

cv2 = pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.cxr_enhance.io.dicom_files import compressed, data_set, saved  # noqa: E402

GRAY = synthetic_radiograph(90, 70)
DEEP = synthetic_radiograph(90, 70, bits=12)


@pytest.fixture
def enhanced(run, tmp_path):
    """Give a function that runs over one file's content and returns the output's path."""

    def call(data, *options, status=0):
        (tmp_path / "scan").write_bytes(data)
        got, report, err = run(tmp_path / "scan", "--out", tmp_path / "out", *options)
        assert got == status, err
        return report["files"][0]["target"]

    return call


def test_a_dicom_file_is_enhanced_as_it_is_shown(enhanced):
    data = saved(data_set(DEEP, bits=12, photometric="MONOCHROME1"))
    path = enhanced(data)
    assert_same_image(cxe.read_image(path), cxe.enhance(4095 - DEEP))


@pytest.mark.parametrize("options", [["--long-side", "45"], ["--size", "64", "32"]])
@pytest.mark.parametrize("first", [False, True])
def test_resizing_is_opencvs_inter_area_in_the_order_asked_for(enhanced, options, first):
    size = (35, 45) if options[0] == "--long-side" else (64, 32)
    path = enhanced(encoded(".png", GRAY), *options, *(["--resize-first"] if first else []))
    if first:
        expected = cxe.enhance(cv2.resize(GRAY, size, interpolation=cv2.INTER_AREA))
    else:
        expected = cv2.resize(cxe.enhance(GRAY), size, interpolation=cv2.INTER_AREA)
    assert_same_image(cxe.read_image(path), expected)


def test_the_study_preset_is_the_notebook(enhanced):
    colour = np.dstack([GRAY, GRAY // 2, 255 - GRAY])
    path = enhanced(encoded(".png", colour), "--preset", "study")
    expected = notebook_chain(cv2.resize(colour, (224, 224)), channel_order="bgr")
    assert_same_image(cxe.read_image(path), expected)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_the_mimic_preset_is_its_recipe(enhanced, photometric):
    data = saved(data_set(
        DEEP, bits=12, photometric=photometric, WindowCenter="100", WindowWidth="50"
    ))  # fmt: skip
    path = enhanced(data, "--preset", "mimic-cxr-jpg")
    stored = DEEP - DEEP.min()
    small = (stored / stored.max() * 255).astype(np.uint8)
    if photometric == "MONOCHROME1":
        small = 255 - small
    expected = encoded(".jpg", cv2.equalizeHist(small), [cv2.IMWRITE_JPEG_QUALITY, 95])
    with open(path, "rb") as file:
        assert file.read() == expected


def test_jpegs_quality_can_be_set(enhanced):
    path = enhanced(encoded(".png", GRAY), "--format", "jpeg", "--quality", "50")
    expected = encoded(".jpg", cxe.enhance(GRAY), [cv2.IMWRITE_JPEG_QUALITY, 50])
    with open(path, "rb") as file:
        assert file.read() == expected


SOURCE = data_set(
    DEEP, bits=12, photometric="MONOCHROME1", WindowCenter="1800", WindowWidth="1500",
    RescaleSlope="1", RescaleIntercept="0", StudyDescription="CHEST PA",
)  # fmt: skip


@pytest.mark.parametrize("syntax", [None, uid.JPEGLSLossless, uid.ImplicitVRLittleEndian])
def test_a_derived_dicom_keeps_the_header_and_shows_the_result(enhanced, syntax):
    if syntax == uid.JPEGLSLossless:
        data = compressed(pydicom.dcmread(io.BytesIO(saved(SOURCE))), syntax)
    else:
        data = saved(SOURCE, syntax or uid.ExplicitVRLittleEndian)
    path = enhanced(data, "--format", "dicom")
    assert path.endswith("scan.dcm")
    source, derived = pydicom.dcmread(io.BytesIO(data)), pydicom.dcmread(path)
    assert derived.SOPInstanceUID != source.SOPInstanceUID
    assert derived.file_meta.MediaStorageSOPInstanceUID == derived.SOPInstanceUID
    assert list(derived.ImageType) == ["DERIVED", "PRIMARY", "LAT"]
    assert derived.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID",
                    "StudyDescription", "ViewPosition", "PixelSpacing"):  # fmt: skip
        assert derived[keyword] == source[keyword]
    assert "WindowCenter" not in derived
    assert "RescaleSlope" not in derived
    expected = cxe.enhance(cxe.read_image(data))
    assert derived.PhotometricInterpretation == "MONOCHROME2"
    assert_same_image(derived.pixel_array, expected)
    assert_same_image(cxe.read_image(path), expected)


def test_a_stripped_dicom_holds_nobody(enhanced):
    path = enhanced(saved(SOURCE), "--format", "dicom", "--strip-identity")
    with open(path, "rb") as file:
        content = file.read()
    for word in (b"Doe", b"SECRET", b"1970", b"Elsewhere", b"CHEST PA", b"1.2.3.4"):
        assert word not in content
    derived = pydicom.dcmread(path)
    assert derived.PatientIdentityRemoved == "YES"
    assert (derived.ViewPosition, derived.ImageLaterality) == ("PA", "L")
    assert_same_image(derived.pixel_array, cxe.enhance(cxe.read_image(saved(SOURCE))))


def test_resized_dicom_keeps_millimetres(enhanced):
    path = enhanced(saved(SOURCE), "--format", "dicom", "--size", "35", "30")
    derived = pydicom.dcmread(path)
    assert (derived.Rows, derived.Columns) == (30, 35)
    assert [float(value) for value in derived.PixelSpacing] == pytest.approx([0.6, 0.2])


def test_a_derived_dicom_of_a_png_is_a_secondary_capture(enhanced):
    derived = pydicom.dcmread(enhanced(encoded(".png", GRAY), "--format", "dicom"))
    assert derived.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert list(derived.ImageType) == ["DERIVED", "PRIMARY"]
    assert_same_image(derived.pixel_array, cxe.enhance(GRAY))


def test_doing_the_same_twice_gives_the_same_bytes(run, tmp_path):
    (tmp_path / "scan.dcm").write_bytes(saved(SOURCE))
    for name in ("one", "two"):
        run(tmp_path / "scan.dcm", "--out", tmp_path / name, "--format", "dicom")
    one, two = ((tmp_path / name / "scan.dcm").read_bytes() for name in ("one", "two"))
    assert one == two


def test_voi_frame_and_size_limit_reach_the_reader(enhanced, tmp_path):
    data = saved(SOURCE)
    path = enhanced(data, "--voi", "none", "--no-clahe", "--no-white-balance")
    assert_same_image(cxe.read_image(path), 4095 - DEEP)
    os.unlink(path)
    frames = saved(data_set(np.stack([GRAY, 255 - GRAY])))
    path = enhanced(frames, "--frame", "1", "--overwrite")
    assert_same_image(cxe.read_image(path), cxe.enhance(255 - GRAY))
    enhanced(data, "--max-pixels", "6299", "--overwrite", status=1)
    assert "at most 6299 pixels" in rows_of(tmp_path / "out")[-1]["error"]


def test_nothing_of_the_patient_is_in_manifest_or_report(run, tmp_path, capfd):
    ds = pydicom.dcmread(io.BytesIO(saved(SOURCE)))
    ds.WindowWidth = "0"
    (tmp_path / "scan.dcm").write_bytes(saved(ds))
    (tmp_path / "cut.dcm").write_bytes(saved(ds)[:-200])
    _, report, err = run(tmp_path / "scan.dcm", tmp_path / "cut.dcm", "--out", tmp_path / "out")
    text = (tmp_path / "out" / "manifest.jsonl").read_text() + repr(report) + err
    assert "Window Width 0; window left out" in text
    for word in ("Doe", "SECRET", "1970", "Elsewhere", "CHEST"):
        assert word not in text
