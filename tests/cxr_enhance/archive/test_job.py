"""What is done to each image: presets, sizes, formats, against OpenCV and pydicom."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.job import Job
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.png import load_isal
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import rows_of
from tests.helpers.compare import assert_same_image
from tests.helpers.image_files import encoded
from tests.reference import notebook_chain

cv2 = pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.helpers.dicom_files import compressed, data_set, saved  # noqa: E402

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


def last_row(out):
    return rows_of(out)[-1]


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("first", [False, True])
def test_an_archive_crops_fits_and_tells_where_each_pixel_comes_from(
    enhanced, tmp_path, fit, first
):
    framed = np.pad(GRAY, [(12, 0), (0, 9)])
    words = ["--size", "64", "48", "--fit", fit, "--crop-border"]
    path = enhanced(encoded(".png", framed), *words, *(["--resize-first"] if first else []))
    preparation = cxe.Preparation(
        size=(48, 64),
        fit=fit,
        crop_border=True,
        order="resize-first" if first else "enhance-first",
    )
    expected = cxe.prepare(framed, preparation)
    assert_same_image(cxe.read_image(path), expected.image)
    assert cxe.Transform.from_dict(last_row(tmp_path / "out")) == expected.transform
    assert expected.transform.crop.top >= 12


def test_one_pixel_is_as_many_millimetres_as_asked_for(enhanced, tmp_path):
    ds = data_set(GRAY, PixelSpacing=["0.2", "0.1"])
    path = enhanced(saved(ds), "--spacing", "0.4", "--format", "dicom")
    derived = pydicom.dcmread(path)
    assert (derived.Rows, derived.Columns) == (45, 18)
    assert [float(mm) for mm in derived.PixelSpacing] == pytest.approx([0.4, 0.4], rel=0.03)
    assert last_row(tmp_path / "out")["scaled_size"] == [45, 18]
    del ds.PixelSpacing
    enhanced(saved(ds), "--spacing", "0.4", "--overwrite", status=1)
    row = last_row(tmp_path / "out")
    assert row["status"] == "failed"
    assert row["error"].startswith(
        "`--spacing` is only allowed for images whose pixels have a size"
    )
    assert not row["retry"]


def test_a_derived_dicom_with_margins_keeps_millimetres(enhanced):
    ds = data_set(GRAY, PixelSpacing=["0.2", "0.1"])
    path = enhanced(saved(ds), "--size", "90", "90", "--fit", "pad", "--format", "dicom")
    derived = pydicom.dcmread(path)
    assert [float(mm) for mm in derived.PixelSpacing] == [0.2, 0.1]
    assert not derived.pixel_array[:, :10].any()


def test_outputs_of_another_fit_are_other_outputs_and_those_without_keep_their_digest():
    params = cxe.EnhanceParams()
    plain = Job(params=params, size_wh=(64, 64))
    assert not {"fit", "spacing", "crop_border", "window"} & plain.to_dict().keys()
    others = [
        Job(params=params, size_wh=(64, 64), fit="pad"),
        Job(params=params, size_wh=(64, 64), crop_border=True),
        Job(params=params, spacing=0.2),
        Job(params=params, spacing=0.3),
        Job(params=params, size_wh=(64, 64), read=ReadOptions(window=(40, 400))),
        Job(params=params, size_wh=(64, 64), read=ReadOptions(window=(40, 500))),
    ]
    assert len({job.digest() for job in (plain, *others)}) == 7


def test_one_image_tells_its_transform(run, tmp_path):
    (tmp_path / "scan").write_bytes(encoded(".png", GRAY))
    words = ["--size", "64", "64", "--fit", "pad"]
    _, report, _ = run(tmp_path / "scan", "--out", tmp_path / "a.png", *words)
    expected = cxe.prepare(GRAY, cxe.Preparation(size=(64, 64), fit="pad")).transform
    assert report["transform"] == expected.to_dict()


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


@pytest.mark.parametrize("option", [("--clip-limit", "0"), ("--bit-shift", "0"), ("--no-clahe",)])
def test_the_mimic_preset_refuses_options_of_the_chain_whatever_their_value(run, tmp_path, option):
    words = [tmp_path, "--out", tmp_path / "out", "--preset", "mimic-cxr-jpg", *option]
    status, _, err = run(*words)
    assert status == 2
    assert "`--preset mimic-cxr-jpg` is only allowed without options of white balance" in err


@pytest.mark.parametrize("source", [GRAY, DEEP], ids=["8 bits", "16 bits"])
def test_small_png_is_opencvs_file_and_fast_png_holds_the_same_pixels(enhanced, source):
    data, expected = encoded(".png", source), cxe.enhance(source)
    with open(enhanced(data, "--compression", "small"), "rb") as file:
        small = file.read()
    assert small == encoded(".png", expected)
    for words in ([], ["--compression", "fast"]):
        path = enhanced(data, "--overwrite", *words)
        assert_same_image(cxe.read_image(path), expected)
        assert_same_image(cv2.imread(path, cv2.IMREAD_UNCHANGED), expected)
        with open(path, "rb") as file:
            assert (file.read() == small) == (load_isal() is None)


def test_fast_png_of_colour_holds_the_same_pixels(enhanced, tmp_path):
    (tmp_path / "rgb.json").write_text(cxe.EnhanceParams(output="rgb").to_json())
    path = enhanced(encoded(".png", GRAY), "--params", tmp_path / "rgb.json", "--long-side", "45")
    with open(path, "rb") as file:
        assert file.read()[25] == 2  # IHDR: RGB
    expected = cv2.resize(cxe.enhance(GRAY), (35, 45), interpolation=cv2.INTER_AREA)
    assert_same_image(cxe.read_image(path), np.dstack([expected] * 3))


def test_compression_decides_nothing_that_the_manifest_records():
    jobs = [Job(params=cxe.EnhanceParams(), compression=how) for how in ("fast", "small")]
    assert jobs[0].to_dict() == jobs[1].to_dict()
    assert jobs[0].digest() == jobs[1].digest()


def test_an_unknown_compression_is_refused():
    with pytest.raises(ValueError, match="`--compression` must be one of fast, small; got 'zip'"):
        Job(params=cxe.EnhanceParams(), compression="zip")


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
    assert (derived.RescaleIntercept, derived.RescaleSlope) == (0, 1)
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
    words = ("--window", "1800", "900", "--overwrite", "--no-clahe", "--no-white-balance")
    path = enhanced(data, *words)
    assert_same_image(cxe.read_image(path), cxe.read_image(data, window=(1800, 900)))
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


def test_stripping_reaches_private_nested_repeating_and_trailing_elements(enhanced):
    word, date, root = "Zebediah", "19991231", "1.9.9.9"
    ds = pydicom.dcmread(io.BytesIO(saved(SOURCE)))
    for keyword in ("PatientComments", "OperatorsName", "InstitutionAddress", "DeviceSerialNumber",
                    "ImageComments", "ProtocolName", "StationName", "DerivationDescription",
                    "OtherPatientNames", "DetectorID", "AcquisitionDeviceProcessingDescription",
                    "RequestingPhysician"):  # fmt: skip
        setattr(ds, keyword, word)
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, keyword, date)
    for keyword in ("FrameOfReferenceUID", "DeviceUID", "IrradiationEventUID"):
        setattr(ds, keyword, f"{root}.1")
    ds.private_block(0x0011, word, create=True).add_new(1, "LO", word)
    inner, item = pydicom.Dataset(), pydicom.Dataset()
    inner.CodeMeaning = item.PatientName = word
    item.StudyDate, item.ReferencedSOPInstanceUID = date, f"{root}.2"
    item.ConceptNameCodeSequence = [inner]
    ds.RequestAttributesSequence = ds.OriginalAttributesSequence = [item]
    ds.ReferencedImageSequence = ds.ViewCodeSequence = [item]
    ds.add_new(0x60000022, "LO", word)
    ds.add_new(0xFFFCFFFC, "OB", word.encode())
    data = (word * 16).encode() + saved(ds)[128:]  # in the preamble, too
    path = enhanced(data, "--format", "dicom", "--strip-identity")
    with open(path, "rb") as file:
        content = file.read()
    for trace in (word, date, root, "Doe", "SECRET", "1970", "1.2.3.4"):
        assert trace.encode() not in content


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("changes", [
    {}, {"SOPClassUID": "junk..1"}, {"SOPInstanceUID": "0.01." * 20}, {"StudyInstanceUID": None},
    {"SOPClassUID": None},
])  # fmt: skip
def test_a_derived_dicom_is_read_again_with_valid_uids_of_its_own(enhanced, changes, strip):
    ds = pydicom.dcmread(io.BytesIO(saved(SOURCE)))
    data = saved(SOURCE)
    for keyword, value in changes.items():
        old = ds[keyword].value
        tag = ds[keyword].tag
        head = bytes([tag.group & 255, tag.group >> 8, tag.element & 255, tag.element >> 8])
        place = data.rindex(head + b"UI")
        size = int.from_bytes(data[place + 6 : place + 8], "little")
        new = b"" if value is None else (value + "\0" * (len(value) % 2)).encode()
        written = b"" if value is None else head + b"UI" + len(new).to_bytes(2, "little") + new
        assert old.encode() in data[place : place + 8 + size]
        data = data[:place] + written + data[place + 8 + size :]
    options = ["--strip-identity"] if strip else []
    derived = pydicom.dcmread(enhanced(data, "--format", "dicom", *options))
    for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        assert derived[name].value.is_valid, name
    assert derived.file_meta.MediaStorageSOPClassUID == derived.SOPClassUID
    assert derived.file_meta.MediaStorageSOPInstanceUID == derived.SOPInstanceUID
    assert derived.SOPInstanceUID != ds.SOPInstanceUID
    referred = derived.get("SourceImageSequence", [])
    assert all(item.ReferencedSOPInstanceUID.is_valid for item in referred)
    assert_same_image(derived.pixel_array, cxe.enhance(cxe.read_image(data)))


def test_one_frame_of_an_enhanced_dicom_is_a_secondary_capture_shown_once(enhanced):
    voi, item = pydicom.Dataset(), pydicom.Dataset()
    voi.WindowCenter, voi.WindowWidth = "1800", "900"
    item.FrameVOILUTSequence = [voi]
    ds = data_set(np.stack([DEEP, DEEP]), bits=12, PerFrameFunctionalGroupsSequence=[item, item])
    derived = enhanced(saved(ds), "--format", "dicom")
    expected = cxe.enhance(cxe.read_image(saved(data_set(
        DEEP, bits=12, WindowCenter="1800", WindowWidth="900"
    ))))  # fmt: skip
    assert_same_image(cxe.read_image(derived), expected)
    assert pydicom.dcmread(derived).SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"


def test_an_error_of_the_header_does_not_quote_it(enhanced, tmp_path, monkeypatch):
    def quoting(*_, **__):
        raise TypeError("With tag (0010,0010) got exception: not a name: 'Doe^Jane'")

    data = saved(SOURCE)
    monkeypatch.setattr(pydicom, "dcmwrite", quoting)
    enhanced(data, "--format", "dicom", status=1)
    error = rows_of(tmp_path / "out")[-1]["error"]
    assert "TypeError at element (0010,0010)" in error
    assert "Doe" not in error
