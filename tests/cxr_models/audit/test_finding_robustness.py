import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.metrics import roc_auc_score

from cxr_models.audit.finding_robustness import compare_perturbed_findings
from cxr_models.audit.findings_results import FindingAreas, PerturbedFindings
from cxr_models.audit.robustness import Changed
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_statistics import outcomes_of
from cxr_models.evaluation.results import Measured
from tests.helpers.predicted import FINDINGS, make_finding_predictions

METHOD = Method(draws=200)


def compared(predictions, **logits):
    changed = [Changed(name, name.title(), values) for name, values in logits.items()]
    return compare_perturbed_findings(outcomes_of(predictions), changed, METHOD)


def test_areas_and_differences_are_those_of_scikit_learn_over_known_labels(rng):
    predictions = make_finding_predictions(rng, images=240)
    noisy = predictions.logits + rng.normal(0, 1.5, predictions.logits.shape)
    result = compared(predictions, noise=noisy)
    (row,) = result.perturbed
    assert (row.name, row.title, result.over, result.left_out) == ("noise", "Noise", FINDINGS, {})
    areas = []
    for k, finding in enumerate(FINDINGS):
        known = predictions.targets[:, k] != -1
        true = predictions.targets[known, k]
        before = roc_auc_score(true, predictions.logits[known, k])
        after = roc_auc_score(true, noisy[known, k])
        areas.append((before, after))
        assert result.unperturbed.roc_auc[finding].value == pytest.approx(before)
        assert row.roc_auc[finding].value == pytest.approx(after)
        difference = row.differences.roc_auc[finding]
        assert difference.value == pytest.approx(after - before)
        assert difference.interval[0] < difference.value < difference.interval[1]
    before, after = np.mean(areas, axis=0)
    assert result.unperturbed.mean_roc_auc.value == pytest.approx(before)
    assert row.mean_roc_auc.value == pytest.approx(after)
    assert row.differences.mean_roc_auc.value == pytest.approx(after - before)
    worst = min(range(3), key=lambda k: areas[k][1] - areas[k][0])
    assert row.falls_most() == (FINDINGS[worst], row.differences.roc_auc[FINDINGS[worst]])


def test_images_of_unknown_label_change_nothing_of_their_finding(rng):
    predictions = make_finding_predictions(rng, images=120)
    elsewhere = np.where(predictions.targets == -1, 50.0, predictions.logits)
    result = compared(predictions, unknown=elsewhere)
    (row,) = result.perturbed
    assert row.roc_auc == result.unperturbed.roc_auc
    assert row.differences.mean_roc_auc.value == 0.0
    assert "all draws give the same value" in row.differences.mean_roc_auc.reason
    assert row.falls_most() is None


def test_a_finding_without_a_known_label_has_no_area_and_is_left_out_of_the_mean(rng):
    predictions = make_finding_predictions(rng, images=120)
    targets = predictions.targets.copy()
    targets[:, 1] = -1
    targets[:, 2] = np.where(targets[:, 2] == 1, -1, targets[:, 2])
    result = compared(dataclasses.replace(predictions, targets=targets), same=predictions.logits)
    assert result.over == ("Mass",)
    assert list(result.left_out) == ["Effusion", "Hernia"]
    areas = result.unperturbed.roc_auc
    assert areas["Effusion"].reason == "no image whose label is known"
    assert areas["Hernia"].reason == "no image that shows it"
    assert result.unperturbed.mean_roc_auc.value == areas["Mass"].value


def test_the_finding_that_falls_most_is_none_where_none_falls():
    def measured(value):
        return Measured(value=value, interval=None, reason="made up")

    def row(**areas):
        differences = {name: measured(value) for name, value in areas.items()}
        of = FindingAreas(mean_roc_auc=measured(None), roc_auc=differences)
        return PerturbedFindings(
            name="a", title="A", mean_roc_auc=of.mean_roc_auc, roc_auc={}, differences=of
        )

    assert row(Mass=-0.1, Hernia=-0.2, Effusion=None).falls_most()[0] == "Hernia"
    assert row(Mass=0.1, Hernia=0.0).falls_most() is None
    assert row(Mass=None).falls_most() is None
