import dataclasses

import numpy as np
import pytest

from cxr_models import RunConfig
from cxr_models.training.checks import check_run
from cxr_models.training.findings import (
    lines_on_findings,
    positive_weights,
    weights_of_positives,
)
from tests.helpers.findings import FINDINGS, multilabel, write_findings_split


@pytest.fixture
def split(tmp_path):
    return write_findings_split(tmp_path / "images")


def with_findings(split, change):
    """Give every record the findings that `change` makes of it."""
    records = tuple(
        dataclasses.replace(record, findings=tuple(change(record).items()))
        for record in split.manifest.records
    )
    manifest = dataclasses.replace(split.manifest, records=records)
    return dataclasses.replace(split, manifest=manifest)


def test_positives_weigh_as_many_negatives_as_come_to_one():
    targets = np.array([[1, 1, -1], [0, 1, 0], [0, -1, 0], [0, 1, -1]], np.int8)
    assert positive_weights(targets).tolist() == [3.0, 1.0, 1.0]


def test_weights_of_positives_are_capped_and_that_is_said():
    targets = np.array([[1, 1]] + [[0, 0]] * 3 + [[0, -1]] * 30, np.int32)
    config = multilabel(RunConfig(), training__positive_weights=True)
    assert weights_of_positives(config, targets) == [20.0, 3.0]
    assert lines_on_findings(config, targets) == [
        "a positive of Bands weighs as much as 20 negatives, the most allowed; train has 33 "
        "negatives for each"
    ]
    assert weights_of_positives(multilabel(RunConfig()), targets) is None
    assert lines_on_findings(multilabel(RunConfig()), targets) == []


def test_what_train_does_not_show_is_said():
    targets = np.array([[1, 0], [-1, 0]], np.int32)
    assert lines_on_findings(multilabel(RunConfig()), targets) == [
        "train has no image with Bands absent, which cannot be learned",
        "train has no image with Dots present, which cannot be learned",
    ]


def unknown_in_train(record):
    return {**dict(record.findings), "Dots": "u" if record.split == "train" else "1"}


@pytest.mark.parametrize(
    ("settings", "change", "sentence"),
    [
        (
            {"model__findings": ["Bands", "Nodule"]},
            lambda record: dict(record.findings),
            r"`findings` must be columns finding:NAME of the split \(Bands, Dots\); got Nodule\.",
        ),
        (
            {},
            unknown_in_train,
            "`findings` must be known for images of train; got Dots, unknown for all of them",
        ),
        (
            {},
            lambda r: {n: "" if r.split == "val" else "1" for n in FINDINGS},
            "`split` must have images in val for which a finding is known; got none",
        ),
        (
            {"training__class_weights": True},
            lambda record: dict(record.findings),
            r"`class_weights` is only allowed with the tasks multiclass and binary; got multi.*"
            r"training\.positive_weights=true",
        ),
    ],
    ids=["no-column", "unknown-in-train", "unknown-in-val", "class-weights"],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    split, tmp_path, settings, change, sentence
):
    config = multilabel(RunConfig(), **settings)
    with pytest.raises(ValueError, match=sentence):
        check_run(with_findings(split, change), config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_findings_that_are_uncertain_in_train_may_count_as_present(split, tmp_path):
    config = multilabel(RunConfig(), model__uncertain="present")
    check_run(with_findings(split, unknown_in_train), config, tmp_path / "run")


def test_positive_weights_of_labels_are_refused(small_split, tmp_path):
    config = RunConfig().with_setting("training.positive_weights", True)
    with pytest.raises(ValueError, match="only allowed with the task multilabel; got multiclass"):
        check_run(small_split, config, tmp_path / "run")
