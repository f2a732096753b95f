"""From the tree of a download to a split in two commands, and what index says on the way."""

from pathlib import Path

import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_models import read_split
from cxr_models.cli import main
from tests.cxr_models.records.trees import chexpert, class_folders, nih


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "settings"))


@pytest.mark.parametrize(
    ("write", "said", "labels", "patients"),
    [
        (class_folders.kermany, "of children: 5,856 images expected, 8 found",
         {"normal": 4, "virus": 2, "bacteria": 2}, 7),
        (class_folders.radiography, "COVID-19 Radiography: 21,165 images expected, 6 found",
         {"covid": 2, "lung_opacity": 1, "normal": 2, "virus": 1}, 0),
        (nih.nih, "NIH ChestX-ray14: 112,120 images expected, 5 found",
         {"Cardiomegaly": 1, "several findings": 2, "normal": 1, "Pneumonia": 1}, 3),
        (chexpert.chexpert, "CheXpert: 223,648 images expected, 6 found",
         {"Support Devices": 1, "several findings": 1, "uncertain": 1, "Edema": 1,
          "Cardiomegaly": 1}, 4),
        (chexpert.mimic_cxr_jpg, "MIMIC-CXR-JPG: 377,110 images expected, 6 found",
         {"normal": 1, "Consolidation": 1, "several findings": 1, "unknown": 1}, 4),
        (nih.rsna, "RSNA Pneumonia Detection Challenge: 26,684 images expected, 4 found",
         {"not_normal": 1, "normal": 1, "lung_opacity": 2}, 4),
        (class_folders.archive_export, "", {"normal": 2, "pneumonia": 3}, 4),
    ],
    ids=["kermany", "covid19-radiography", "nih", "chexpert", "mimic-cxr-jpg", "rsna", "dicom"],
)  # fmt: skip
def test_seven_downloads_become_a_split_in_two_commands(
    tmp_path, capsys, write, said, labels, patients
):
    if write in (nih.rsna, class_folders.archive_export):
        pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    source, manifest, split = tmp_path / "download", tmp_path / "m.csv", tmp_path / "s.csv"
    write(source)
    assert main(["index", str(source), "--out", str(manifest)]) == 0
    assert said in capsys.readouterr().out
    assert main(["split", str(manifest), "--out", str(split)]) == 0
    records = read_split(split).manifest.records
    assert {name: [r.label for r in records].count(name) for name in labels} == labels
    assert len(records) == sum(labels.values())
    assert len({record.patient for record in records} - {""}) == patients
    assert all(Path(path).is_file() for path in read_split(split).manifest.paths())
    assert all(record.split and record.hash for record in records)
