import gzip

import pytest

from tests.cxr_models.records.trees import readers as trees
from tests.cxr_models.records.trees.files import image, replace, text
from tests.cxr_models.records.trees.reading import columns_of, present, read, reasons


def test_padchest_reads_labels_that_are_python_lists(tmp_path):
    trees.padchest(tmp_path)
    name, index = read(tmp_path, keep=("Report",))
    assert name == "padchest"
    assert columns_of(index, "label", "patient", "study", "view", "sex", "age", "date") == [
        ("several findings", "patient0", "study0", "PA", "M", "084Y", "2014-09-10"),
        ("unknown", "patient1", "study2", "AP-supine", "F", "044Y", "2014-09-12"),
        ("unknown", "patient2", "study4", "AP", "M", "064Y", "2014-09-14"),
    ]
    first, unchanged, unread = index.records
    assert first.file == f"images/0/{trees.PADCHEST_ROWS[0][0]}"
    assert present(first)[0] == ["cardiomegaly", "pleural effusion", "pneumonia"]
    assert present(unchanged)[0] == ["unchanged"]
    assert {value for _, value in unread.findings} == {""}
    assert (first.manufacturer, first.modality) == ("ImagingDynamics, Ltd", "CR")
    assert first.kept == (("Report", "sin cambios"),)
    assert reasons(index) == {"view L not asked for": 1, "view other not asked for": 1}


def test_padchest_under_common_names(tmp_path):
    trees.padchest(tmp_path)
    _, index = read(tmp_path, harmonise=True, views=frozenset(("all",)))
    assert [record.label for record in index.records] == [
        "several findings", "normal", "unknown", "Fracture", "unknown",
    ]  # fmt: skip
    assert present(index.records[0])[0] == ["Cardiomegaly", "Pleural Effusion", "Pneumonia"]


@pytest.fixture
def written(tmp_path):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")

    def write(tree):
        tree(tmp_path)
        return tmp_path

    return write


def test_vindr_cxr_takes_the_majority_of_three_readers(written):
    folder = written(trees.vindr_cxr)
    name, index = read(folder, official_split=True)
    assert name == "vindr-cxr"
    assert sorted(columns_of(index, "file", "label", "split", "view")) == sorted(
        (f"vindr-cxr/1.0.0/{part}/{image}.dicom", label, part, "PA")
        for part, image, label in (
            ("train", "50a418190bc3fb1ef1633bf9678929b3", "Aortic enlargement"),
            ("train", "21a10246a5ec7af151081d0cd6d65dc9", "normal"),
            ("train", "9a5094b2563a1ef3ff50dc5c7ff71345", "unknown"),
            ("test", "007d0c4c1ec6ee9ff7a9b2d3a55c0bf9", "Cardiomegaly"),
            ("test", "0008aab7d8b5d2d2a4d5f1a5a5dcbd6a", "normal"),
        )
    )
    names = [[name for name, _ in record.findings] for record in index.records]
    assert all(one == names[0] for one in names)
    assert "Other diseases" in names[0]
    assert "Other disease" not in names[0]


@pytest.mark.parametrize(
    ("rule", "findings"),
    [
        ("any", {"Aortic enlargement": "1", "Cardiomegaly": "1", "Pneumonia": "1"}),
        ("vote", {"Aortic enlargement": "1", "Cardiomegaly": "u", "Pneumonia": "u"}),
        ("majority", {"Aortic enlargement": "1", "Cardiomegaly": "0", "Pneumonia": "0"}),
        ("first", {"Aortic enlargement": "1", "Cardiomegaly": "1", "Pneumonia": "0"}),
    ],
)
@pytest.mark.parametrize("tree", [trees.vindr_cxr, trees.vindr_challenge])
def test_readers_of_vindr_cxr_are_counted_as_asked(written, tree, rule, findings):
    _, index = read(written(tree), rows=rule)
    (record,) = [r for r in index.records if "50a418190bc3fb1ef1633bf9678929b3" in r.file]
    assert {name: record.finding(name) for name in findings} == findings


def test_a_column_that_differs_from_reader_to_reader_is_not_kept(written):
    with pytest.raises(ValueError, match="one value for each image; got 'rad_id'"):
        read(written(trees.vindr_cxr), keep=("rad_id",))


def test_the_challenge_of_vindr_cxr_has_no_labels_for_its_test(written):
    name, index = read(written(trees.vindr_challenge))
    assert name == "vindr-cxr"
    assert len(index.records) == 3
    assert reasons(index) == {"the set gives it no label": 1}


@pytest.mark.parametrize(
    ("tree", "folder", "form"),
    [
        (trees.open_i_kaggle, "images/images_normalized", "{}.dcm.png"),
        (lambda folder: trees.open_i(folder, tables=True), "NLMCXR_png", "CXR{uid}_{}.png"),
        (
            lambda folder: trees.open_i(folder, tables=True, prefix="CXR"),
            "NLMCXR_png",
            "CXR{}.png",
        ),
    ],
    ids=["tables", "reports", "reports-short"],
)
def test_open_i_is_read_by_its_tables_or_its_reports(tmp_path, tree, folder, form):
    tree(tmp_path)
    name, index = read(tmp_path)
    assert name == "open-i"
    assert columns_of(index, "file", "label", "patient", "view") == [
        (f"{folder}/{form.format(name, uid=uid)}", label, uid, "")
        for name, label, uid in (
            ("1_IM-0001-4001", "normal", "1"),
            ("2_IM-0652-1001", "several findings", "2"),
            ("36_IM-1569-0001", "Opacity", "36"),
        )
    ]
    assert present(index.records[1])[0] == ["Cardiomegaly", "Pulmonary Artery"]
    assert reasons(index) == {"view L not asked for": 1}


@pytest.mark.parametrize("terms", ["No Indexing", ""])
@pytest.mark.parametrize("tree", [trees.open_i_kaggle, trees.open_i])
def test_reports_of_open_i_that_nobody_indexed_say_nothing(tmp_path, tree, terms):
    tree(tmp_path)
    if tree is trees.open_i:
        replace(tmp_path / "ecgen-radiology/36.xml", "Opacity/lung/base/left", terms)
    else:
        replace(tmp_path / "indiana_reports.csv", "/lung/base/left,Opacity", f",{terms}")
    record = read(tmp_path)[1].records[-1]
    assert (record.label, record.patient) == ("unknown", "36")
    assert {name for name, _ in record.findings} == {"Cardiomegaly", "Pulmonary Artery", "normal"}
    assert {value for _, value in record.findings} == {""}


def test_open_i_without_tables_tells_no_views(tmp_path):
    trees.open_i(tmp_path)
    _, index = read(tmp_path)
    assert len(index.records) == 4
    assert {record.view for record in index.records} == {""}


def test_dicom_files_of_open_i_are_found_by_the_report_that_names_them_otherwise(tmp_path):
    """CXR2_1_IM-0652-1001 is the file 2_IM-0652-1001, as CXR2_IM-0652-1001 would be."""
    node = '<eCitation><MeSH><major>normal</major></MeSH><parentImage id="{}"/></eCitation>'
    text(tmp_path / "ecgen-radiology/2.xml", node.format("CXR2_1_IM-0652-1001"))
    text(tmp_path / "ecgen-radiology/3.xml", node.format("CXR3_IM-1384-1001"))
    for name in ("2_IM-0652-1001", "3_IM-1384-1001"):
        image(tmp_path / f"NLMCXR/{name[0]}/{name}.png", int(name[0]))
    _, index = read(tmp_path)
    assert columns_of(index, "file", "patient") == [
        ("NLMCXR/2/2_IM-0652-1001.png", "2"),
        ("NLMCXR/3/3_IM-1384-1001.png", "3"),
    ]


def test_vindr_cxr_counts_no_reader_twice_where_a_table_is_packed_and_unpacked(written):
    folder = written(trees.vindr_cxr)
    once = read(folder, rows="vote")[1]
    for path in sorted(folder.rglob("image_labels_*.csv")):
        (path.parent / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    twice = read(folder, rows="vote")[1]
    assert columns_of(twice, "file", "findings") == columns_of(once, "file", "findings")
