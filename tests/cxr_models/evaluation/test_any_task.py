"""A finding that is known of every image, and the same images told apart as two classes."""

import numpy as np
import pytest

from cxr_models.evaluation.any_task import evaluate_any, with_any_subgroups
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.foreign_predictions import read_foreign
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.several_runs import several_runs
from tests.helpers.foreign_tables import write_csv

METHOD = Method(draws=100, prevalences=(0.01, 0.2), specificities=(0.9,))
SEARCHED = 1e-6  # a temperature is searched for: its last digits depend on rounding


@pytest.fixture
def twins(tmp_path, rng):
    """Two models on the same images of up to six a patient, by task: sets, and evaluations."""
    patients = rng.integers(0, 220, 500)
    ill = rng.random(500) < 0.35
    sexes = np.array(["F", "M", ""])[rng.integers(0, 3, 220)][patients]
    sets, evaluations = {}, {}
    for model in ("mine", "theirs"):
        shares = np.round(np.clip(0.3 + 0.3 * ill + rng.normal(0, 0.2, 500), 0.01, 0.99), 2)
        for task in ("classes", "findings"):
            column, words = (
                ("label", ("no TB", "TB")) if task == "classes" else ("finding:TB", "01")
            )
            rows = [
                {
                    "file": f"{i}.png",
                    "patient": f"p{patient}",
                    "part": "test" if patient % 3 else "val",
                    "sex": sexes[i],
                    column: words[int(ill[i])],
                    "prob:TB": shares[i],
                }
                for i, patient in enumerate(patients)
            ]
            of_run = read_foreign(write_csv(tmp_path / f"{model}-{task}.csv", rows)).sets
            evaluation = evaluate_any(model, of_run, METHOD)
            evaluation = with_any_subgroups(evaluation, of_run, parse_columns("sex"), METHOD)
            sets.setdefault(task, {})[model] = of_run
            evaluations.setdefault(task, {})[model] = evaluation
    return sets, evaluations


def same(one, other):
    """Assert that two measured values and their intervals are the same."""
    assert one.value == pytest.approx(other.value, rel=SEARCHED)
    assert one.interval == pytest.approx(other.interval, rel=SEARCHED)
    assert (one.reason, one.remark) == (other.reason, other.remark)


def test_a_finding_that_is_known_of_every_image_has_the_values_of_a_class(twins):
    _, evaluations = twins
    classes, findings = (evaluations[task]["mine"] for task in ("classes", "findings"))
    assert findings.calibration["TB"].temperature == pytest.approx(
        classes.calibration.temperature, rel=SEARCHED
    )
    one, other = classes.sets["test"], findings.sets["test"]
    groups = [(one, other)]
    groups += [(one.subgroups[0].groups[n], other.subgroups[0].groups[n]) for n in ("F", "M")]
    for of_class, of_finding in ((a.classes["TB"], b.findings["TB"]) for a, b in groups):
        for name in ("roc_auc", "pr_auc"):
            same(getattr(of_class, name), getattr(of_finding, name))
        for name in ("sensitivity", "specificity", "precision"):
            same(*(getattr(a.operating_point, name) for a in (of_class, of_finding)))
    same(one.clinic["TB"].brier, other.findings["TB"].brier_calibrated)
    one, other = one.clinic["TB"], other.clinic["TB"]
    for name in (
        "positive_likelihood_ratio",
        "negative_likelihood_ratio",
        "mcc",
        "brier",
        "calibration_slope",
        "calibration_intercept",
    ):
        same(getattr(one, name), getattr(other, name))
    for first, second in zip(one.predictive_values, other.predictive_values, strict=True):
        same(first.positive, second.positive)
        same(first.negative, second.negative)
    same(one.at_specificity[0].sensitivity, other.at_specificity[0].sensitivity)
    np.testing.assert_allclose(
        one.decision_curve.net_benefit, other.decision_curve.net_benefit, atol=SEARCHED
    )


def test_two_models_differ_in_a_finding_as_they_do_in_a_class(twins):
    sets, evaluations = twins
    (classes,), (findings,) = (
        several_runs(evaluations[task], sets[task], METHOD, {}).comparisons
        for task in ("classes", "findings")
    )
    one, other = classes.roc_auc["TB"], findings.findings["TB"]
    assert one.areas == pytest.approx(other.areas)
    assert (one.z, one.p_value) == pytest.approx((other.z, other.p_value), rel=SEARCHED)
    assert one.interval == pytest.approx(other.interval, rel=SEARCHED)
