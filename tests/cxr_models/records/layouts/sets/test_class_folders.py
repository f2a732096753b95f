import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.examine import read_headers
from cxr_models.records.index import index_folder, keep_chosen
from cxr_models.records.known_sets import recognise
from cxr_models.records.layouts.sets.class_folders import source_of_url
from cxr_models.records.layouts.tree import Tree
from tests.cxr_models.records.trees import class_folders as trees
from tests.cxr_models.records.trees.files import dicom, image
from tests.cxr_models.records.trees.reading import columns_of, read, reasons


def test_kermany_is_read_once_though_its_zip_holds_it_twice(tmp_path):
    trees.kermany(tmp_path)
    name, index = read(tmp_path, official_split=True)
    assert name == "kermany"
    assert columns_of(index, "file", "label", "patient", "split") == [
        ("chest_xray/test/NORMAL/IM-0001-0001.jpeg", "normal", "IM-0001", "test"),
        ("chest_xray/test/PNEUMONIA/person1_virus_7.jpeg", "virus", "person1", "test"),
        ("chest_xray/train/NORMAL/IM-0115-0001.jpeg", "normal", "IM-0115", "train"),
        ("chest_xray/train/NORMAL/NORMAL2-IM-0383-0001.jpeg", "normal", "NORMAL2-IM-0383", "train"),
        ("chest_xray/train/PNEUMONIA/person1000_bacteria_2931.jpeg", "bacteria", "person1000",
         "train"),
        ("chest_xray/train/PNEUMONIA/person1_virus_6.jpeg", "virus", "person1", "train"),
        ("chest_xray/val/NORMAL/NORMAL2-IM-1427-0001.jpeg", "normal", "NORMAL2-IM-1427", "val"),
        ("chest_xray/val/PNEUMONIA/person1946_bacteria_4874.jpeg", "bacteria", "person1946",
         "val"),
    ]  # fmt: skip
    assert [record.finding("Pneumonia") for record in index.records] == list("01001101")
    assert len(index.skipped) == 8
    assert all(one.is_intended() for one in index.skipped)
    assert index.skipped[0].reason.startswith("a second copy of chest_xray/test/NORMAL/IM-0001")


def test_kermany_in_version_3_names_class_patient_and_image(tmp_path):
    for seed, name in enumerate(
        ("test/NORMAL/NORMAL-1049278-0001.jpeg", "train/PNEUMONIA/BACTERIA-1351146-0002.jpeg",
         "train/PNEUMONIA/VIRUS-614452-0001.jpeg")
    ):  # fmt: skip
        image(tmp_path / "CellData/chest_xray" / name, seed)
    name, index = read(tmp_path, official_split=True)
    assert name == "kermany"
    assert columns_of(index, "label", "patient", "split") == [
        ("normal", "1049278", "test"),
        ("bacteria", "1351146", "train"),
        ("virus", "614452", "train"),
    ]


def test_covid19_radiography_tells_the_source_of_each_image_by_its_workbooks(tmp_path):
    trees.radiography(tmp_path)
    name, index = read(tmp_path)
    assert name == "covid19-radiography"
    top = "COVID-19_Radiography_Dataset"
    assert columns_of(index, "file", "label", "source", "patient") == [
        (f"{top}/COVID/images/COVID-1.png", "covid", "sirm.org", ""),
        (f"{top}/COVID/images/COVID-2.png", "covid", "padchest", ""),
        (f"{top}/Lung_Opacity/images/Lung_Opacity-1.png", "lung_opacity", "rsna", ""),
        (f"{top}/Normal/images/Normal-1.png", "normal", "rsna", ""),
        (f"{top}/Normal/images/Normal-2.png", "normal", "kermany", ""),
        (f"{top}/Viral Pneumonia/images/Viral Pneumonia-1.png", "virus", "kermany", ""),
    ]
    assert index.records[0].findings == (
        ("COVID", "1"), ("Lung_Opacity", "0"), ("Normal", "0"), ("Viral Pneumonia", "0"),
    )  # fmt: skip
    assert not index.skipped


def test_an_address_is_named_by_its_set_or_its_host():
    assert source_of_url("https://github.com/ieee8023/covid-chestxray-dataset") == "ieee8023"
    assert source_of_url("www.eurorad.org/case/1") == "eurorad.org"
    assert source_of_url("") == ""


@pytest.fixture
def export(tmp_path):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    trees.archive_export(tmp_path)
    return tmp_path


def test_an_export_of_dicom_files_is_class_folders_whose_headers_tell_the_rest(export):
    choices = Choices()
    index = read_headers(index_folder(export, None, choices), export, name_patient=str.lower)
    index = keep_chosen(index, choices)
    assert columns_of(index, "label", "patient", "view", "modality") == [
        ("normal", "p1", "PA", "DX"),
        ("normal", "p2", "AP", "CR"),
        ("pneumonia", "p3", "PA", "DX"),
        ("pneumonia", "p3", "PA", "DX"),
        ("pneumonia", "p5", "AP", "CR"),
    ]
    assert reasons(index) == {"view L not asked for": 1, "modality CT not asked for": 1}
    assert sorted(index.other_files) == ["normal/DICOMDIR", "pneumonia/DICOMDIR"]


def test_an_export_with_its_directory_at_the_top_has_no_labels(export):
    (export / "normal").rename(export / "export")
    (export / "pneumonia").rename(export / "export2")
    name, index = read(export / "export")
    assert name == "dicom"
    assert {record.label for record in index.records} == {"unlabelled"}
    assert len(index.records) == 3


@pytest.mark.parametrize(
    "form",
    ["IM{n:04}.dcm", "PAT{n:04}/STUDY/SERIES/IM1", "export/1.2.3.{n}/1.2.3.{n}.1.dcm",
     "pacs/2024-01-31/ANON{n}/a.dcm"],
    ids=["flat", "patients", "identifiers", "day"],
)  # fmt: skip
def test_folders_of_patients_without_a_directory_are_an_export_too(tmp_path, form):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    for n in range(3):
        dicom(tmp_path / form.format(n=n), n, PatientID=f"P{n}")
    name, index = read(tmp_path)
    assert name == "dicom"
    assert [record.label for record in index.records] == ["unlabelled"] * 3


@pytest.mark.parametrize("groups", [("normal", "pneumonia"), ("0", "1"), ("covid19",)])
def test_folders_of_several_patients_or_without_a_number_stay_labels(tmp_path, groups):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    for n in range(4):
        dicom(tmp_path / groups[n % len(groups)] / f"{n}.dcm", n, PatientID=f"P{n}")
    assert recognise(Tree(tmp_path)) is None


def test_a_header_that_writes_an_age_as_a_mere_number_means_years(tmp_path):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    dicom(tmp_path / "a/1.dcm", 1, PatientAge="51")
    index = read_headers(index_folder(tmp_path), tmp_path)
    assert [record.age for record in index.records] == ["051Y"]


@pytest.mark.parametrize("group", ["COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"])
def test_one_class_of_covid19_radiography_is_enough(tmp_path, group):
    image(tmp_path / f"parts/{group}/images/{group}-1.png", 1)
    image(tmp_path / f"parts/{group}/masks/{group}-1.png", 2)
    name, index = read(tmp_path)
    assert name == "covid19-radiography"
    assert [record.file for record in index.records] == [f"parts/{group}/images/{group}-1.png"]
