import gzip
import shutil

import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.examine import read_headers
from cxr_models.records.labels import remark_on_blanks
from tests.cxr_models.records.trees import chexpert as trees
from tests.cxr_models.records.trees.files import image, text
from tests.cxr_models.records.trees.reading import columns_of, present, read, reasons


@pytest.mark.parametrize("renamed", ["", "my-copy"])
@pytest.mark.parametrize("release", ["CheXpert-v1.0-small", "CheXpert-v1.0"])
def test_chexpert_keeps_all_fourteen_findings_and_leaves_lateral_views_out(
    tmp_path, release, renamed
):
    trees.chexpert(tmp_path, release=release, renamed=renamed)
    name, index = read(tmp_path, official_split=True)
    assert name == "chexpert"
    top = renamed or release
    assert columns_of(index, "file", "label", "patient", "view", "split", "sex", "age") == [
        (f"{top}/train/patient00001/study1/view1_frontal.jpg", "Support Devices", "patient00001",
         "AP", "train", "F", "068Y"),
        (f"{top}/train/patient00002/study2/view1_frontal.jpg", "several findings", "patient00002",
         "AP", "train", "F", "087Y"),
        (f"{top}/train/patient00002/study1/view1_frontal.jpg", "uncertain", "patient00002",
         "PA", "train", "F", "083Y"),
        (f"{top}/train/patient00003/study1/view1_frontal.jpg", "Edema", "patient00003",
         "AP", "train", "", "000Y"),
        (f"{top}/valid/patient64541/study1/view1_frontal.jpg", "Cardiomegaly", "patient64541",
         "AP", "val", "M", "073Y"),
    ]  # fmt: skip
    assert [present(record) for record in index.records][:3] == [
        (["No Finding", "Support Devices"], []),
        (["Lung Opacity", "Pneumonia"], ["Cardiomegaly"]),
        ([], ["Consolidation", "Pneumonia"]),
    ]
    assert index.records[1].finding("Fracture") == "0"
    assert index.records[1].finding("Edema") == ""
    assert index.records[1].study == "patient00002/study2"
    assert reasons(index) == {"view L not asked for": 1}


def test_blank_findings_can_count_as_absent_where_the_set_states_another_one(tmp_path):
    trees.chexpert(tmp_path)
    _, index = read(tmp_path, blank="absent")
    record = index.records[1]
    assert [record.finding(name) for name in ("Fracture", "Edema", "Pneumonia")] == ["0", "0", "1"]
    assert record.finding("Cardiomegaly") == "u"  # --uncertain of train decides of it
    assert record.label == "several findings"


def test_a_study_that_the_labels_do_not_name_stays_unknown(tmp_path):
    trees.mimic_cxr_jpg(tmp_path)
    _, index = read(tmp_path, blank="absent", views=frozenset(("all",)))
    known = {record.study: record.finding("Edema") for record in index.records}
    assert known["50414267"] == known["57375967"] == "0"
    assert known["57375968"] == known["51029426"] == ""


def test_chexpert_in_full_comes_in_batches(tmp_path):
    trees.chexpert_batches(tmp_path)
    name, index = read(tmp_path, official_split=True)
    assert name == "chexpert"
    assert columns_of(index, "file", "split")[2:] == [
        ("CheXpert-v1.0 batch 2 (train 1)/patient00002/study1/view1_frontal.jpg", "train"),
        ("CheXpert-v1.0 batch 3 (train 2)/patient00003/study1/view1_frontal.jpg", "train"),
        ("CheXpert-v1.0 batch 1 (validate & csv)/valid/patient64541/study1/view1_frontal.jpg",
         "val"),
    ]  # fmt: skip
    assert index.absent == 0


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("ignore", ["no Pneumonia", "Pneumonia", "no Pneumonia", "no Pneumonia"]),
        ("zero", ["no Pneumonia", "Pneumonia", *["no Pneumonia"] * 3]),
        ("one", ["no Pneumonia", "Pneumonia", "Pneumonia", *["no Pneumonia"] * 2]),
    ],
)
def test_uncertain_pneumonia_is_left_out_absent_or_present(tmp_path, rule, labels):
    trees.chexpert(tmp_path)
    _, index = read(tmp_path, label_from="Pneumonia", uncertain=rule)
    assert [record.label for record in index.records] == labels
    assert reasons(index)["its finding is uncertain"] == (1 if rule == "ignore" else 0)


def test_the_first_finding_of_a_list_is_the_label(tmp_path):
    trees.chexpert(tmp_path)
    _, index = read(tmp_path, priority=("Pneumonia", "Lung Opacity"))
    assert index.records[1].label == "Pneumonia"
    assert index.num_several_findings == 1


def test_a_finding_that_the_set_has_not_is_named_beside_those_it_has(tmp_path):
    trees.chexpert(tmp_path)
    with pytest.raises(
        ValueError, match=r"`--label-from` must name findings.*'Pneumo'.*No Finding"
    ):
        read(tmp_path, label_from="Pneumo")


@pytest.mark.parametrize("release", ["2.0.0", "2.1.0"])
def test_mimic_cxr_jpg_joins_three_packed_tables(tmp_path, release):
    trees.mimic_cxr_jpg(tmp_path, release=release)
    name, index = read(
        tmp_path, official_split=True, keep=("PatientOrientationCodeSequence_CodeMeaning",)
    )
    assert name == "mimic-cxr-jpg"
    assert columns_of(index, "file", "label", "patient", "study", "view", "split", "date") == [
        ("files/p10/p10000032/s50414267/02aa804e-bde0afdd.jpg", "normal", "10000032", "50414267",
         "PA", "train", "2180-05-06"),
        ("files/p10/p10000764/s57375967/096052b7-d256dc40.jpg", "Consolidation", "10000764",
         "57375967", "AP", "val", "2180-05-06"),
        ("files/p10/p10000898/s50771383/2a280266-c8bae121.jpg", "several findings", "10000898",
         "50771383", "", "test", "2180-05-06"),
        ("files/p11/p11000011/s51029426/ea030e7a-2e3b1346.jpg", "unknown", "11000011", "51029426",
         "AP", "train", "2180-05-06"),
    ]  # fmt: skip
    assert present(index.records[1]) == (["Consolidation"], ["Pneumonia"])
    assert index.records[1].finding("Edema") == "0"
    assert index.records[0].kept == (("PatientOrientationCodeSequence_CodeMeaning", "Erect"),)
    assert reasons(index) == {"view L not asked for": 2}  # one by its code alone


def test_views_are_chosen_by_name_and_rows_by_columns(tmp_path):
    trees.mimic_cxr_jpg(tmp_path)
    _, index = read(tmp_path, views=frozenset(("AP", "L")))
    assert [record.view for record in index.records] == ["L", "AP", "L", "AP"]
    assert reasons(index) == {"view PA not asked for": 1, "view unknown not asked for": 1}
    chosen = {
        "subject_id": frozenset(("10000032", "10000898")),
        "finding:Pneumonia": frozenset("1"),
    }
    _, index = read(tmp_path, where=chosen)
    assert [record.patient for record in index.records] == ["10000898"]
    assert index.records[0].kept == ()
    _, index = read(tmp_path, where={"split": frozenset(("train",))})
    assert len(index.records) == 2
    assert reasons(index)["split 'test' not asked for"] == 1
    with pytest.raises(ValueError, match=r"`--where` must name columns of the set .* 'subject'"):
        read(tmp_path, where={"subject": frozenset("1")})
    with pytest.raises(ValueError, match="`--keep` must name columns of the set; got 'Report'"):
        read(tmp_path, keep=("Report",))


def test_mimic_cxr_takes_views_from_headers_and_labels_from_the_other_release(tmp_path):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    trees.mimic_cxr(tmp_path)
    name, index = read(tmp_path, official_split=True)
    assert name == "mimic-cxr"
    assert columns_of(index, "label", "patient", "split")[2:5] == [
        ("Consolidation", "10000764", "val"),
        ("unknown", "10000764", "val"),
        ("several findings", "10000898", "test"),
    ]
    assert index.records[0].file == "files/p10/p10000032/s50414267/02aa804e-bde0afdd.dcm"
    index = read_headers(index, tmp_path)
    assert [record.view for record in index.records] == ["PA", "LATERAL", "AP", "", "", "AP"]


@pytest.mark.parametrize("write", [trees.mimic_cxr_jpg, trees.mimic_cxr])
def test_studies_without_findings_get_no_label_from_one_finding(tmp_path, write):
    if write is trees.mimic_cxr:
        pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    write(tmp_path)
    choices = {"label_from": "Pneumonia", "uncertain": "zero", "views": frozenset(("all",))}
    _, index = read(tmp_path, **choices)
    assert columns_of(index, "label", "study") == [
        ("no Pneumonia", "50414267"),
        ("no Pneumonia", "50414267"),
        ("no Pneumonia", "57375967"),
        ("Pneumonia", "50771383"),
    ]
    assert reasons(index) == {"its findings are unknown": 2}
    assert all(skipped.is_intended() for skipped in index.skipped)


def test_how_many_labels_come_from_a_blank_is_remarked(tmp_path):
    trees.chexpert(tmp_path)
    choices = Choices(label_from="Fracture", views=frozenset(("all",)))
    _, index = read(tmp_path, label_from="Fracture", views=frozenset(("all",)))
    # Blank in all images but the second and the last; the first has no finding at all.
    sentence = "3 images have the label 'no Fracture' only because the set leaves the finding blank"
    assert remark_on_blanks(index.records, choices).startswith(sentence)
    assert remark_on_blanks(index.records, Choices()) == ""


@pytest.mark.parametrize("png", [True, False])
def test_brax_is_read_from_either_form_of_its_images(tmp_path, png):
    if not png:
        pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    trees.brax(tmp_path, png=png)
    name, index = read(tmp_path)
    assert name == "brax"
    assert columns_of(index, "label", "patient", "view", "sex", "age", "manufacturer", "date") == [
        ("normal", "id_0a1b", "PA", "F", "055Y", "Manufacturer_0", "2012-01-05"),
        ("several findings", "id_77aa", "AP", "M", "085Y", "Manufacturer_0", "2012-03-05"),
        ("Edema", "id_9d9d", "AP", "", "", "Manufacturer_0", "2012-05-05"),
    ]
    folder, suffix = ("images", ".png") if png else ("Anonymized_DICOMs", "")
    assert index.records[0].file == f"{folder}/id_0a1b/Study_0.1/Series_0.2/image-0.3{suffix}"
    assert present(index.records[1]) == (["Lung Opacity", "Pneumonia"], ["Edema"])
    assert reasons(index) == {"view L not asked for": 1, "view other not asked for": 1}


def test_mimic_cxr_jpg_without_its_table_of_images_says_which_is_missing(tmp_path):
    trees.mimic_cxr_jpg(tmp_path)
    for path in tmp_path.rglob("*-metadata.csv*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold mimic-cxr-2\.0\.0-metadata\.csv"):
        read(tmp_path)


def test_the_other_form_of_an_image_that_is_used_is_a_second_copy(tmp_path):
    trees.brax(tmp_path)
    used = read(tmp_path)[1].records[0].file
    image(tmp_path / used.replace("images/", "Anonymized_DICOMs/"), 99)
    image(tmp_path / used.replace("images/", "jpeg/").replace(".png", ".jpg"), 98)
    assert [one.reason for one in read(tmp_path)[1].skipped if "copy" in one.reason] == [
        f"a second copy of {used}"
    ] * 2


def test_val_and_test_of_chexlocalize_are_images_of_chexpert(tmp_path):
    header = "Path," + ",".join(trees.FINDINGS)
    found = trees.cells(Edema="1.0")
    for part, path in (("val", "CheXpert-v1.0/valid"), ("test", "test")):
        patient = f"patient64{len(part)}41/study1/view1_frontal.jpg"
        image(tmp_path / "CheXpert" / part / patient, len(part))
        text(tmp_path / f"CheXpert/{part}_labels.csv", header, f"{path}/{patient},{found}")
    name, index = read(tmp_path, official_split=True)
    assert name == "chexpert"
    assert sorted(columns_of(index, "file", "label", "split")) == [
        ("CheXpert/test/patient64441/study1/view1_frontal.jpg", "Edema", "test"),
        ("CheXpert/val/patient64341/study1/view1_frontal.jpg", "Edema", "val"),
    ]


def test_chexpert_that_lies_there_twice_with_its_tables_is_read_once(tmp_path):
    trees.chexpert(tmp_path)
    once = read(tmp_path)[1]
    top = tmp_path / "CheXpert-v1.0-small"
    shutil.copytree(top, tmp_path / "copy")
    (tmp_path / "copy").rename(top / top.name)
    for path in sorted(top.glob("*.csv")):
        (top / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    twice = read(tmp_path)[1]
    assert columns_of(twice, "patient", "label", "findings") == columns_of(
        once, "patient", "label", "findings"
    )
