import dataclasses

import numpy as np
import pytest

from cxr_models.audit.robustness import Changed, compare_perturbed, some_images
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.metrics import Outcomes
from cxr_models.records.manifest import Record
from tests.helpers.predicted import make_outcomes

METHOD = Method(draws=200)


def compared(outcomes, **logits):
    changed = [Changed(name, name.title(), values) for name, values in logits.items()]
    return compare_perturbed(outcomes, changed, METHOD)


def test_values_and_differences_are_those_counted_by_hand():
    # Ten patients of one image each: the run is right of 8; changed, it is right of 5.
    targets = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    said = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0])
    said_changed = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, 0])

    def logits(classes):
        return np.stack([classes == 0, classes == 1], axis=1) * 2.0

    outcomes = Outcomes(
        class_names=("normal", "covid"),
        targets=targets,
        logits=logits(said),
        probabilities=softmax(logits(said)),
        patients=np.arange(10),
    )
    whole, (row,) = compared(outcomes, darker=logits(said_changed))
    assert (row.name, row.title) == ("darker", "Darker")
    assert whole.accuracy.value == 0.8
    assert row.accuracy.value == 0.5
    assert row.balanced_accuracy.value == 0.5
    assert row.changed.value == pytest.approx(0.3)  # images 3, 7 and 8
    assert row.differences.accuracy.value == pytest.approx(-0.3)
    assert row.differences.balanced_accuracy.value == pytest.approx(-0.3)
    # Of 25 pairs: 16 in order and 8 tied, then 6 in order and 13 tied.
    assert whole.macro_roc_auc.value == pytest.approx(0.8)
    assert row.macro_roc_auc.value == pytest.approx(0.5)
    assert row.differences.macro_roc_auc.value == pytest.approx(-0.3)
    low, high = row.changed.interval
    assert 0 < low < 0.3 < high < 1


def test_equal_predictions_change_nothing_and_say_so(rng):
    outcomes = make_outcomes(rng)
    whole, (row,) = compared(outcomes, same=outcomes.logits.copy())
    assert row.accuracy == whole.accuracy
    assert row.changed.value == 0.0
    assert row.changed.interval[0] == 0.0
    assert 0.0 < row.changed.interval[1] < 0.05  # rule of three: no more than 3 of the patients
    assert row.differences.accuracy.value == 0.0
    assert row.differences.accuracy.interval is None
    assert "all draws give the same value" in row.differences.accuracy.reason


def test_the_difference_is_of_pairs(rng):
    outcomes = make_outcomes(rng)
    one_less = outcomes.logits.copy()
    wrong = np.flatnonzero(outcomes.predicted == outcomes.targets)[:6]
    one_less[wrong] = -one_less[wrong]
    whole, (row,) = compared(outcomes, one_less=one_less)
    low, high = row.differences.accuracy.interval
    alone = whole.accuracy.interval
    assert high - low < 0.5 * (alone[1] - alone[0])  # most of the spread is that of the images


def test_areas_are_of_the_calibrated_probabilities(rng):
    outcomes = dataclasses.replace(make_outcomes(rng), temperature=2.5)
    whole, (row,) = compared(outcomes, same=outcomes.logits.copy())
    raw, _ = compared(dataclasses.replace(outcomes, temperature=1.0), same=outcomes.logits)
    assert row.macro_roc_auc.value == whole.macro_roc_auc.value != raw.macro_roc_auc.value


def test_some_images_are_whole_patients_in_the_shares_of_the_labels():
    records = [
        Record(file=f"{i}.png", label="covid" if i % 4 < 2 else "normal", patient=str(i // 2))
        for i in range(200)
    ]
    places = some_images(records, 40, 3)
    assert places == sorted(set(places)) == some_images(records, 40, 3)
    assert len(places) == pytest.approx(40, abs=2)
    assert sum(records[p].label == "covid" for p in places) == pytest.approx(20, abs=2)
    taken = {records[p].patient for p in places}
    assert len(places) == 2 * len(taken)
    assert some_images(records, 40, 4) != places
    assert some_images(records, 200, 3) == some_images(records, 999, 3) == list(range(200))


def test_some_images_are_of_one_patient_at_least():
    records = [Record(file=f"{i}.png", label="ab"[i % 2], group="copies") for i in range(20)]
    assert some_images(records, 5, 0) == list(range(20))
    records = [
        Record(file=f"{i}.png", label="a", patient="few" if i < 9 else "many") for i in range(99)
    ]
    assert some_images(records, 1, 0) == list(range(9))
