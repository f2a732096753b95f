import pytest

from tests.cxr_models.records.trees import covid as trees
from tests.cxr_models.records.trees.reading import columns_of, present, read, reasons


@pytest.mark.parametrize("version", ["9B", "8B", "9A", "1"])
def test_covidx_is_read_by_its_words_a_line(tmp_path, version):
    trees.covidx(tmp_path, version)
    name, index = read(tmp_path, official_split=True)
    assert name == "covidx"
    three = version.endswith("A")
    no = ("normal", "pneumonia") if three else ("no_covid", "no_covid")
    source = (lambda name: "covidx") if version == "1" else str
    assert columns_of(index, "file", "label", "patient", "source", "split") == [
        ("test/COVID-00024.jpg", "covid", "COVID-00024", source("fig1"), "test"),
        ("test/41_a.png", no[0], "41", source("rsna"), "test"),
        ("train/MIDRC-RICORD-1C-419639-003251-46647-0.png", "covid", "419639-003251",
         source("ricord"), "train"),
        ("train/ANON24_1.png", "covid", "ANON24", source("actmed"), "train"),
        ("train/3d1d2a1c.png", no[1], "3d1d2a1c-8a0c-4b9d-9b57-06a0e1d2a3f4", source("rsna"),
         "train"),
        ("train/SARS 10.1148 rg.jpg", "covid", "8", source("cohen"), "train"),
    ]  # fmt: skip
    assert [record.finding("COVID-19") for record in index.records] == list("101101")
    assert not index.skipped


def test_two_versions_of_covidx_are_too_many(tmp_path):
    trees.covidx(tmp_path, "9B")
    (tmp_path / "train_COVIDx9A.txt").write_text("8 a.png normal rsna\n")
    with pytest.raises(ValueError, match="label files of one COVIDx; got COVIDx9A, COVIDx9B"):
        read(tmp_path)


def test_ieee8023_keeps_radiographs_and_reads_findings_as_paths(tmp_path):
    trees.ieee8023(tmp_path)
    name, index = read(tmp_path, keep=("location",))
    assert name == "ieee8023"
    assert columns_of(index, "file", "label", "patient", "view", "modality", "sex", "age") == [
        ("images/a.jpg", "COVID-19", "2", "PA", "CR", "M", "065Y"),
        ("images/b.png", "COVID-19", "2", "AP-supine", "CR", "M", "065Y"),
        ("images/d.jpg", "unknown", "5", "PA", "CR", "F", "070Y"),
        ("images/f.jpg", "Pneumonia", "7", "AP", "CR", "M", "033Y"),
    ]
    assert present(index.records[0])[0] == ["COVID-19", "Pneumonia", "Viral"]
    assert {value for _, value in index.records[2].findings} == {""}
    assert index.records[0].kept == (("location", "Malmö"),)
    assert reasons(index) == {"view L not asked for": 1, "view other not asked for": 1}
