import dataclasses

import pytest

from cxr_models.evaluation.aggregate import aggregated
from cxr_models.evaluation.comparable_sets import (
    comparable_sets,
    difference_of,
    in_order_of_runs,
    rows_in_order_of,
)
from cxr_models.evaluation.comparisons import Comparison
from cxr_models.evaluation.results import Aggregation
from tests.helpers.predicted import make_finding_predictions, make_predictions
from tests.helpers.report_runs import change_records

MAKERS = [make_predictions, make_finding_predictions]


def part_of(predictions, rows):
    """Give some images of a set."""
    rows = list(rows)
    records = tuple(predictions.manifest.records[row] for row in rows)
    changes = {
        "manifest": dataclasses.replace(predictions.manifest, records=records),
        "logits": predictions.logits[rows],
        "probabilities": predictions.probabilities[rows],
    }
    if hasattr(predictions, "targets"):
        changes["targets"] = predictions.targets[rows]
    return dataclasses.replace(predictions, **changes)


@pytest.mark.parametrize("make", MAKERS)
def test_sets_of_other_images_are_left_out_and_the_others_are_compared(rng, make):
    test, clinic, ward = (make(rng, name=name) for name in ("test", "clinic", "ward"))
    less = part_of(clinic, range(57))
    runs = {"a": [test, clinic, ward], "b": [test, less, ward], "c": [test, clinic]}
    found = comparable_sets(runs)
    assert [(name, list(sets)) for name, sets in found.groups] == [
        ("test", ["a", "b", "c"]),
        ("clinic", ["a", "c"]),
        ("ward", ["a", "b"]),
    ]
    assert found.left_out == (
        "clinic: a and c not compared with b: 3 images that are in one of the two alone, such as "
        "'clinic/57.png'",
        "ward: c has no such set and is not compared on it",
    )


def test_other_labels_are_counted_and_named(rng):
    clinic = make_predictions(rng, name="clinic")
    other = change_records(
        clinic, lambda i, record: {"label": "virus"} if i in (5, 12) else {"label": record.label}
    )
    labels = [record.label for record in clinic.manifest.records]
    count = sum(labels[i] != "virus" for i in (5, 12))
    assert count == 1
    assert difference_of(clinic, other) == (
        f"different labels of 1 image, such as 'clinic/12.png' ({labels[12]} and virus)"
    )
    assert difference_of(clinic, part_of(clinic, range(59, -1, -1))) == ""
    findings = make_finding_predictions(rng)
    targets = findings.targets.copy()
    targets[3:7, 1] = 1 - targets[3:7, 1].clip(0)
    changed = dataclasses.replace(findings, targets=targets)
    count = int((targets != findings.targets).any(axis=1).sum())
    assert difference_of(findings, changed).startswith(f"different labels of {count} images, such")
    assert difference_of(findings, changed).endswith("(Effusion)")


def test_joined_images_are_counted_as_what_they_are_joined_to(rng):
    joined = aggregated(make_predictions(rng, name="clinic"), Aggregation(of="patient", by="mean"))
    difference = difference_of(joined, part_of(joined, range(1, 28)))
    assert difference.startswith("3 patients that are in one of the two alone, such as 'clinic/")


@pytest.mark.parametrize("make", MAKERS)
def test_rows_are_in_the_order_of_the_first_set_or_the_runs_are_named(rng, make):
    test = make(rng)
    order = list(rng.permutation(60))
    rows = rows_in_order_of(test, part_of(test, order), "a and b")
    assert [order[row] for row in rows] == list(range(60))
    sentence = (
        r"`test` must hold the same images and labels in a and b, to compare them; got 1 image that"
        r" is in one of the two alone, such as 'test/9.png'. Make both sets equal, or evaluate the "
        r"runs one by one."
    )
    less = part_of(test, [row for row in range(60) if row != 9])
    for pair in ((test, less), (less, test)):
        with pytest.raises(ValueError, match=sentence):
            rows_in_order_of(*pair, "a and b")
    twice = part_of(test, [*range(60), 0])
    with pytest.raises(ValueError, match="got a set that holds an image twice"):
        rows_in_order_of(twice, twice, "a and b")


def test_patients_of_a_group_are_those_of_its_runs_alone(rng):
    test, clinic = make_predictions(rng), make_predictions(rng, name="clinic")
    untied = change_records(clinic, lambda *_: {"patient": ""})
    runs = {"a": [test, untied], "b": [test, clinic], "c": [test, part_of(clinic, range(9))]}
    ((_, group),) = [found for found in comparable_sets(runs).groups if found[0] == "clinic"]
    assert set(group) == {"a", "b"}
    for predictions in group.values():
        assert len(set(predictions.outcomes().patients)) == 30


def test_comparisons_are_sorted_by_pairs_of_runs(rng):
    pairs = [("a", "c"), ("b", "c"), ("a", "b"), ("a", "c")]
    blank = dict.fromkeys(("images", "mcnemar", "accuracy", "balanced_accuracy", "roc_auc"))
    compared = [
        Comparison(first=first, second=second, set=str(number), **blank)
        for number, (first, second) in enumerate(pairs)
    ]
    assert [pair.set for pair in in_order_of_runs(compared, "abc")] == ["2", "0", "3", "1"]
