import os

import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.index import index_csv, index_folder, keep_labels
from cxr_models.records.layouts import LAYOUTS, Layout
from tests.helpers.radiographs import write_class_folders, write_csv


def rows_of(index):
    return [(r.file, r.label, r.patient, r.view, r.source) for r in index.records]


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_folders_are_labels_and_a_pattern_finds_patients(tmp_path):
    write_class_folders(tmp_path, ("covid", "normal"), 3)
    (tmp_path / "notes.txt").write_text("no image")
    index = index_folder(tmp_path, Layout(patient_pattern=r"-(p\d+)-"))
    assert rows_of(index) == [
        (f"{label}/{label}-{patient}-{number}.png", label, patient, "", "")
        for label in ("covid", "normal")
        for number, patient in enumerate(("p0", "p0", "p1"))
    ]
    assert not index.skipped


def test_what_is_no_image_or_not_followed_is_told(tmp_path):
    write_class_folders(tmp_path / "set", ("covid", "normal"), 1)
    touch(tmp_path / "set", "covid/notes.txt", "covid/.hidden.png", "scan.gif")
    (tmp_path / "set/normal").rename(tmp_path / "elsewhere")
    (tmp_path / "set/normal").symlink_to(tmp_path / "elsewhere")
    index = index_folder(tmp_path / "set")
    assert index.other_files == ("scan.gif", "covid/notes.txt")
    assert [(s.file, s.reason) for s in index.skipped] == [
        ("normal", "a link to a folder, not followed")
    ]


def test_a_folder_that_cannot_be_read_is_listed(tmp_path, monkeypatch):
    write_class_folders(tmp_path, ("covid", "normal"), 1)
    scan = os.scandir

    def closed(folder):
        if str(folder).endswith("normal"):
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", closed)
    index = index_folder(tmp_path)
    assert rows_of(index) == [("covid/covid-p0-0.png", "covid", "", "", "")]
    assert [(s.file, s.reason) for s in index.skipped] == [("normal", "Permission denied")]


def test_dicom_files_need_no_suffix(tmp_path):
    touch(tmp_path, "covid/IM0001", "covid/IM0002")
    (tmp_path / "covid/IM0001").write_bytes(bytes(128) + b"DICM")
    index = index_folder(tmp_path)
    assert [record.file for record in index.records] == ["covid/IM0001"]
    assert index.other_files == ("covid/IM0002",)


def test_a_name_that_no_csv_can_hold_is_listed(tmp_path):
    write_class_folders(tmp_path, ("covid",), 1)
    name = os.fsencode(tmp_path / "covid") + b"/caf\xe9.png"
    try:
        open(name, "wb").close()
    except OSError:
        pytest.skip("the file system takes no names that are no UTF-8")
    index = index_folder(tmp_path)
    assert rows_of(index) == [("covid/covid-p0-0.png", "covid", "", "", "")]
    assert [(s.file, s.reason) for s in index.skipped] == [
        ("covid/caf\\xe9.png", "a name that is no UTF-8")
    ]


def test_kermany_tells_virus_from_bacteria_and_patients_by_file_name(tmp_path):
    touch(
        tmp_path,
        "train/PNEUMONIA/person12_virus_46.jpeg",
        "test/PNEUMONIA/person1_bacteria_2.jpeg",
        "train/NORMAL/IM-0115-0001.jpeg",
        "test/NORMAL/NORMAL2-IM-0012-0001.jpeg",
    )
    assert [row[1:3] for row in rows_of(index_folder(tmp_path, LAYOUTS["kermany"]))] == [
        ("normal", "NORMAL2-IM-0012"),
        ("bacteria", "person1"),
        ("normal", "IM-0115"),
        ("virus", "person12"),
    ]


def test_covid19_radiography_passes_masks_over(tmp_path):
    touch(
        tmp_path,
        "COVID/images/COVID-1.png",
        "COVID/masks/COVID-1.png",
        "Viral Pneumonia/images/Viral Pneumonia-1.png",
        "Normal/images/Normal-1.png",
    )
    index = index_folder(tmp_path, LAYOUTS["covid19-radiography"])
    assert [row[:2] for row in rows_of(index)] == [
        ("COVID/images/COVID-1.png", "covid"),
        ("Normal/images/Normal-1.png", "normal"),
        ("Viral Pneumonia/images/Viral Pneumonia-1.png", "virus"),
    ]
    assert not index.skipped


def test_mimic_cxr_joins_metadata_and_labels(tmp_path):
    write_csv(
        tmp_path / "metadata.csv",
        [
            {"dicom_id": "d1", "subject_id": "10000032", "study_id": "5", "ViewPosition": "AP"},
            {"dicom_id": "d2", "subject_id": "10000764", "study_id": "6", "ViewPosition": "PA"},
        ],
    )
    write_csv(
        tmp_path / "chexpert.csv",
        [
            {"subject_id": "10000032", "study_id": "5", "No Finding": "1.0", "Pneumonia": ""},
            {"subject_id": "10000764", "study_id": "6", "No Finding": "", "Pneumonia": "-1.0"},
        ],
    )
    csvs = [tmp_path / "metadata.csv", tmp_path / "chexpert.csv"]
    index = index_csv(tmp_path, csvs, LAYOUTS["mimic-cxr"])
    assert rows_of(index) == [
        ("files/p10/p10000032/s5/d1.jpg", "No Finding", "10000032", "AP", "mimic-cxr")
    ]
    assert [skipped.reason for skipped in index.skipped] == ["no label in its row"]


def test_chexpert_takes_the_patient_from_the_path(tmp_path):
    path = "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg"
    row = {"Path": path, "Sex": "F", "AP/PA": "AP", "No Finding": "", "Pneumonia": "1.0"}
    write_csv(tmp_path / "train.csv", [row])
    index = index_csv(tmp_path, [tmp_path / "train.csv"], LAYOUTS["chexpert"])
    assert rows_of(index) == [(path, "Pneumonia", "patient00001", "AP", "chexpert")]


def test_nih_keeps_joined_labels(tmp_path):
    rows = [
        {"Image Index": "1_000.png", "Finding Labels": label, "Patient ID": "1",
         "View Position": "PA"}
        for label in ("No Finding",)
    ]  # fmt: skip
    rows.append({**rows[0], "Image Index": "1_001.png", "Finding Labels": "Edema|Effusion"})
    write_csv(tmp_path / "entries.csv", rows)
    index = index_csv(tmp_path, [tmp_path / "entries.csv"], LAYOUTS["nih"])
    assert rows_of(index) == [
        ("images/1_000.png", "normal", "1", "PA", "nih"),
        ("images/1_001.png", "Edema|Effusion", "1", "PA", "nih"),
    ]


def test_labels_are_renamed_and_others_listed(tmp_path):
    write_class_folders(tmp_path, ("A", "B", "C"), 1)
    index = keep_labels(index_folder(tmp_path), {"A": "a", "B": "B"})
    assert [record.label for record in index.records] == ["a", "B"]
    assert [skipped.reason for skipped in index.skipped] == ["label 'C' not asked for"]


def test_a_label_that_does_not_occur_is_refused_though_others_do(tmp_path):
    write_class_folders(tmp_path, ("covid", "virus"), 1)
    with pytest.raises(ValueError, match=r"labels that occur; got viurs\. Found: covid, virus"):
        keep_labels(index_folder(tmp_path), {"covid": "covid", "viurs": "virus"})


def test_rows_without_a_file_are_listed_by_their_number(tmp_path):
    write_csv(tmp_path / "x.csv", [{"f": "a.png", "l": "b"}, {"f": "", "l": "b"}])
    layout = Layout(columns={"file": "f", "label": "l"})
    index = index_csv(tmp_path, [tmp_path / "x.csv"], layout)
    assert [(s.file, s.reason) for s in index.skipped] == [("row 2", "no file in its row")]


def test_one_of_several_rows_of_an_image_is_chosen_and_the_image_is_not_left_out(tmp_path):
    rows = [("a", "1", "x"), ("a", "2", "y"), ("b", "2", "y"), ("b", "3", "x"), ("c", " 1 ", "z")]
    names = ("file", "reader", "label")
    write_csv(tmp_path / "x.csv", [dict(zip(names, row, strict=True)) for row in rows])
    layout = Layout(columns={"file": "file", "label": "label"})
    choices = Choices(where={"reader": frozenset("1")})
    index = index_csv(tmp_path, [tmp_path / "x.csv"], layout, choices)
    assert [(record.file, record.label) for record in index.records] == [("a", "x"), ("c", "z")]
    assert [(s.file, s.reason) for s in index.skipped] == [("b", "reader '2' not asked for")]


def test_labels_and_patient_ids_that_look_wrong_are_doubts_beside_the_remarks_on_rows(tmp_path):
    rows = [{"file": f"{n}.png", "label": n, "patient": f"{n}E+20"} for n in range(3)]
    write_csv(tmp_path / "a.csv", rows)
    write_csv(tmp_path / "b.csv", [{"file": f"{n}.png", "dx": "xX"[n]} for n in range(2)])
    layout = Layout(columns={"file": "file", "label": "{label:.0}{dx}", "patient": "patient"})
    index = index_csv(tmp_path, [tmp_path / "a.csv", tmp_path / "b.csv"], layout)
    joined, rounded, labels = index.doubts()
    assert joined.startswith("1 of 3 rows of a.csv has no row in b.csv")
    assert rounded.startswith("2 images have a patient id such as '0E+20'")
    assert labels.startswith("labels 'X' and 'x' differ in letter case alone")


def test_a_row_of_a_csv_that_is_repeated_counts_once_and_a_contradiction_is_refused(tmp_path):
    rows = [{"file": "a.png", "label": "x", "box": box} for box in "12"]
    layout = Layout(columns={"file": "file", "label": "label"})
    write_csv(tmp_path / "x.csv", rows)
    index = index_csv(tmp_path, [tmp_path / "x.csv"], layout)
    assert [(record.file, record.label) for record in index.records] == [("a.png", "x")]
    assert index.listed == 1
    write_csv(tmp_path / "x.csv", [*rows, {**rows[0], "label": "y"}])
    with pytest.raises(ValueError, match=r"got twice: 'a\.png'\. Keep one row for each file\."):
        index_csv(tmp_path, [tmp_path / "x.csv"], layout)


def test_blanks_around_the_name_of_a_file_are_kept_if_it_has_them(tmp_path):
    touch(tmp_path, " a/1.png", "b/1.png")
    rows = [{"f": name, "l": "x"} for name in (" a/1.png", " b/1.png ")]
    write_csv(tmp_path / "x.csv", rows)
    index = index_csv(tmp_path, [tmp_path / "x.csv"], Layout(columns={"file": "f", "label": "l"}))
    assert [record.file for record in index.records] == [" a/1.png", "b/1.png"]


@pytest.mark.parametrize("rule", ["{name", "{}", "{name.stem}", "{name:d}"])
def test_a_template_that_is_none_is_named(tmp_path, rule):
    write_csv(tmp_path / "x.csv", [{"name": "a.png", "class": "b"}])
    with pytest.raises(ValueError, match=f"`columns` must be templates .* got '{rule}'"):
        index_csv(tmp_path, [tmp_path / "x.csv"], Layout(columns={"file": rule, "label": "class"}))


def test_a_missing_column_is_named_beside_those_that_are_there(tmp_path):
    write_csv(tmp_path / "x.csv", [{"name": "a.png", "class": "b"}])
    layout = Layout(columns={"file": "name", "label": "diagnosis"})
    with pytest.raises(ValueError, match=r"got 'diagnosis'\. It has: name, class"):
        index_csv(tmp_path, [tmp_path / "x.csv"], layout)


def test_a_folder_without_label_folders_is_an_error(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(ValueError, match="`SOURCE` must hold one folder of images for each label"):
        index_folder(tmp_path)


def test_a_folder_without_images_or_with_links_alone_is_told_as_such(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"where no image was found\. Unpack the images"):
        index_folder(tmp_path / "empty")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "set").symlink_to(tmp_path / "empty")
    with pytest.raises(ValueError, match="'set' is not looked into: a link to a folder"):
        index_folder(tmp_path / "source")
