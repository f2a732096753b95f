import dataclasses

import numpy as np
import pytest

import cxr_enhance
from cxr_enhance import write_image
from cxr_models.records.examine import examine, read_headers
from cxr_models.records.fingerprints import fingerprint, stored_fingerprint
from cxr_models.records.index import index_folder
from cxr_models.records.layouts import Layout
from cxr_models.records.ties import components
from tests.helpers.radiographs import draw, write_class_folders


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_unreadable_files_are_listed_with_the_reason_and_not_dropped_silently(tmp_path):
    write_class_folders(tmp_path, ("covid",), 2)
    touch(tmp_path, "covid/empty.png")
    (tmp_path / "covid/half.png").write_bytes(
        (tmp_path / "covid/covid-p0-0.png").read_bytes()[:300]
    )
    index = examine(index_folder(tmp_path), tmp_path)
    assert [record.file for record in index.records] == [
        "covid/covid-p0-0.png",
        "covid/covid-p0-1.png",
    ]
    assert [skipped.file for skipped in index.skipped] == ["covid/empty.png", "covid/half.png"]
    assert "got an empty file" in index.skipped[0].reason


def test_a_file_for_which_a_decoder_is_missing_is_listed_beside_those_that_were_read(
    tmp_path, monkeypatch
):
    write_class_folders(tmp_path, ("covid",), 2)
    read = cxr_enhance.read_image

    def lacking(path):
        if path.endswith("-1.png"):
            raise ImportError("A decoder is needed")
        return read(path)

    monkeypatch.setattr(cxr_enhance, "read_image", lacking)
    index = examine(index_folder(tmp_path), tmp_path)
    assert [record.file for record in index.records] == ["covid/covid-p0-0.png"]
    assert [skipped.reason for skipped in index.skipped] == ["A decoder is needed"]


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), KeyError("x"), RecursionError()])
def test_no_one_file_keeps_the_others_out_whatever_it_raises(tmp_path, monkeypatch, error):
    write_class_folders(tmp_path, ("covid",), 2)
    read = cxr_enhance.read_image

    def fails(path):
        if path.endswith("-1.png"):
            raise error
        return read(path)

    monkeypatch.setattr(cxr_enhance, "read_image", fails)
    index = examine(index_folder(tmp_path), tmp_path)
    assert [record.file for record in index.records] == ["covid/covid-p0-0.png"]
    assert [skipped.reason for skipped in index.skipped] == [str(error) or type(error).__name__]


def test_copies_and_near_copies_and_patients_share_a_group(tmp_path):
    folder = tmp_path / "covid"
    folder.mkdir()
    first, second, third = draw(1, 200), draw(2, 200), draw(3, 200)
    write_image(folder / "a.png", first)
    write_image(folder / "b.tif", first)  # the same pixels
    write_image(folder / "c.jpg", first, quality=60)  # nearly the same
    write_image(folder / "d-p9.png", second)
    write_image(folder / "e-p9.png", third)
    index = examine(index_folder(tmp_path, Layout(patient_pattern=r"-(p\d)")), tmp_path)
    groups = [record.group for record in index.records]
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4] != groups[0]
    assert [(d.file, d.other) for d in index.duplicates] == [
        ("covid/a.png", "covid/b.tif"),
        ("covid/a.png", "covid/c.jpg"),
        ("covid/b.tif", "covid/c.jpg"),
    ]


def test_what_is_not_looked_at_stays_in_the_index(tmp_path):
    write_class_folders(tmp_path, ("covid",), 1)
    touch(tmp_path, "covid/notes.txt")
    assert examine(index_folder(tmp_path), tmp_path).other_files == ("covid/notes.txt",)


def test_records_hold_what_tells_their_images_from_others(tmp_path):
    write_class_folders(tmp_path, ("covid",), 2)
    for record in examine(index_folder(tmp_path), tmp_path).records:
        made = fingerprint(cxr_enhance.read_image(tmp_path / record.file))
        stored = stored_fingerprint(record)
        assert stored.pixels == made.pixels
        assert np.array_equal(stored.whole, made.whole)
        assert np.array_equal(stored.trimmed, made.trimmed)


def test_copies_under_two_labels_are_told(tmp_path):
    for label in ("covid", "normal"):
        (tmp_path / label).mkdir()
    write_image(tmp_path / "covid/a.png", draw(1, 200))
    write_image(tmp_path / "normal/b.png", np.ascontiguousarray(255 - draw(1, 200)[:, ::-1]))
    write_image(tmp_path / "normal/c.png", draw(2, 200))
    (pair,) = examine(index_folder(tmp_path), tmp_path).duplicates
    assert (pair.file, pair.label) == ("covid/a.png", "covid")
    assert (pair.other, pair.other_label) == ("normal/b.png", "normal")
    assert pair.kind == "mirrored and inverted"


def test_of_copies_the_first_is_kept_and_what_they_tied_stays_together(tmp_path):
    (tmp_path / "covid").mkdir()
    write_image(tmp_path / "covid/a.png", draw(1, 200))
    write_image(tmp_path / "covid/b-p1.png", draw(1, 200))
    write_image(tmp_path / "covid/c-p1.png", draw(2, 200))
    found = index_folder(tmp_path, Layout(patient_pattern=r"-(p\d)"))
    index = examine(found, tmp_path, drop_duplicates=True)
    assert [record.file for record in index.records] == ["covid/a.png", "covid/c-p1.png"]
    assert index.records[0].group == index.records[1].group
    (dropped,) = index.skipped
    assert (dropped.file, dropped.reason) == ("covid/b-p1.png", "a duplicate of covid/a.png")
    assert dropped.is_intended()


@pytest.fixture
def dicom_folder(tmp_path):
    """Give a folder of DICOM files, by name the PatientID of each."""
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    from tests.helpers.dicom_files import data_set, saved

    def write(**patients):
        folder = tmp_path / "set/covid"
        folder.mkdir(parents=True)
        for number, (name, patient) in enumerate(patients.items()):
            told = data_set(draw(number, 200), PatientID=patient, PatientSex="F", PatientAge="034Y")
            (folder / f"{name}.dcm").write_bytes(saved(told))
        return tmp_path / "set"

    return write


def test_dicom_headers_tell_patient_study_and_examination(dicom_folder):
    folder = dicom_folder(a="P001", b="p001 ", c="P002")
    index = examine(index_folder(folder), folder, name_patient=lambda patient: f"<{patient}>")
    first = index.records[0]
    assert [record.patient for record in index.records] == ["<P001>", "<p001>", "<P002>"]
    assert (first.study, first.view, first.modality) == ("1.2.3.4", "PA", "DX")
    assert (first.sex, first.age, first.manufacturer) == ("F", "034Y", "")
    groups = [record.group for record in index.records]
    assert groups[0] == groups[1] != groups[2]


def test_ids_of_headers_that_name_nobody_are_no_patients(dicom_folder):
    folder = dicom_folder(a="ANONYMOUS", b="Anonymous", c="unknown")
    index = examine(index_folder(folder), folder, name_patient=lambda patient: "written")
    assert [record.patient for record in index.records] == ["", "", ""]
    assert len({record.group for record in index.records}) == 3


def test_ids_of_paths_go_before_those_of_headers_unless_they_name_nobody(dicom_folder):
    folder = dicom_folder(nan="P7", p8="P9")
    layout = Layout(patient_pattern=r"(\w+)\.dcm")
    index = examine(index_folder(folder, layout), folder, name_patient=str.lower)
    assert [record.patient for record in index.records] == ["p7", "p8"]


def test_without_a_name_for_them_patients_of_headers_are_tied_and_not_written(dicom_folder):
    folder = dicom_folder(a="P1", b="P1", c="P2")
    records = examine(index_folder(folder), folder).records
    assert {record.patient for record in records} == {""}
    assert records[0].group == records[1].group != records[2].group


def test_headers_alone_tie_patients_beside_the_groups_of_a_table(dicom_folder):
    folder = dicom_folder(a="P1", b="P1", c="P2", d="P3", e="P3", f="unknown", g="P4")
    index = index_folder(folder)
    groups = ("mine", "other", "g000000", "", "", "", "")
    records = tuple(
        dataclasses.replace(record, group=group)
        for record, group in zip(index.records, groups, strict=True)
    )
    index = read_headers(dataclasses.replace(index, records=records), folder)
    assert {record.patient for record in index.records} == {""}
    a, b, c, d, e, f, g = (record.group for record in index.records)
    assert a == b
    assert d == e
    assert (c, f) == ("g000000", "")
    assert len({a, c, d, f, g}) == 5
    assert len(index.unnamed) == 6
    assert components(index.records) == [0, 0, 2, 3, 3, 5, 6]


@pytest.mark.parametrize("name_patient", [None, lambda patient: patient[::-1]])
@pytest.mark.parametrize("look", [examine, read_headers])
def test_spellings_of_one_id_stay_together_whatever_is_written(dicom_folder, look, name_patient):
    folder = dicom_folder(a="00012", b="12", c="P10", d="p 10", e="P2")
    index = look(index_folder(folder), folder, name_patient=name_patient)
    assert components(index.records) == [0, 0, 2, 2, 4]
    assert len(index.unnamed) == (5 if name_patient is None else 0)
