import numpy as np
import pytest

from cxr_enhance import write_image
from cxr_enhance.io import dicom_attributes

pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")

from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.helpers.dicom_files import data_set, saved

PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_a_header_says_whom_and_what_a_file_shows(tmp_path, syntax):
    told = data_set(PIXELS, PatientSex="F", PatientAge="034Y", Manufacturer="Maker & Söhne")
    told.SpecificCharacterSet = "ISO_IR 192"
    (tmp_path / "scan").write_bytes(saved(told, syntax))
    assert dicom_attributes(tmp_path / "scan") == {
        "patient": "SECRET-4711",
        "study": "1.2.3.4",
        "view": "PA",
        "modality": "DX",
        "sex": "F",
        "age": "034Y",
        "manufacturer": "Maker & Söhne",
    }


def test_what_is_missing_or_empty_is_left_out(tmp_path):
    told = data_set(PIXELS, PatientID="", ViewPosition=None)
    del told.Modality
    (tmp_path / "scan").write_bytes(saved(told))
    assert dicom_attributes(tmp_path / "scan") == {"study": "1.2.3.4"}


def test_a_patient_id_of_other_bytes_keeps_them(tmp_path):
    told = data_set(PIXELS, PatientID="Müller 7", SpecificCharacterSet="ISO_IR 100")
    (tmp_path / "scan").write_bytes(saved(told))
    patient = dicom_attributes(tmp_path / "scan")["patient"]
    assert patient.encode("utf-8", "surrogateescape") == b"M\xfcller 7"


def test_other_images_say_nothing_and_damaged_files_are_named(tmp_path):
    write_image(tmp_path / "scan.png", PIXELS)
    assert dicom_attributes(tmp_path / "scan.png") == {}
    (tmp_path / "empty").write_bytes(b"")
    assert dicom_attributes(tmp_path / "empty") == {}
    (tmp_path / "cut").write_bytes(saved(data_set(PIXELS))[:300])
    with pytest.raises(ValueError, match=r"cut short .* File: '.*cut'"):
        dicom_attributes(tmp_path / "cut")
