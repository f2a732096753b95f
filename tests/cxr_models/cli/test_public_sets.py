"""From the trees of public sets to a report with several findings, by the commands of the docs."""

import csv

import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("keras", reason="keras is not installed")

import keras

from cxr_models import read_manifest, read_split
from cxr_models.cli import main
from tests.cxr_models.records.trees.planted import chexpert_planted, mimic_planted, nih_planted
from tests.helpers.report_pages import Read
from tests.helpers.tiny_backbone import tiny_application

FINDINGS = ("Cardiomegaly", "Pleural Effusion", "Pneumonia")
NAMES = ",".join(FINDINGS)
QUICK = (
    *("--weights", "none", "--image-size", "64", "64", "--epochs-head", "10", "--batch-size", "8"),
    *("--set", "data.order=enhance-first", "--set", "data.rotation=0"),
)
VALUES = "Each finding, over the images whose label for it is known"


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(keras.applications, "NASNetMobile", tiny_application)


def commands(*lines):
    for line in lines:
        words = line if isinstance(line, list) else line.split()
        assert main(words) == 0, words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "index", "split", "uncertain"),
    [
        (nih_planted, ["--official-split"], ["--stratify-findings", NAMES], "unknown"),
        (mimic_planted, ["--official-split", "--blank", "absent"], [], "absent"),
        (chexpert_planted, ["--blank", "absent"], ["--stratify-findings", NAMES], "present"),
    ],
    ids=["nih", "mimic-cxr-jpg", "chexpert"],
)
def test_a_public_set_becomes_a_report_with_several_findings(
    write, index, split, uncertain, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "set", patients=120)
    (chexpert_planted if write is nih_planted else nih_planted)(tmp_path / "other", patients=40)
    commands(
        ["index", "set", "--out", "manifest.csv", "--harmonise", *index],
        "index other --out other.csv --harmonise",
        ["split", "manifest.csv", "--out", "split.csv", *split],
        ["train", "split.csv", "--task", "multilabel", "--findings", NAMES, "--out", "runs/first",
         "--uncertain", uncertain, *QUICK],
        "evaluate runs/first --external other.csv",
        "audit split.csv --run runs/first",
        "report runs/first --out report.html --explain",
        "predict runs/first other --out predictions.csv",
    )  # fmt: skip
    assert len({record.group for record in read_manifest("manifest.csv").records}) == 120
    parts = read_split("split.csv")
    counts = {part: parts.select(part).records for part in ("train", "val", "test")}
    assert all(counts.values())
    page = Read((tmp_path / "report.html").read_text())
    for place, part in ((1, "test"), (2, "other")):  # after val
        assert list(page.table(VALUES, place))[:3] == list(FINDINGS), part
    shown = page.table(VALUES, 1)
    known = [r.finding("Pneumonia") for r in counts["test"]]
    is_known = [value not in ("", "u") for value in known]
    assert shown["Pneumonia"]["images known"] == str(sum(is_known))
    # bands are seen after few epochs; pneumonia is drawn nowhere
    assert float(shown["Pleural Effusion"]["ROC-AUC"].split()[0]) > 0.8
    assert list(page.table("ROC-AUC of models that see no lungs, or hardly, on the same known "
                           "test images")) == list(FINDINGS)  # fmt: skip
    assert "Labels that the records call uncertain count as unknown" in page.text
    trained = f"In training they counted as {uncertain}."
    assert (trained in page.text) == (uncertain != "unknown")
    with open("predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 80
    assert all(row[f"called:{name}"] in ("0", "1", "") for row in rows for name in FINDINGS)


def test_a_table_with_a_column_for_each_finding_needs_no_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nih_planted(tmp_path / "nih", patients=2)
    names = sorted(path.name for path in (tmp_path / "nih/images_001/images").iterdir())
    cells = ["1,0", "0,-1", ",1", "1,1"]
    rows = [f"{name},{name[:8]},{cell}" for name, cell in zip(names, cells, strict=True)]
    (tmp_path / "mine.csv").write_text("\n".join(["image,person,mass,edema", *rows]) + "\n")
    columns = "file=image,patient=person,finding:Mass=mass,finding:Edema=edema"
    commands(
        ["index", "nih/images_001/images", "--csv", "mine.csv", "--columns", columns,
         "--out", "manifest.csv"],
    )  # fmt: skip
    records = read_manifest("manifest.csv").records
    assert [dict(record.findings) for record in records] == [
        {"Mass": "1", "Edema": "0"}, {"Mass": "0", "Edema": "u"},
        {"Mass": "", "Edema": "1"}, {"Mass": "1", "Edema": "1"},
    ]  # fmt: skip
    assert [r.label for r in records] == ["Mass", "uncertain", "Edema", "several findings"]
