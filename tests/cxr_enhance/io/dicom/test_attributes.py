import contextlib
import io
import os
import struct
import tracemalloc
import warnings

import numpy as np
import pytest

from cxr_enhance import read_image, write_image
from cxr_enhance.io import _content, dicom_attributes, image_info, info
from cxr_enhance.io import read as read_module
from cxr_enhance.io._content import FileBytes
from cxr_enhance.io.dicom import attributes
from cxr_enhance.io.dicom.attributes import header_texts

pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")

from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.helpers.compare import assert_same_image
from tests.helpers.dicom_files import data_set, element, lut_item, saved

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

    for module in (attributes, info, read_module):
        monkeypatch.setattr(module, "opened", cut_after_opening)
    texts = lambda name: header_texts(name, [0x00080060])  # noqa: E731
    for read in (dicom_attributes, image_info, texts, read_image):
        path.write_bytes(saved(ds))
        with pytest.raises(ValueError, match="must hold a whole"):
            read(path)


LENGTH = 0xFFFFFFF0  # nearly the longest that an element can declare; takes no place on the disk
SEQUENCES = [0x00283000, 0x00283010, 0x00081140, 0x52009229, 0x52009230]


@contextlib.contextmanager
def little_memory():
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def write_with_zeros(path, whole, place, elements):
    """Write a file with elements of zeros, given as (head, length), inserted at `place`."""
    with path.open("wb") as file:
        file.write(whole[:place])
        for head, length in elements:
            file.write(head)
            file.seek(length, os.SEEK_CUR)
        file.write(whole[place:])


def assert_read_with_little_memory(path):
    with little_memory():
        assert dicom_attributes(path)["modality"] == "DX"
        assert header_texts(path, [0x00080060]) == {0x00080060: ("DX",)}
        assert image_info(path).height == 8
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zeros are no functional group
            assert_same_image(read_image(path), PIXELS)


@pytest.mark.parametrize("vr", ["SQ", "UN"])
@pytest.mark.parametrize("tag", SEQUENCES)
def test_a_sequence_of_any_length_takes_little_memory(tmp_path, tag, vr):
    whole = saved(data_set(PIXELS))
    sequence = element(tag, vr, b"", LENGTH)
    write_with_zeros(tmp_path / "x", whole, whole.index(b"\xe0\x7f"), [(sequence, LENGTH)])
    assert_read_with_little_memory(tmp_path / "x")


def test_elements_of_any_number_take_little_memory(tmp_path):
    whole = saved(data_set(PIXELS))
    private = [(element(0x60110000 + n, "UN", b"", 1 << 20), 1 << 20) for n in range(900)]
    write_with_zeros(tmp_path / "private", whole, whole.index(b"\xe0\x7f"), private)
    assert_read_with_little_memory(tmp_path / "private")
    meta = [(element(0x00024000 + n, "UN", b"", 1 << 20), 1 << 20) for n in range(900)]
    write_with_zeros(tmp_path / "meta", whole, whole.index(b"\x08\0\x16\0"), meta)
    assert_read_with_little_memory(tmp_path / "meta")


@pytest.mark.parametrize("tag", [0x00020010, 0x00080016, 0x00080060, 0x00100020, 0x00280010])
def test_values_of_any_length_take_little_memory(tmp_path, tag):
    whole = saved(data_set(PIXELS))
    place = whole.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF))
    size = 8 + whole[place + 6]
    rest = whole[:place] + whole[place + size :]
    long = element(tag, "UN", b"", LENGTH)
    write_with_zeros(tmp_path / "x", rest, place, [(long, LENGTH)])
    with little_memory():
        for read in (dicom_attributes, image_info, read_image):
            with contextlib.suppress(ValueError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(tmp_path / "x")


def test_bytes_after_a_deflated_header_take_little_memory(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(saved(data_set(PIXELS), DeflatedExplicitVRLittleEndian))
    os.truncate(path, 1 << 34)
    assert_read_with_little_memory(path)


def test_a_first_frame_of_any_size_takes_little_memory(tmp_path):
    whole = saved(data_set(PIXELS, bits=12, HighBit=14, Rows=40_000, Columns=50_000))
    place = whole.index(b"\xe0\x7f")
    path = tmp_path / "x"
    path.write_bytes(whole[: place + 8] + struct.pack("<I", 40_000 * 50_000 * 2))
    os.truncate(path, place + 12 + 40_000 * 50_000 * 2)
    with little_memory():
        assert image_info(path).notes == ("High Bit 14 of 12 bits stored",)
        with pytest.raises(ValueError, match="got a DICOM image of 50000 x 40000"):
            read_image(path)


def test_a_frame_is_read_without_the_others(tmp_path):
    path = tmp_path / "x"
    frames = np.arange(3 * 64, dtype=np.uint16).reshape(3, 8, 8)
    whole = saved(data_set(frames, NumberOfFrames=1 << 24))
    at = whole.index(b"\xe0\x7f") + 8
    path.write_bytes(whole[:at] + struct.pack("<I", 1 << 31) + whole[at + 4 :])
    os.truncate(path, at + 4 + (1 << 31))
    with little_memory():
        for frame in range(3):
            with pytest.warns(UserWarning, match=f"frame {frame} of {1 << 24}"):
                assert_same_image(read_image(path, frame=frame), frames[frame])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_file_reads_like_its_content_whatever_lies_between_its_elements(tmp_path, syntax):
    shared, macro = Dataset(), Dataset()
    macro.VOILUTSequence = [lut_item(0, 12, np.arange(4096)[::-1])]
    shared.FrameVOILUTSequence = [macro]
    ds = data_set(PIXELS, bits=12, SharedFunctionalGroupsSequence=[shared])
    ds.PerFrameFunctionalGroupsSequence = [Dataset(), Dataset()]
    for number, group in enumerate((0x0009, 0x0015, 0x0021, 0x0029)):
        ds.add_new((group, 0x1001), "OB", bytes([number]) * 100_000)
    path = tmp_path / "x"
    path.write_bytes(saved(ds, syntax))
    data = path.read_bytes()
    assert image_info(path) == image_info(data)
    assert image_info(path).has_voi_lut
    assert_same_image(read_image(path), read_image(data))
    tags = [0x00080060, 0x00100020, 0x00280010, 0x00091001, 0x00291001]
    assert header_texts(path, tags) == header_texts(data, tags)


def test_parts_of_a_file_are_slices_of_its_bytes(tmp_path, rng):
    path = tmp_path / "bytes"
    data = rng.bytes(300_000)
    path.write_bytes(data)
    with path.open("rb", buffering=0) as file:
        whole = FileBytes.of(file)
        for _ in range(300):
            outer, inner = rng.integers(0, 310_000, (2, 2)).tolist()
            part, expected = whole.part(*outer), data[slice(*outer)]
            assert len(part) == len(expected)
            assert part[slice(*inner)] == expected[slice(*inner)]
            assert part.part(*inner)[:] == expected[slice(*inner)]


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
