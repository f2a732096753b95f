import dataclasses
import json

import numpy as np
import pytest

from cxr_models._typed_json import from_json, to_json
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.results import Evaluation
from cxr_models.evaluation.subgroups import lines_on_unstated, with_subgroups
from tests.helpers.predicted import CLASSES, make_predictions
from tests.helpers.report_runs import change_records

METHOD = Method(draws=100)


def person(place, _):
    """Give a patient of two images a sex and an age."""
    patient = place // 2
    return {"sex": "FM"[patient % 5 % 2], "age": f"{patient * 13 % 95:03d}Y"}


@pytest.fixture
def sets(rng):
    made = [make_predictions(rng, images=400, name=n) for n in ("train", "val", "test", "clinic")]
    return [change_records(predictions, person) for predictions in made]


def by(sets, text, method=METHOD):
    return with_subgroups(evaluate_sets("run", sets, method), sets, parse_columns(text), method)


def column(evaluation, name="test", place=0):
    return evaluation.sets[name].subgroups[place]


def test_the_values_of_groups_and_their_gaps_are_those_of_fairlearn(sets):
    pytest.importorskip("fairlearn", reason="fairlearn is not installed")
    from fairlearn.metrics import MetricFrame
    from sklearn import metrics

    evaluation = by(sets, "sex,age")
    test = sets[2]
    true = np.array([record.label for record in test.manifest.records])
    said = np.array(CLASSES)[test.probabilities.argmax(axis=1)]
    scores = softmax(test.logits, evaluation.calibration.temperature)
    for place, name in enumerate(("sex", "age")):
        found = column(evaluation, place=place)
        groups = [
            next(band for band in found.groups if band in _band(getattr(record, name)))
            for record in test.manifest.records
        ]
        gaps = {(gap.value, gap.label): gap.difference.value for gap in found.gaps}
        frame = MetricFrame(
            metrics=metrics.accuracy_score, y_true=true, y_pred=said, sensitive_features=groups
        )
        expected = frame.by_group.to_dict()
        assert expected.keys() == found.groups.keys()
        for group, value in expected.items():
            assert found.groups[group].overall.accuracy.value == pytest.approx(value)
        assert gaps["accuracy", ""] == pytest.approx(frame.difference())
        for k, label in enumerate(CLASSES):
            threshold = evaluation.operating_points.thresholds[label]
            frame = MetricFrame(
                metrics={
                    "sensitivity": metrics.recall_score,
                    "specificity": lambda t, p: metrics.recall_score(t, p, pos_label=0),
                },
                y_true=(true == label).astype(int),
                y_pred=(scores[:, k] >= threshold).astype(int),
                sensitive_features=groups,
            )
            areas = MetricFrame(
                metrics=metrics.roc_auc_score,
                y_true=(true == label).astype(int),
                y_pred=scores[:, k],
                sensitive_features=groups,
            )
            for group, values in found.groups.items():
                of_class = values.classes[label]
                expected = frame.by_group.loc[group]
                point = of_class.operating_point
                assert point.sensitivity.value == pytest.approx(expected["sensitivity"])
                assert point.specificity.value == pytest.approx(expected["specificity"])
                assert of_class.roc_auc.value == pytest.approx(areas.by_group[group])
            for value in ("sensitivity", "specificity"):
                assert gaps[value, label] == pytest.approx(frame.difference()[value])
            assert gaps["roc_auc", label] == pytest.approx(areas.difference())


def _band(value):
    years = int(value[:-1]) if value[:-1] else None
    if years is None:
        return [value]
    return [
        ["0-17", "18-39", "40-59", "60-79", "80+"][
            np.searchsorted([18, 40, 60, 80], years, "right")
        ]
    ]


def test_groups_have_the_values_and_intervals_of_their_images_alone(sets):
    evaluation = by(sets, "source")
    for name in ("test", "clinic"):
        found, alone = column(evaluation, name), evaluation.sets[name].by_source
        assert found.groups == alone
        assert found.groups["here"].overall.accuracy.interval is not None


def test_sets_that_the_run_was_trained_or_chosen_on_have_no_groups(sets):
    evaluation = by(sets, "sex")
    assert [name for name, values in evaluation.sets.items() if values.subgroups] == [
        "test",
        "clinic",
    ]


def test_cells_below_ten_patients_are_empty_with_the_reason(sets):
    few = change_records(sets[2], lambda place, _: {"sex": "F" if place < 38 else "M"})
    found = column(by([*sets[:2], few], "sex"))
    women = found.groups["F"]
    assert (women.images, women.patients) == (38, 19)
    assert women.overall.accuracy.value is not None  # of 19 patients
    covid = women.classes["covid"]  # of 7 patients, 12 are of other classes
    assert covid.roc_auc.value is covid.operating_point.sensitivity.value is None
    assert covid.roc_auc.reason == "7 patients of the class concerned, fewer than 10"
    assert covid.operating_point.specificity.value is not None
    assert women.overall.macro_roc_auc.value is None
    gaps = {(gap.value, gap.label): gap for gap in found.gaps}
    assert gaps["accuracy", ""].difference.value is not None
    gap = gaps["roc_auc", "covid"]
    assert gap.best == gap.worst == ""
    assert "fewer than two groups have this value" in gap.difference.reason


def test_a_group_of_fewer_than_ten_patients_has_counts_and_no_value(sets):
    few = change_records(sets[2], lambda place, _: {"sex": "F" if place < 18 else "M"})
    women = column(by([*sets[:2], few], "sex")).groups["F"]
    assert (women.images, women.patients, women.labels["covid"]) == (18, 9, 6)
    values = to_json(women.overall)
    assert {name: told["value"] for name, told in values.items()} == dict.fromkeys(values)
    assert women.overall.accuracy.reason == "9 patients of the class concerned, fewer than 10"


def test_images_whose_value_is_not_stated_are_a_group_and_take_no_part_in_gaps(sets):
    wrong = np.zeros_like(sets[2].logits)
    wrong[:, 0] = [-9.0 if r.label == "covid" else 9.0 for r in sets[2].manifest.records]
    unknown = np.arange(400) % 100 < 30
    logits = np.where(unknown[:, None], wrong, sets[2].logits)
    test = dataclasses.replace(sets[2], logits=logits, probabilities=softmax(logits))
    test = change_records(test, lambda place, r: {"sex": "" if unknown[place] else r.sex})
    found = column(by([*sets[:2], test], "sex"))
    assert list(found.groups) == ["F", "M", "not stated"]
    assert found.groups["not stated"].overall.accuracy.value == 0.0
    assert {gap.worst for gap in found.gaps} <= {"F", "M"}


def test_a_set_that_does_not_state_a_column_has_no_groups_by_it(sets):
    clinic = change_records(sets[3], lambda *_: {"sex": ""})
    evaluation = by([*sets[:3], clinic], "sex,age")
    assert [found.column for found in evaluation.sets["clinic"].subgroups] == ["age"]
    assert list(lines_on_unstated([*sets[:3], clinic], parse_columns("sex,age"))) == [
        "clinic: no image states sex, so the set has no groups by it"
    ]


def test_groups_are_json_and_files_without_them_are_read(sets):
    evaluation = by(sets, "age:50,view")
    text = json.dumps(to_json(evaluation), allow_nan=False)
    assert from_json(Evaluation, json.loads(text)) == evaluation
    assert column(evaluation).edges == (50.0,)
    assert list(column(evaluation).groups) == ["0-49", "50+"]
    plain = evaluate_sets("run", sets, METHOD)
    assert "subgroups" not in json.dumps(to_json(plain))
    assert from_json(Evaluation, to_json(plain)) == plain
    assert by(sets, "age:50,view") == evaluation  # the same for the same seed
