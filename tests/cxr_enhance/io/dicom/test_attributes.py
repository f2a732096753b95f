import contextlib
import io
import os
import tracemalloc

import numpy as np
import pytest

from cxr_enhance import write_image
from cxr_enhance.io import _content, dicom_attributes, image_info, info
from cxr_enhance.io._content import FileBytes
from cxr_enhance.io.dicom import attributes
from cxr_enhance.io.dicom.attributes import header_texts

pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.helpers.dicom_files import data_set, element, saved

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


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        (0x00280010, ("8",)),
        (0x00280101, ("12",)),
        (0x00280106, ("-5",)),
        (0x00186020, ("-7",)),
        (0x00720074, ("1.5", "2")),
        (0x00280030, ("0.2", "0.1")),
        (0x00080060, ("DX",)),
        (0x00091001, ("MAKER",)),
        (0x00280008, ()),
    ],
)
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_values_read_alike_in_explicit_and_implicit_vr(syntax, tag, values):
    ds = data_set(PIXELS.astype(np.int16), bits=12)
    ds.add_new(0x00280106, "SS", -5)
    ds.add_new(0x00186020, "SL", -7)
    ds.add_new(0x00720074, "FD", [1.5, 2])
    ds.add_new(0x00091001, "LO", "MAKER")
    assert header_texts(saved(ds, syntax), [tag]).get(tag, ()) == values


def test_the_dictionary_replaces_an_unknown_vr():
    ds = data_set(PIXELS, bits=12)
    del ds.BitsStored
    data = saved(ds)
    at = data.index(b"\x28\x00\x02\x01")  # before High Bit
    unknown = element(0x00280101, "UN", b"\x0c\0")
    assert header_texts(data[:at] + unknown + data[at:], [0x00280101]) == {0x00280101: ("12",)}


def test_a_header_without_vrs_needs_pydicom_for_values_that_are_no_texts(monkeypatch):
    def missing(module):
        raise ImportError("pydicom is needed for DICOM files.")

    monkeypatch.setattr(attributes, "load_pydicom", missing)
    data = saved(data_set(PIXELS, BodyPartExamined="CHEST"), ImplicitVRLittleEndian)
    assert header_texts(data, [0x00080060, 0x00185101, 0x00180015]) == {
        0x00080060: ("DX",),
        0x00185101: ("PA",),
        0x00180015: ("CHEST",),
    }
    with pytest.raises(ImportError, match="pydicom is needed"):
        header_texts(data, [0x00280101])


@pytest.mark.parametrize("kept", [200, 600])
def test_a_file_cut_while_it_is_read_is_an_error(tmp_path, monkeypatch, kept):
    path = tmp_path / "scan"
    ds = data_set(PIXELS, ImageComments="x" * 9000)
    ds.add_new(0x00091001, "UN", bytes(1 << 17))
    path.write_bytes(saved(ds))

    @contextlib.contextmanager
    def cut_after_opening(name):
        with _content.opened(name) as content:
            os.truncate(name, kept)
            yield content

    for module in (attributes, info):
        monkeypatch.setattr(module, "opened", cut_after_opening)
    for read in (dicom_attributes, image_info, lambda name: header_texts(name, [0x00080060])):
        path.write_bytes(saved(ds))
        with pytest.raises(ValueError, match="must hold a whole"):
            read(path)


def test_a_header_is_read_without_the_bulk_of_other_elements(tmp_path):
    path = tmp_path / "scan"
    ds = data_set(np.zeros((512, 512), np.uint16))
    ds.add_new(0x00091001, "UN", bytes(1 << 24))
    path.write_bytes(saved(ds))
    tracemalloc.start()
    try:
        assert dicom_attributes(path)["modality"] == "DX"
        assert image_info(path).height == 512
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def test_other_images_say_nothing_and_damaged_files_are_named(tmp_path):
    write_image(tmp_path / "scan.png", PIXELS)
    assert dicom_attributes(tmp_path / "scan.png") == {}
    (tmp_path / "empty").write_bytes(b"")
    assert dicom_attributes(tmp_path / "empty") == {}
    (tmp_path / "cut").write_bytes(saved(data_set(PIXELS))[:300])
    with pytest.raises(ValueError, match=r"cut short .* File: '.*cut'"):
        dicom_attributes(tmp_path / "cut")


def test_a_file_is_read_whole_where_one_read_gives_fewer_bytes_than_asked(tmp_path):
    class Slow(io.FileIO):
        def read(self, size=-1):
            return super().read(min(size, 7) if size > 0 else size)

    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) * 8)
    with Slow(path) as file:
        content = FileBytes.of(file)
        assert content[3:1030] == path.read_bytes()[3:1030]
        assert content[2040:] == path.read_bytes()[2040:]
