import dataclasses
import shutil

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

from cxr_models.evaluation.externals import External
from cxr_models.evaluation.finding_predictions import (
    read_finding_predictions,
    write_finding_predictions,
)
from cxr_models.inference.predict_sets import predict_sets
from cxr_models.inputs.loader import ImageLoader
from cxr_models.inputs.targets import finding_targets
from cxr_models.networks.load import load_classifier
from cxr_models.records.overlap import Overlap
from cxr_models.runs.finished import read_run
from tests.helpers.findings import FINDINGS, findings_records, write_findings_split
from tests.helpers.runs import make_run
from tests.helpers.tiny_backbone import tiny_application

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make one run of findings."""
    folder = tmp_path_factory.mktemp("made")
    split = write_findings_split(folder / "images", 12)
    options = {"model__task": "multilabel", "model__findings": list(FINDINGS)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "NASNetMobile", tiny_application)
        return make_run(folder / "run", split, model__uncertain="present", **options)


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    return read_run(tmp_path / "run")


def test_sets_of_a_run_of_findings_hold_its_targets_and_sigmoids(run):
    sets = predict_sets(run, {})
    assert [predictions.name for predictions in sets] == ["train", "val", "test"]
    for predictions in sets:
        part = run.split.select(predictions.name)
        targets = finding_targets(part, FINDINGS)  # though uncertain is present in training
        np.testing.assert_array_equal(predictions.targets, targets)
        images = ImageLoader(run.config.data)(part.paths())
        expected = load_classifier(run).predict(images, verbose=0)
        np.testing.assert_allclose(predictions.probabilities, expected, atol=1e-6)
        stored = read_finding_predictions(run.folder.predictions_file(predictions.name))
        np.testing.assert_array_equal(stored.targets, targets)
        np.testing.assert_array_equal(stored.logits, predictions.logits)


def test_what_was_predicted_is_used_again_until_a_finding_changes(run):
    predict_sets(run, {})
    said = []
    predict_sets(run, {}, say=said.append)
    assert said == []
    records = list(run.split.manifest.records)
    place = next(i for i, record in enumerate(records) if record.split == "test")
    findings = (("Bands", "u"), ("Dots", "0"))
    records[place] = dataclasses.replace(records[place], findings=findings)
    manifest = dataclasses.replace(run.split.manifest, records=tuple(records))
    changed = dataclasses.replace(run, split=dataclasses.replace(run.split, manifest=manifest))
    sets = predict_sets(changed, {}, say=said.append)
    count = len(run.split.select("test").records)
    assert said == [
        f"predicting test: {count} images",
        "test.csv was predicted before; its records differ; it is replaced",
    ]
    row = [r.file for r in sets[2].manifest.records].index(records[place].file)
    assert sets[2].targets[row].tolist() == [-1, 0]


def test_labels_of_an_earlier_version_that_counted_uncertain_ones_are_not_used_again(run):
    sets = predict_sets(run, {})
    file = run.folder.predictions_file("test")
    former = finding_targets(run.split.select("test"), FINDINGS, "present")
    assert (former != sets[2].targets).any()
    write_finding_predictions(file, dataclasses.replace(sets[2], targets=former))
    said = []
    again = predict_sets(run, {}, say=said.append)
    assert said == []  # nothing is predicted: the logits are the same
    np.testing.assert_array_equal(again[2].targets, sets[2].targets)
    np.testing.assert_array_equal(read_finding_predictions(file).targets, sets[2].targets)


def test_another_source_may_lack_a_finding(run, tmp_path):
    records, _ = findings_records(tmp_path / "other", 3, seed=5)
    records = [dataclasses.replace(record, findings=(("Bands", "1"),)) for record in records]
    manifest = dataclasses.replace(
        run.split.manifest, records=tuple(records), root=tmp_path / "other"
    )
    overlap = Overlap(near=(), patients=(), unread=0)
    *_, external = predict_sets(run, {"other": External(manifest, overlap)})
    assert (external.name, external.kind) == ("other", "external")
    assert external.targets.tolist() == [[1, -1]] * 6
