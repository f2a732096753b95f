import dataclasses

import pytest

from cxr_models.evaluation.clinic import clinic_values
from cxr_models.evaluation.finding_clinic import finding_clinic_values
from cxr_models.evaluation.finding_statistics import outcomes_of
from cxr_models.report.read.clinic import clinic_agrees, finding_clinic_agrees
from tests.helpers.predicted import make_finding_predictions, make_outcomes


@pytest.fixture
def outcomes(rng):
    return make_outcomes(rng, thresholds=(0.3, 0.4, 0.35))


@pytest.fixture
def stored(outcomes):
    cuts = [(0.9, (0.5, 0.5, None))]
    return clinic_values(outcomes, prevalences=(0.1,), at_specificity=cuts, draws=100)


def test_values_agree_with_the_outcomes_that_they_were_computed_from(outcomes, stored):
    assert clinic_agrees(outcomes, stored, 1e-6)
    own = clinic_values(outcomes, draws=100)
    assert clinic_agrees(outcomes, own, 1e-6)


def test_a_changed_value_is_noticed_and_a_changed_interval_believed(outcomes, stored):
    brier = stored["covid"].brier
    for change, agrees in (
        ({"brier": dataclasses.replace(brier, value=brier.value + 1e-3)}, False),
        ({"brier": dataclasses.replace(brier, interval=(0.0, 1.0))}, True),
        ({"mcc": dataclasses.replace(brier, value=None, reason="none")}, False),
        ({"threshold": 0.31}, False),
        ({"at_specificity": ()}, False),
        ({"decision_curve": None}, False),
    ):
        changed = {**stored, "covid": dataclasses.replace(stored["covid"], **change)}
        assert clinic_agrees(outcomes, changed, 1e-6) == agrees, change
    del stored["virus"]
    assert not clinic_agrees(outcomes, stored, 1e-6)


def test_the_values_of_findings_are_held_against_their_table_too(rng):
    predictions = make_finding_predictions(rng)
    targets = predictions.targets.copy()
    targets[:, 1] = -1  # a finding of which nothing is known has no values
    predictions = dataclasses.replace(predictions, targets=targets)
    outcomes = outcomes_of(predictions, (1.2, 1.0, 0.8), (0.4, None, 0.6))
    cuts = [(0.9, {"Mass": 0.5, "Effusion": None, "Hernia": None})]
    for asked in ({"prevalences": (0.1,), "at_specificity": cuts}, {}):
        stored = finding_clinic_values(outcomes, draws=100, **asked)
        assert list(stored) == ["Mass", "Hernia"]
        assert finding_clinic_agrees(outcomes, stored, 1e-6)
        mass = stored["Mass"]
        moved = dataclasses.replace(mass.brier, value=mass.brier.value + 1e-3)
        wider = dataclasses.replace(mass.brier, interval=(0.0, 1.0))
        for brier, agrees in ((moved, False), (wider, True)):
            changed = {**stored, "Mass": dataclasses.replace(mass, brier=brier)}
            assert finding_clinic_agrees(outcomes, changed, 1e-6) == agrees
        assert not finding_clinic_agrees(outcomes, {"Mass": mass}, 1e-6)
        assert not finding_clinic_agrees(outcomes, {}, 1e-6)
