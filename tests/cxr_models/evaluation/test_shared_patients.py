import dataclasses

import numpy as np
import pytest

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.compare_findings import compare_or_pool_findings
from cxr_models.evaluation.compare_runs import compare_or_pool
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.findings_results import FindingsComparison
from cxr_models.evaluation.shared_patients import with_shared_patients
from tests.helpers.predicted import make_finding_predictions, make_predictions
from tests.helpers.report_runs import change_records

METHOD = Method(draws=100)


def without_patients(predictions):
    return change_records(predictions, lambda *_: {"patient": "", "group": ""})


def groups_of(predictions):
    return [record.group for record in predictions.manifest.records]


def p_values_of(comparison):
    if isinstance(comparison, FindingsComparison):
        return [difference.p_value for difference in comparison.findings.values()]
    return [area.p_value for area in comparison.roc_auc.values()]


def test_images_of_one_patient_in_any_run_are_of_one_patient_in_all(rng):
    test = make_predictions(rng, 8)  # two images a patient
    first = change_records(
        without_patients(test), lambda i, _: {"group": "g" if i in (1, 2) else ""}
    )
    order = [5, 0, 1, 2, 3, 4, 6, 7]
    second = dataclasses.replace(
        test,
        manifest=dataclasses.replace(
            test.manifest, records=tuple(test.manifest.records[i] for i in order)
        ),
        logits=test.logits[order],
        probabilities=test.probabilities[order],
    )
    shared = with_shared_patients({"a": [first], "b": [second]})
    # 0 and 1, 2 and 3 by the second run's patients, 1 and 2 by the first one's group
    assert groups_of(shared["a"][0]) == ["tied-0"] * 4 + ["tied-4"] * 2 + ["tied-6"] * 2
    by_file = {r.file: r.group for r in shared["a"][0].manifest.records}
    assert groups_of(shared["b"][0]) == [by_file[r.file] for r in second.manifest.records]


def test_sets_stay_as_they_are_where_patients_are_equal_or_images_differ(rng):
    test, other = make_predictions(rng, 8), make_predictions(rng, 8)
    fewer = make_predictions(rng, 6, name="clinic")
    more = without_patients(make_predictions(rng, 8, name="clinic"))
    shared = with_shared_patients({"a": [test, fewer], "b": [other, more]})
    assert shared["a"] == [test, fewer]
    assert shared["b"] == [other, more]


@pytest.mark.parametrize("findings", [False, True])
def test_a_comparison_does_not_depend_on_which_run_states_the_patients(rng, findings):
    make, compare = (
        (make_finding_predictions, compare_or_pool_findings)
        if findings
        else (make_predictions, compare_or_pool)
    )
    val, test = make(rng, 160, name="val"), make(rng, 160)
    logits = test.logits + rng.normal(size=test.logits.shape)
    probabilities = (sigmoid if findings else softmax)(logits)
    changed = dataclasses.replace(test, logits=logits, probabilities=probabilities)
    known, full, poor = [val, test], [val, changed], [val, without_patients(changed)]
    (one,) = compare({"a": known, "b": full}, METHOD).comparisons
    (other,) = compare({"a": known, "b": poor}, METHOD).comparisons
    (turned,) = compare({"b": poor, "a": known}, METHOD).comparisons
    p_values = [p_values_of(comparison) for comparison in (one, other, turned)]
    np.testing.assert_allclose(p_values[1], p_values[0], rtol=1e-12)
    np.testing.assert_allclose(p_values[2], p_values[0], rtol=1e-9)
