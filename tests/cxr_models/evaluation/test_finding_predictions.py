import csv
import dataclasses
import hashlib
import json

import numpy as np
import pytest

from cxr_models.evaluation.finding_predictions import (
    FindingPredictions,
    read_finding_predictions,
    sigmoid,
    write_finding_predictions,
)
from cxr_models.evaluation.prediction_tables import holds_findings, read_origin
from cxr_models.evaluation.predictions import read_predictions, write_predictions
from cxr_models.records.overlap import Overlap, Shared
from tests.helpers.predicted import FINDINGS, ORIGIN, make_finding_predictions, make_predictions


@pytest.mark.parametrize("name", ["test", "elsewhere"])
def test_a_written_table_is_read_as_it_was_to_the_last_bit(rng, tmp_path, name):
    overlap = Overlap(near=(Shared("a.png", "b.png", "train", "inverted"),), patients=(), unread=1)
    predictions = make_finding_predictions(rng, name=name, overlap=overlap)
    write_finding_predictions(tmp_path / "p.csv", predictions)
    read = read_finding_predictions(tmp_path / "p.csv")
    for field in dataclasses.fields(FindingPredictions):
        expected, got = getattr(predictions, field.name), getattr(read, field.name)
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == expected.dtype
        else:
            assert got == expected, field.name
    assert read_origin(tmp_path / "p.csv") == ORIGIN


def test_a_cell_is_1_0_or_empty_and_numbers_stand_under_the_name_of_the_finding(rng, tmp_path):
    predictions = make_finding_predictions(rng, images=40)
    write_finding_predictions(tmp_path / "p.csv", predictions)
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()[1:]))
    for k, name in enumerate(FINDINGS):
        cells = [{"1": 1, "0": 0, "": -1}[row[f"finding:{name}"]] for row in rows]
        assert cells == predictions.targets[:, k].tolist()
        shown = [float(row[f"probability:{name}"]) for row in rows]
        assert shown == predictions.probabilities[:, k].tolist()
    assert set(predictions.targets.ravel()) == {1, 0, -1}


def test_tables_of_classes_and_of_findings_are_told_apart(rng, tmp_path):
    write_finding_predictions(tmp_path / "findings.csv", make_finding_predictions(rng))
    write_predictions(tmp_path / "classes.csv", make_predictions(rng))
    assert holds_findings(tmp_path / "findings.csv")
    assert not holds_findings(tmp_path / "classes.csv")
    with pytest.raises(ValueError, match="does not begin with '# cxr-models predictions'"):
        read_predictions(tmp_path / "findings.csv")
    with pytest.raises(ValueError, match="begin with '# cxr-models predictions-of-findings'"):
        read_finding_predictions(tmp_path / "classes.csv")


def test_a_table_that_was_changed_is_refused(rng, tmp_path):
    write_finding_predictions(tmp_path / "p.csv", make_finding_predictions(rng))
    text = (tmp_path / "p.csv").read_text()
    (tmp_path / "p.csv").write_text(text.replace("test/0.png", "test/other.png"))
    with pytest.raises(ValueError, match=r"`p\.csv` must be as cxr-models wrote it"):
        read_finding_predictions(tmp_path / "p.csv")


def test_a_finding_is_two_classes_over_the_images_whose_label_is_known(rng):
    predictions = make_finding_predictions(rng, images=6)
    predictions = dataclasses.replace(
        predictions,
        targets=np.array([[1, 0], [-1, 1], [0, 1], [-1, -1], [0, 0], [1, 0]], np.int8),
        findings=FINDINGS[:2],
        logits=predictions.logits[:, :2],
        probabilities=predictions.probabilities[:, :2],
    )
    outcomes = predictions.outcomes(FINDINGS[0], temperature=2.0, threshold=0.25)
    assert predictions.known(FINDINGS[0]).tolist() == [0, 2, 4, 5]
    assert outcomes.class_names == (f"no {FINDINGS[0]}", FINDINGS[0])
    assert outcomes.targets.tolist() == [1, 0, 0, 1]
    assert outcomes.patients.tolist() == [0, 1, 2, 2]  # images 0, 2, 4 and 5: two images a patient
    assert outcomes.thresholds == (None, 0.25)
    logits = predictions.logits[[0, 2, 4, 5], 0]
    np.testing.assert_allclose(outcomes.probabilities[:, 1], 1 / (1 + np.exp(-logits)), rtol=1e-12)
    np.testing.assert_allclose(outcomes.calibrated[:, 1], 1 / (1 + np.exp(-logits / 2)), rtol=1e-12)


def test_the_sigmoid_of_large_logits_overflows_nowhere():
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array([-800.0, 800.0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"findings": ()}, ValueError, r"names, at least one; got \(\)"),
        ({"findings": ("Mass",) * 3}, ValueError, "`findings` must be different names"),
        ({"kind": "tset"}, ValueError, "`kind` must be one of train, val, test, external"),
        ({"targets": np.zeros((60, 3))}, TypeError, "`targets` must have dtype int8; got float64"),
        ({"targets": np.zeros((60, 2), np.int8)}, ValueError, r"must have shape \(60, 3\)"),
        ({"targets": np.full((60, 3), 2, np.int8)}, ValueError, r"-1 \(unknown\); got 2 in test"),
        ({"logits": np.full((60, 3), np.nan)}, ValueError, "`logits` must be finite"),
        ({"logits": np.zeros((60, 3))}, ValueError, "must be the sigmoid of the logits"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_refused(rng, change, error, message):
    with pytest.raises(error, match=message):
        make_finding_predictions(rng, **change)


def test_a_cell_that_is_no_label_is_refused(rng, tmp_path):
    write_finding_predictions(tmp_path / "p.csv", make_finding_predictions(rng, images=2))
    head, body = (tmp_path / "p.csv").read_text().split("\n", 1)
    header, row, rest = body.split("\n", 2)
    cells = row.split(",")
    cells[header.split(",").index(f"finding:{FINDINGS[0]}")] = "u"
    body = "\n".join([header, ",".join(cells), rest])
    (tmp_path / "p.csv").write_text(f"{_sealed(head, body)}\n{body}")
    with pytest.raises(ValueError, match=r"must be 1, 0 or empty; got 'u' for 'test/0\.png'"):
        read_finding_predictions(tmp_path / "p.csv")


def _sealed(head, body):
    """Give the first line the hash of changed rows."""
    tag, text = head.split("{", 1)
    stated = json.loads("{" + text)
    stated["sha256"] = hashlib.sha256(body.encode()).hexdigest()
    return tag + json.dumps(stated)
