import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("cv2", reason="cv2 is not installed")
pytest.importorskip("typer", reason="typer is not installed")

from sklearn.metrics import roc_auc_score

from cxr_enhance import write_image
from cxr_models.audit import finding_shortcuts
from cxr_models.audit.finding_shortcuts import audit_findings, verdict
from cxr_models.audit.findings_results import FindingReached, FindingShortcuts
from cxr_models.audit.shortcut_features import Features
from cxr_models.cli import main
from cxr_models.evaluation.bootstrap import NO_SPREAD
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.results import Measured
from cxr_models.records.manifest import Record
from cxr_models.records.splits import write_split

METHOD = Method(draws=100)
FINDINGS = ("Device", "Mass")


@pytest.fixture
def split(rng):
    """Give records, two images a patient, of two findings, some of whose labels are unknown."""
    records = [
        Record(
            file=f"{i}.png",
            label="chest",
            patient=str(i // 2),
            source=("here", "there")[i // 2 % 3 == 0],
            split=("train", "train", "val", "test")[i // 2 % 4],
        )
        for i in range(240)
    ]
    targets = rng.integers(0, 2, (240, 2)).astype(np.int8)
    targets[rng.random((240, 2)) < 0.2] = -1
    return records, targets


def noise(rng, count):
    return Features(
        thumbnails=rng.uniform(0, 255, (count, 32, 32)).astype(np.float32),
        histograms=rng.dirichlet(np.ones(16), count).astype(np.float32),
        sizes=rng.normal(size=(count, 3)).astype(np.float32),
    )


def with_written_border(features, rows):
    thumbnails = features.thumbnails.copy()
    thumbnails[rows, :4] = 255.0
    return dataclasses.replace(features, thumbnails=thumbnails)


def test_a_border_that_is_written_on_tells_its_finding_alone(rng, split):
    records, targets = split
    features = with_written_border(noise(rng, 240), targets[:, 0] == 1)
    audited = audit_findings(records, FINDINGS, targets, features, METHOD)
    in_test = np.array([record.split == "test" for record in records])
    assert audited["Device"].images == (in_test & (targets[:, 0] != -1)).sum()
    assert audited["Device"].present == (in_test & (targets[:, 0] == 1)).sum()
    for reached in (audited["Device"].border, audited["Device"].thumbnail):
        assert reached.roc_auc.value >= 0.95
        assert reached.classifier
    for name in ("border", "thumbnail", "histogram", "size"):
        reached = getattr(audited["Mass"], name).roc_auc
        assert 0.2 < reached.value < 0.8, name
        assert reached.interval[0] <= reached.value <= reached.interval[1]
    sentence = verdict({"Device": audited["Device"]})
    assert "largely readable: Device (" in sentence


def shortcuts_with(area, interval, reason=""):
    measured = Measured(value=area, interval=interval, reason=reason)
    guessing = Measured(value=0.4, interval=(0.3, 0.5))
    best, rest = FindingReached(roc_auc=measured), FindingReached(roc_auc=guessing)
    names = ("border", "thumbnail", "histogram", "size", "label_from_source")
    return FindingShortcuts(images=40, present=20, **dict.fromkeys(names, rest) | {"border": best})


def test_the_verdict_says_what_the_areas_mean():
    few = "6 patients of the class concerned, fewer than 10"
    audited = {
        "Device": shortcuts_with(0.98, (0.9, 1.0)),
        "Edema": shortcuts_with(0.7, (0.6, 0.8)),
        "Mass": shortcuts_with(0.7, (0.4, 0.9)),
        "Nodule": shortcuts_with(0.5, None, NO_SPREAD),  # all images have one score
        "Hernia": shortcuts_with(0.98, None, few),
        "Cyst": shortcuts_with(None, None, "no image that shows it"),
    }
    audited["Cyst"] = dataclasses.replace(
        audited["Cyst"], histogram=audited["Cyst"].border, size=audited["Cyst"].border
    )
    assert verdict(audited).partition("(ROC-AUC), ")[2] == (
        "largely readable: Device (0.98); partly readable: Edema (0.70); "
        "2 of 6 findings: little or nothing; "
        "too few patients of test for a verdict: Hernia (0.98); 1 could not be audited"
    )


def test_a_shortcut_that_is_sure_of_every_image_is_still_measured(rng, split):
    records, targets = split
    features = with_written_border(noise(rng, 240), targets[:, 0] == 1)
    tested = np.array([record.split != "train" for record in records])
    far = features.thumbnails.copy()  # so far from train that a probability of float32 is 1
    far[tested & (targets[:, 0] == 1), :4] *= 1e4
    audited = audit_findings(
        records, FINDINGS, targets, dataclasses.replace(features, thumbnails=far), METHOD
    )
    assert audited["Device"].border.roc_auc.value == 1.0


def test_labels_that_are_unknown_and_images_without_one_change_nothing(rng, split):
    records, targets = split
    features = noise(rng, 240)
    before = audit_findings(records, FINDINGS, targets, features, METHOD)
    unknown = targets[:, 1] == -1
    changed = noise(rng, 240)
    for field in dataclasses.fields(Features):
        getattr(changed, field.name)[~unknown] = getattr(features, field.name)[~unknown]
    after = audit_findings(records, FINDINGS, targets, changed, METHOD)
    assert after["Mass"] == before["Mass"]
    assert after["Device"] != before["Device"]


def test_the_run_is_measured_on_the_same_known_images(rng, split):
    records, targets = split
    in_test = np.flatnonzero([record.split == "test" for record in records])
    logits = rng.normal(size=(len(in_test), 2)) + 2.0 * (targets[in_test] == 1)
    of_run = {"run": logits, "centre_blanked": -logits}
    features = noise(rng, 240)
    audited = audit_findings(records, FINDINGS, targets, features, METHOD, of_run)
    for k, name in enumerate(FINDINGS):
        known = targets[in_test, k] != -1
        expected = roc_auc_score(targets[in_test, k][known], logits[known, k])
        assert audited[name].run.roc_auc.value == pytest.approx(expected)
        assert audited[name].centre_blanked.roc_auc.value == pytest.approx(1 - expected)
        assert audited[name].border_blanked is None
        titles = [title for title, _ in audited[name].titled()]
        assert titles[-2:] == ["the run", "the run, centre blanked"]


def test_the_source_alone_is_measured_by_its_share_in_train(rng, split):
    records, targets = split
    sources = np.array([record.source for record in records])
    targets[:, 0] = sources == "here"
    audited = audit_findings(records, FINDINGS[:1], targets[:, :1], noise(rng, 240), METHOD)
    assert audited["Device"].label_from_source.roc_auc.value == 1.0
    nowhere = [dataclasses.replace(record, source="") for record in records]
    audited = audit_findings(nowhere, FINDINGS[:1], targets[:, :1], noise(rng, 240), METHOD)
    reason = audited["Device"].label_from_source.roc_auc.reason
    assert reason == "train does not state two sources"


def test_test_images_without_a_source_do_not_count_for_the_source_alone(rng, split, monkeypatch):
    untrained = finding_shortcuts._not_reached("not trained")
    monkeypatch.setattr(finding_shortcuts, "_shortcut", lambda *_: untrained)
    records, targets = split
    sources = np.array([record.source for record in records])
    targets[:, :1] = (sources == "here")[:, None]
    tested = [i for i, record in enumerate(records) if record.split == "test"]
    unstated = {*tested[::2]}
    records = [dataclasses.replace(r, source="" if i in unstated else r.source)
               for i, r in enumerate(records)]  # fmt: skip
    audited = audit_findings(records, ("Device",), targets[:, :1], noise(rng, 240), METHOD)
    assert audited["Device"].label_from_source.roc_auc.value == 1.0
    records = [dataclasses.replace(r, source="" if r.split == "test" else r.source)
               for r in records]  # fmt: skip
    audited = audit_findings(records, ("Device",), targets[:, :1], noise(rng, 240), METHOD)
    area = audited["Device"].label_from_source.roc_auc
    assert (area.value, area.reason) == (None, "test states no source")


def test_a_finding_that_a_part_does_not_hold_is_not_audited_and_says_why(rng, split):
    records, targets = split
    parts = np.array([record.split for record in records])
    targets[(parts == "val") & (targets[:, 0] == 1), 0] = -1
    targets[parts == "test", 1] = -1
    audited = audit_findings(records, FINDINGS, targets, noise(rng, 240), METHOD)
    reason = audited["Device"].border.roc_auc.reason
    assert reason == "val does not hold known images both with it and without it"
    reason = audited["Mass"].border.roc_auc.reason
    assert reason == "test does not hold an image whose label is known"
    assert "2 could not be audited" in verdict(audited)
    no_test = [r for r in records if r.split != "test"]
    with pytest.raises(ValueError, match="`split` must have records in test; got none"):
        audit_findings(no_test, FINDINGS, targets[: len(no_test)], noise(rng, len(no_test)), METHOD)


@pytest.fixture
def split_file(rng, split, tmp_path):
    """Write a split whose images have a white border where the device is."""
    records, targets = split
    cells = {1: "1", 0: "0", -1: "u"}
    for record, row in zip(records, targets, strict=True):
        image = rng.integers(0, 200, (40, 40), np.uint8)
        if row[0] == 1:
            image[:5] = 255
        write_image(tmp_path / record.file, image)
    write_split(
        tmp_path / "split.csv",
        [
            dataclasses.replace(
                record,
                findings=tuple((n, cells[t]) for n, t in zip(FINDINGS, row.tolist(), strict=True)),
            )
            for record, row in zip(records, targets, strict=True)
        ],
        {"seed": 0},
    )
    return tmp_path / "split.csv"


def test_the_command_audits_the_findings_of_a_split(split_file, split, capsys):
    _, targets = split
    command = ["audit", str(split_file), "--findings", "Device,Mass", "--draws", "100"]
    assert main([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["task"] == "multilabel"
    assert list(result["findings"]) == list(FINDINGS)
    assert result["findings"]["Device"]["border"]["roc_auc"]["value"] == 1.0
    assert result["findings"]["Device"]["images"] < (targets[:, 0] != -1).sum()
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "name of the source" in out
    assert "largely readable: Device (1.00)" in out


def test_findings_that_the_split_does_not_hold_are_refused(split_file, capsys):
    for names, sentence in (("Hernia", "got Hernia"), (",", "`--findings` must name at least one")):
        assert main(["audit", str(split_file), "--findings", names]) == 2
        assert sentence in capsys.readouterr().err
