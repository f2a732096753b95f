import json

import pytest

from tests.cxr_models.records.trees import nih as trees
from tests.cxr_models.records.trees.files import replace
from tests.cxr_models.records.trees.reading import columns_of, present, read, reasons


@pytest.mark.parametrize("year", ["2017", "2017_v2020"])
@pytest.mark.parametrize("flat", [False, True])
def test_nih_is_read_from_twelve_folders_or_one_in_both_releases(tmp_path, year, flat):
    trees.nih(tmp_path, year=year, flat=flat)
    name, index = read(tmp_path, official_split=True, keep=("Follow-up #",))
    assert name == "nih"
    places = ["images-224"] * 5 if flat else [f"images_00{n}/images" for n in (1, 1, 1, 2, 2)]
    assert columns_of(index, "file", "label", "patient", "view", "split", "sex", "age") == [
        (f"{places[0]}/00000001_000.png", "Cardiomegaly", "1", "PA", "train", "M", "058Y"),
        (f"{places[1]}/00000001_001.png", "several findings", "1", "PA", "train", "M", "058Y"),
        (f"{places[2]}/00000002_000.png", "normal", "2", "AP", "train", "M", "081Y"),
        (f"{places[3]}/00000013_005.png", "several findings", "13", "AP", "test", "F", ""),
        (f"{places[4]}/00000013_006.png", "Pneumonia", "13", "PA", "test", "F", "060Y"),
    ]
    assert [present(record)[0] for record in index.records] == [
        ["Cardiomegaly"],
        ["Cardiomegaly", "Emphysema"],
        ["No Finding"],
        ["Infiltration", "Pleural_Thickening"],
        ["Pneumonia"],
    ]
    assert {len(record.findings) for record in index.records} == {15}
    assert [record.kept for record in index.records][3] == (("Follow-up #", "5"),)
    assert (index.listed, index.absent, index.num_several_findings) == (6, 1, 2)
    assert not index.skipped


def test_nih_under_common_names_and_by_one_finding(tmp_path):
    trees.nih(tmp_path)
    _, index = read(tmp_path, harmonise=True, label_from="Pleural Thickening")
    assert [record.label for record in index.records] == [
        *["no Pleural Thickening"] * 3, "Pleural Thickening", "no Pleural Thickening",
    ]  # fmt: skip


def test_an_image_of_nih_without_labels_is_unknown_and_other_labels_are_refused(tmp_path):
    trees.nih(tmp_path)
    table = tmp_path / "Data_Entry_2017.csv"
    replace(table, "00000013_006.png,Pneumonia,", "00000013_006.png,,")
    record = read(tmp_path)[1].records[-1]
    assert (record.label, {value for _, value in record.findings}) == ("unknown", {""})
    replace(table, "00000013_006.png,,", "00000013_006.png,Pneumonia|Pneumonitis,")
    message = (
        r"got 'Pneumonitis'\. Correct the row of '00000013_006\.png' in 'Data_Entry_2017\.csv'"
    )
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


@pytest.fixture
def dicom_set(tmp_path):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")

    def write(tree):
        tree(tmp_path)
        return tmp_path

    return write


def test_rsna_has_one_record_for_each_image_however_many_boxes(dicom_set):
    folder = dicom_set(trees.rsna)
    name, index = read(folder)
    assert name == "rsna"
    assert columns_of(index, "file", "label", "patient", "source") == [
        (f"stage_2_train_images/{image}.dcm", label, image, "rsna")
        for (image, *_), label in zip(
            trees.RSNA_ROWS,
            ("not_normal", "normal", "lung_opacity", "lung_opacity"),
            strict=True,
        )
    ]
    assert [record.findings for record in index.records] == [
        (("Lung Opacity", target), ("Normal", normal))
        for target, normal in ("00", "01", "10", "10")
    ]
    assert reasons(index) == {"the set gives it no label": 1}
    assert all(one.is_intended() for one in index.skipped)


def test_another_class_of_rsna_is_refused(dicom_set):
    folder = dicom_set(trees.rsna)
    replace(folder / "stage_2_detailed_class_info.csv", ",Normal", ",normal")
    with pytest.raises(ValueError, match=r"must have a class of Normal, No .* got 'normal' for"):
        read(folder)


def test_rsna_names_the_patients_of_nih_where_the_mapping_lies_beside(dicom_set):
    folder = dicom_set(trees.rsna)
    image = trees.RSNA_ROWS[0][0]
    mapping = [{"subset_img_id": image, "img_id": "00013118_008.png"}]
    (folder / "pneumonia-challenge-dataset-mappings_2018.json").write_text(json.dumps(mapping))
    _, index = read(folder)
    assert columns_of(index, "patient", "source")[:2] == [
        ("00013118", "nih"),
        (trees.RSNA_ROWS[1][0], "rsna"),
    ]


def test_siim_acr_counts_any_mask_of_an_image(dicom_set):
    name, index = read(dicom_set(trees.siim))
    assert name == "siim-acr"
    assert [record.label for record in index.records] == [
        "no Pneumothorax", "no Pneumothorax", "Pneumothorax", "Pneumothorax",
    ]  # fmt: skip
    assert [record.finding("Pneumothorax") for record in index.records] == list("0011")
    assert index.records[2].file.startswith("dicom-images-train/1.2.3.2/1.2.4.2/1.2.276.")
    assert reasons(index) == {"the set gives it no label": 1}
