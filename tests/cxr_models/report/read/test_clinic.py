import dataclasses

import pytest

from cxr_models.evaluation.clinic import clinic_values
from cxr_models.report.read.clinic import clinic_agrees
from tests.helpers.predicted import make_outcomes


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
