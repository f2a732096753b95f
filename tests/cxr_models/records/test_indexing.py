import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.index import keep_labels
from cxr_models.records.indexing import list_images, open_images
from tests.cxr_models.records.trees import chexpert, class_folders, nih, readers
from tests.cxr_models.records.trees.files import dicom, image


def table(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_columns_of_a_manifest_are_read_from_every_csv(tmp_path):
    csvs = [
        table(tmp_path / "a.csv", "file,id", "1.png,i1", "2.png,i2"),
        table(
            tmp_path / "b.csv", "id,label,patient,group,split", "i2,b,p2,g,test", "i1,a,p1,g,train"
        ),
        table(tmp_path / "c.csv", "id,sex,finding:Mass", "i1,F,1", "i2,M,0"),
    ]
    records = list_images(tmp_path, csvs=csvs).image_index.records
    assert [(r.file, r.label, r.patient, r.group, r.split, r.sex) for r in records] == [
        ("1.png", "a", "p1", "g", "train", "F"),
        ("2.png", "b", "p2", "g", "test", "M"),
    ]
    assert [record.finding("Mass") for record in records] == ["1", "0"]


def test_csvs_without_a_label_are_named_with_their_columns(tmp_path):
    csvs = [
        table(tmp_path / "a.csv", "file,id", "1.png,i1"),
        table(tmp_path / "b.csv", "id,dx", "i1,a"),
    ]
    with pytest.raises(ValueError, match=r"got '.*a\.csv', which has file, id; '.*b\.csv', which"):
        list_images(tmp_path, csvs=csvs)


@pytest.fixture
def vindr(tmp_path):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    readers.vindr_cxr(tmp_path)
    return tmp_path


def opened(source, *, name_patient=None, labels=None, csvs=(), columns=None, **choices):
    listed = list_images(source, csvs=csvs, columns=columns, choices=Choices(**choices))
    listed = listed._replace(image_index=keep_labels(listed.image_index, labels or {}))
    return open_images(listed, source, decode=False, name_patient=name_patient)


@pytest.mark.parametrize("official_split", [False, True])
def test_dicom_images_are_chosen_by_the_part_that_the_set_states(vindr, official_split):
    index = opened(vindr, where={"split": {"test"}}, official_split=official_split)
    assert len(index.records) == 2
    assert all("/test/" in record.file for record in index.records)
    assert {record.split for record in index.records} == {"test" if official_split else ""}


def test_dicom_images_are_chosen_by_the_label_that_the_set_states(tmp_path):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    dicom(tmp_path / "covid/1.dcm", 1)
    dicom(tmp_path / "normal/2.dcm", 2)
    index = opened(tmp_path, where={"label": {"covid"}}, labels={"covid": "COVID"})
    assert [(record.file, record.label) for record in index.records] == [("covid/1.dcm", "COVID")]


@pytest.mark.parametrize("name_patient", [None, str.lower], ids=["without a name", "with a name"])
def test_dicom_images_are_chosen_by_the_patient_and_other_values_of_their_headers(
    tmp_path, name_patient
):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    for number, (patient, sex) in enumerate((("P1", "F"), ("P1", "M"), ("P2", "F"))):
        dicom(tmp_path / f"a/{number}.dcm", number, PatientID=patient, PatientSex=sex)
    where = {"patient": {"P1"}, "sex": {"F"}}
    index = opened(tmp_path, where=where, name_patient=name_patient)
    assert [(r.file, r.patient) for r in index.records] == [
        ("a/0.dcm", "p1" if name_patient else "")
    ]
    assert [(s.file, s.reason) for s in index.skipped] == [
        ("a/2.dcm", "patient not asked for"),
        ("a/1.dcm", "sex 'M' not asked for"),
    ]


def patients(source, path, **options):
    records = list_images(source, csvs=[path], **options).image_index.records
    return [record.patient for record in records]


def test_a_patient_column_is_read_instead_of_the_pattern_of_a_layout(tmp_path):
    path = table(
        tmp_path / "a.csv",
        "Path,pid,AP/PA,No Finding",
        "img/1.png,P7,AP,1",
        "img/patient3/2.png,P8,AP,1",
        "img/patient4/3.png,nan,AP,1",
    )
    options = {"layout_name": "chexpert"}
    assert patients(tmp_path, path, **options) == ["", "patient3", "patient4"]
    assert patients(tmp_path, path, columns={"patient": "pid"}, **options) == [
        "P7", "P8", "patient4",
    ]  # fmt: skip


def test_a_patient_pattern_of_the_user_goes_before_the_column_and_leaves_what_it_does_not_find(
    tmp_path,
):
    path = table(tmp_path / "a.csv", "file,label,patient", "p1_0.png,x,A", "z.png,y,B", "p2.png,x,")
    assert patients(tmp_path, path, choices=Choices(patient_pattern=r"p\d")) == ["p1", "B", "p2"]
    with pytest.raises(ValueError, match=r"got 'q', which is in none, such as 'p1_0\.png'"):
        patients(tmp_path, path, choices=Choices(patient_pattern="q"))


def test_a_patient_pattern_leaves_the_patients_of_a_set_that_it_does_not_find(tmp_path):
    class_folders.kermany(tmp_path)
    choices = Choices(patient_pattern=r"person(\d+)_")
    records = list_images(tmp_path, choices=choices).image_index.records
    assert [record.patient for record in records] == [
        "IM-0001", "1", "IM-0115", "NORMAL2-IM-0383", "1000", "1", "NORMAL2-IM-1427", "1946",
    ]  # fmt: skip


def test_images_are_chosen_by_the_patient_that_a_pattern_finds(tmp_path):
    image(tmp_path / "a/p1.png", 1)
    image(tmp_path / "a/p2.png", 2)
    choices = Choices(patient_pattern=r"p\d", where={"patient": frozenset(("p2",))})
    records = list_images(tmp_path, choices=choices).image_index.records
    assert [record.file for record in records] == ["a/p2.png"]


def test_a_split_is_either_taken_or_dropped(tmp_path):
    path = table(tmp_path / "a.csv", "file,label,split", "1.png,x,train")
    listed = list_images(tmp_path, csvs=[path], drop_split=True)
    assert listed.image_index.records[0].split == ""
    choices = Choices(official_split=True)
    with pytest.raises(ValueError, match="`--drop-split` is only allowed without --official-split"):
        list_images(tmp_path, csvs=[path], drop_split=True, choices=choices)


@pytest.mark.parametrize("listed_by", ["a CSV", "folders of labels", "chexpert"])
def test_a_rule_for_several_rows_is_refused_where_no_image_has_several(tmp_path, listed_by):
    csvs = [table(tmp_path / "a.csv", "file,label", "1.png,x")] if listed_by == "a CSV" else []
    if listed_by == "chexpert":
        chexpert.chexpert(tmp_path)
    image(tmp_path / "a/1.png", 1)
    message = rf"\(rsna, siim-acr, vindr-cxr\); got 'any' for .*{listed_by}"
    with pytest.raises(ValueError, match=message):
        list_images(tmp_path, csvs=csvs, choices=Choices(rows="any"))


@pytest.mark.parametrize("write", [nih.rsna, nih.siim, readers.vindr_cxr])
def test_a_rule_for_several_rows_is_allowed_where_images_have_several(tmp_path, write):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    write(tmp_path)
    listed = list_images(tmp_path, choices=Choices(rows="vote"))
    assert listed.known_set.several_rows
    assert listed.image_index.records


def test_columns_of_findings_are_read_whatever_their_names(tmp_path):
    path = table(tmp_path / "a.csv", "file,label,finding:A|B,finding:{x}", "1.png,x,1,0")
    (record,) = list_images(tmp_path, csvs=[path]).image_index.records
    assert record.findings == (("A|B", "1"), ("{x}", "0"))
