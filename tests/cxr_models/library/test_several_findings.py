"""Runs and splits with several findings, from Python."""

import csv

import numpy as np
import pytest

import cxr_models as cxm
from tests.helpers.findings import FINDINGS, findings_records, write_findings_split

SETTINGS = {
    "data.image_size": (32, 40),
    "model.task": "multilabel",
    "model.findings": list(FINDINGS),
}


def test_findings_are_shared_out_as_the_command_does(tmp_path):
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models.cli import main

    records, _ = findings_records(tmp_path)
    cxm.write_manifest(tmp_path / "manifest.csv", records)
    told, out = tmp_path / "told.csv", tmp_path / "out.csv"
    words = ["split", tmp_path / "manifest.csv", "--out", told, "--stratify-findings", "all"]
    assert main([*map(str, words)]) == 0
    cxm.split(tmp_path / "manifest.csv", stratify_findings=["all"], out=out)
    assert out.read_bytes() == told.read_bytes()
    with pytest.raises(ValueError, match=r"`stratify_findings` must name columns .*; got Hernia"):
        cxm.split(tmp_path / "manifest.csv", stratify_findings=["Hernia"])
    with pytest.raises(ValueError, match="`stratify_findings` is only allowed with a manifest wh"):
        cxm.split(out, stratify_findings=["all"])


def test_the_labels_of_a_dataset_are_a_row_of_findings(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    split = write_findings_split(tmp_path / "images")
    dataset = split.to_torch("train", config=SETTINGS)
    values = {"1": 1, "0": 0, "u": -1, "": -1}
    for place, record in enumerate(split.select("train").records):
        label = dataset[place][1]
        assert label.dtype == torch.int64
        assert label.tolist() == [values[record.finding(name)] for name in FINDINGS]
    with pytest.raises(ValueError, match="`findings` must be columns finding:NAME of the split"):
        split.to_torch("train", config={**SETTINGS, "model.findings": ["Hernia"]})


@pytest.mark.usefixtures("tiny_backbone")
def test_what_a_run_says_of_findings_is_what_the_command_says(tmp_path):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models.cli import main
    from tests.helpers.runs import calibrate_findings, make_run, write_images

    split = write_findings_split(tmp_path / "images")
    task = {"model__task": "multilabel", "model__findings": list(FINDINGS)}
    folder = make_run(tmp_path / "run", split, **task)
    first, second = FINDINGS
    calibrate_findings(folder, {first: 1.5, second: 0.5}, {first: 0.5, second: None})
    images = write_images(tmp_path / "new", 5)
    assert main(["predict", str(folder), str(images), "--out", str(tmp_path / "p.csv")]) == 0
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    run = cxm.load_run(folder)
    predicted = run.predict(images)
    assert predicted.class_names == FINDINGS
    told = [[float(row[f"probability:{name}"]) for name in FINDINGS] for row in rows]
    np.testing.assert_allclose(predicted.probabilities, told, rtol=1e-6)
    called = [[name for name in FINDINGS if row[f"called:{name}"] == "1"] for row in rows]
    assert [list(names) for names in predicted.called] == called
    with pytest.raises(ValueError, match="`labels` is only allowed for runs with classes"):
        predicted.labels  # noqa: B018
    evaluation = run.evaluate(draws=100)
    assert type(evaluation).__name__ == "FindingsEvaluation"
    audit = cxm.audit_split(run.split, run=run, draws=100)
    assert tuple(audit.findings) == FINDINGS
    with pytest.raises(ValueError, match="`findings` is only allowed without a run"):
        cxm.audit_split(run.split, run=run, findings=FINDINGS)
