import dataclasses
import json
import math

import numpy as np
import pytest

from cxr_models._typed_json import from_json, to_json
from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.evaluate import Method, select
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_subgroups import with_finding_subgroups
from cxr_models.evaluation.findings import evaluate_findings
from cxr_models.evaluation.findings_results import FindingsEvaluation
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.prediction_tables import Origin
from cxr_models.evaluation.subgroup_gaps import gaps_between
from cxr_models.evaluation.subgroups import class_measurements, lines_on_unstated
from tests.helpers.predicted import FINDINGS, make_finding_predictions
from tests.helpers.report_runs import change_records

METHOD = Method(draws=100)
VALUES = ("roc_auc", "sensitivity", "specificity")


def person(place, _):
    """Give a patient of two images a sex and an age."""
    patient = place // 2
    return {"sex": "FM"[patient % 5 % 2], "age": f"{patient * 13 % 95:03d}Y"}


@pytest.fixture
def sets(rng):
    names = "train", "val", "test", "clinic"
    made = [make_finding_predictions(rng, images=400, name=name) for name in names]
    return [change_records(predictions, person) for predictions in made]


def by(sets, text, method=METHOD):
    evaluation = evaluate_findings("run", sets, method)
    return with_finding_subgroups(evaluation, sets, parse_columns(text), method)


def column(evaluation, name="test", place=0):
    return evaluation.sets[name].subgroups[place]


def gaps_of(subgroups):
    return {(gap.value, gap.label): gap for gap in subgroups.gaps}


def values_of(of):
    point = of.operating_point
    return of.roc_auc, point.sensitivity, point.specificity


def test_values_of_known_labels_and_their_gaps_are_those_of_fairlearn(sets):
    pytest.importorskip("fairlearn", reason="fairlearn is not installed")
    from fairlearn.metrics import MetricFrame
    from sklearn import metrics

    evaluation = by(sets, "sex,age")
    test = sets[2]
    bands = np.array(["0-17", "18-39", "40-59", "60-79", "80+"])
    ages = [int(record.age[:-1]) for record in test.manifest.records]
    features = {
        "sex": np.array([record.sex for record in test.manifest.records]),
        "age": bands[np.searchsorted([18, 40, 60, 80], ages, "right")],
    }
    for place, name in enumerate(features):
        found = column(evaluation, place=place)
        gaps = gaps_of(found)
        for k, finding in enumerate(FINDINGS):
            known = test.targets[:, k] != -1
            true, groups = test.targets[known, k], features[name][known]
            scores = sigmoid(test.logits[known, k] / evaluation.temperatures[finding])
            called = scores >= evaluation.operating_points.thresholds[finding]
            areas = MetricFrame(
                metrics=metrics.roc_auc_score,
                y_true=true,
                y_pred=scores,
                sensitive_features=groups,
            )
            shares = MetricFrame(
                metrics={
                    "sensitivity": metrics.recall_score,
                    "specificity": lambda t, p: metrics.recall_score(t, p, pos_label=0),
                },
                y_true=true,
                y_pred=called.astype(int),
                sensitive_features=groups,
            )
            assert set(found.groups) == set(areas.by_group.index)
            filled = True
            for group, values in found.groups.items():
                of, chosen = values.findings[finding], groups == group
                assert (of.images, of.present) == (chosen.sum(), true[chosen].sum())
                expected = (areas.by_group[group], *shares.by_group.loc[group, list(VALUES[1:])])
                for measured, value in zip(values_of(of), expected, strict=True):
                    filled = filled and measured.value is not None
                    assert measured.value is None or measured.value == pytest.approx(value)
            if filled:  # fairlearn's gaps are of all groups, those of few patients included
                assert gaps["roc_auc", finding].difference.value == pytest.approx(
                    areas.difference()
                )
                for value in VALUES[1:]:
                    difference = gaps[value, finding].difference.value
                    assert difference == pytest.approx(shares.difference()[value])
            assert filled or name == "age"


def test_groups_have_the_values_and_intervals_of_their_images_alone(sets):
    evaluation = by(sets, "source")
    for name in ("test", "clinic"):
        alone = evaluation.sets[name].by_source
        assert column(evaluation, name).groups == alone
        assert alone["here"].findings["Mass"].roc_auc.interval is not None


def test_the_gaps_of_a_finding_are_those_of_two_classes_over_its_known_images(sets):
    found = by(sets, "sex")
    test, gaps = sets[2], gaps_of(column(found))
    for finding in FINDINGS:
        outcomes = test.outcomes(
            finding,
            temperature=found.temperatures[finding],
            threshold=found.operating_points.thresholds[finding],
        )
        known = test.known(finding)
        sexes = [test.manifest.records[row].sex for row in known]
        places = np.array(["FM".index(sex) for sex in sexes])
        measurements = {
            place: measure(ImageStatistics(select(outcomes, places == place)), draws=100)
            for place in (0, 1)
        }
        groups = class_measurements(outcomes, places, ("F", "M"), measurements)
        of_classes = {(g.value, g.label): g for g in gaps_between(groups, METHOD)}
        for value in VALUES:
            gap, other = gaps[value, finding], of_classes[value, finding]
            assert (gap.best, gap.worst) == (other.best, other.worst)
            assert gap.difference.value == pytest.approx(other.difference.value)
            assert gap.chance.p_value == other.chance.p_value
            assert gap.chance.high == pytest.approx(other.chance.high)


@pytest.mark.parametrize("by_column", ["sex", "view"])  # of other patients, and of the same
def test_the_gaps_of_a_later_finding_without_a_temperature_are_those_of_it_alone(sets, by_column):
    foreign = Origin(weights_sha256="", config_sha256="", records_sha256="r", inputs="i")
    views = change_records(sets[2], lambda place, _: {"view": ("PA", "AP")[place % 2]})
    test = dataclasses.replace(views, origin=foreign)
    together = gaps_of(column(by([test], by_column)))
    for k, finding in enumerate(FINDINGS):
        alone = dataclasses.replace(
            test,
            findings=(finding,),
            targets=test.targets[:, [k]],
            logits=test.logits[:, [k]],
            probabilities=test.probabilities[:, [k]],
        )
        gaps = gaps_of(column(by([alone], by_column)))
        assert gaps == {key: gap for key, gap in together.items() if key[1] == finding}


def test_the_interval_of_a_gap_is_made_of_the_intervals_shown_for_its_groups(sets):
    found = column(by(sets, "sex"))
    for gap in found.gaps:
        place = VALUES.index(gap.value)
        best, worst = (
            values_of(found.groups[group].findings[gap.label])[place]
            for group in (gap.best, gap.worst)
        )
        below = math.hypot(best.value - best.interval[0], worst.interval[1] - worst.value)
        above = math.hypot(best.interval[1] - best.value, worst.value - worst.interval[0])
        difference = best.value - worst.value
        assert gap.difference.interval == pytest.approx((difference - below, difference + above))


def test_a_difference_that_was_planted_in_one_finding_is_its_gap_alone(sets):
    def blunted(predictions):
        women = np.array([record.sex == "F" for record in predictions.manifest.records])
        logits = predictions.logits.copy()
        logits[women, 0] = np.where(np.arange(women.sum()) % 2, 1.0, -1.0)  # says nothing
        return dataclasses.replace(predictions, logits=logits, probabilities=sigmoid(logits))

    gaps = gaps_of(column(by([*sets[:2], blunted(sets[2])], "sex")))
    planted = gaps["roc_auc", "Mass"]
    assert (planted.best, planted.worst) == ("M", "F")
    assert planted.difference.interval[0] > 0.1
    assert planted.chance.p_value == pytest.approx(1 / 101)
    assert gaps["roc_auc", "Effusion"].chance.p_value > 0.05


def test_images_of_unknown_labels_change_no_value_of_a_finding(sets):
    test = sets[2]
    logits = np.where(test.targets == -1, 5.0 - test.logits, test.logits)
    other = dataclasses.replace(test, logits=logits, probabilities=sigmoid(logits))
    assert column(by([*sets[:2], other], "sex,age")) == column(by(sets[:3], "sex,age"))


def test_cells_below_ten_patients_of_the_finding_are_empty_with_the_reason(sets):
    targets = sets[2].targets.copy()
    targets[:, 0] = np.where(np.arange(400) < 12, 1, 0)  # six patients with it, all of them women
    few = change_records(sets[2], lambda place, _: {"sex": "F" if place < 60 else "M"})
    few = dataclasses.replace(few, targets=targets)
    found = column(by([*sets[:2], few], "sex"))
    women, men = (found.groups[sex].findings["Mass"] for sex in "FM")
    assert (women.images, women.present, women.patients, women.patients_present) == (60, 12, 30, 6)
    assert women.roc_auc.value is women.operating_point.sensitivity.value is None
    assert women.roc_auc.reason == "6 patients of the class concerned, fewer than 10"
    assert women.operating_point.specificity.value is not None  # of 24 patients without it
    assert men.roc_auc.reason == "no image that shows it"
    gaps = gaps_of(found)
    assert gaps["roc_auc", "Mass"].best == gaps["roc_auc", "Mass"].worst == ""
    assert "fewer than two groups have this value" in gaps["roc_auc", "Mass"].difference.reason
    assert gaps["specificity", "Mass"].difference.value is not None


def test_a_finding_without_a_known_label_or_an_operating_point_has_no_gap(sets):
    targets = sets[2].targets.copy()
    targets[:, 0] = -1
    unknown = dataclasses.replace(sets[2], targets=targets)
    val = dataclasses.replace(sets[1], targets=np.where(sets[1].targets == -1, -1, 1).astype("i1"))
    found = column(by([sets[0], val, unknown], "sex"))
    gaps = gaps_of(found)
    assert [key for key in gaps if key[1] == "Mass"] == [("roc_auc", "Mass")]
    assert gaps["roc_auc", "Mass"].difference.value is None
    assert found.groups["F"].findings["Mass"].images == 0
    assert gaps["roc_auc", "Effusion"].difference.value is not None


def test_patients_with_images_in_two_groups_are_compared_within_them(sets):
    views = change_records(sets[2], lambda place, _: {"view": ("PA", "AP")[place % 2]})
    targets, logits = sets[2].targets.copy(), sets[2].logits.copy()
    targets[1::2], logits[1::2] = targets[::2], logits[::2]  # both views of a patient are alike
    shares = sigmoid(logits)
    twice = dataclasses.replace(views, targets=targets, logits=logits, probabilities=shares)
    gap = gaps_of(column(by([*sets[:2], twice], "view")))["roc_auc", "Mass"]
    low, high = gap.difference.interval
    assert high - low < 0.05
    apart = gaps_of(column(by(sets[:3], "sex")))["roc_auc", "Mass"]
    assert apart.difference.interval[1] - apart.difference.interval[0] > 0.1


def test_groups_by_a_finding_are_those_of_the_labels_that_were_evaluated(sets):
    def uncertain(place, record):
        return {"findings": (("Mass", "u"), ("Hernia", "u"), ("Nodule", "1"))}

    test = change_records(sets[2], uncertain)
    found = column(by([*sets[:2], test], "finding:Hernia"))
    counts = {"0": (test.targets[:, 2] == 0).sum(), "1": (test.targets[:, 2] == 1).sum()}
    counts["not stated"] = (test.targets[:, 2] == -1).sum()
    assert {name: group.images for name, group in found.groups.items()} == counts
    assert gaps_of(found)["roc_auc", "Mass"].difference.value is not None
    assert list(lines_on_unstated([test], parse_columns("finding:Hernia,finding:Nodule"))) == []


def test_sets_that_the_run_was_trained_or_chosen_on_have_no_groups(sets):
    clinic = change_records(sets[3], lambda *_: {"sex": ""})
    evaluation = by([*sets[:3], clinic], "sex,age")
    columns = {
        name: [found.column for found in values.subgroups]
        for name, values in evaluation.sets.items()
    }
    assert columns == {"train": [], "val": [], "test": ["sex", "age"], "clinic": ["age"]}


def test_groups_are_json_and_files_without_them_are_read(sets):
    evaluation = by(sets, "age:50,view")
    text = json.dumps(to_json(evaluation), allow_nan=False)
    assert from_json(FindingsEvaluation, json.loads(text)) == evaluation
    assert list(json.loads(text)["sets"]["test"]["subgroups"][0]) == [
        "column", "edges", "groups", "gaps",
    ]  # fmt: skip
    plain = evaluate_findings("run", sets, METHOD)
    assert "subgroups" not in json.dumps(to_json(plain))
    assert from_json(FindingsEvaluation, to_json(plain)) == plain
    assert by(sets, "age:50,view") == evaluation  # the same for the same seed
