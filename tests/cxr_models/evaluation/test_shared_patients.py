import dataclasses

import numpy as np
import pytest

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.compare_findings import compare_or_pool_findings
from cxr_models.evaluation.compare_runs import compare_or_pool
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.findings_results import FindingsComparison
from cxr_models.evaluation.prediction_tables import Origin
from cxr_models.evaluation.results import Aggregation
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


EITHER = pytest.mark.parametrize(
    ("make", "compare"),
    [(make_predictions, compare_or_pool), (make_finding_predictions, compare_or_pool_findings)],
    ids=["classes", "findings"],
)


def in_groups(predictions, source=""):
    """Replace the patient ids of a set by groups of two images, as an index names groups."""
    return change_records(
        predictions,
        lambda i, _: {"patient": "", "source": source, "group": f"g{i // 2:06d}"},
    )


@EITHER
@pytest.mark.parametrize("foreign", [False, True])
def test_equal_group_names_of_two_manifests_tie_no_images_of_pooled_runs(
    rng, make, compare, foreign
):
    origin = {}
    if foreign:  # of a table, whose folder of images is unknown
        empty = Origin(weights_sha256="", config_sha256="", records_sha256="r", inputs="i")
        origin = {"origin": empty}
    runs = {
        run: [
            change_records(
                in_groups(make(rng, 80, name=name, root=f"/{run}", **origin)),
                lambda _, record, run=run: {"file": f"{run}-{record.file}"},
            )
            for name in ("val", "test")
        ]
        for run in "ab"
    }
    pooled = compare(runs, METHOD).pooled
    assert (pooled.images, pooled.patients) == (160, 80)
    assert [run.patients for run in pooled.runs.values()] == [40, 40]


@EITHER
def test_file_names_that_joining_makes_groups_tie_no_patients_of_two_manifests(rng, make, compare):
    runs = {
        run: [
            change_records(
                make(rng, 80, name=name, root=f"/{run}"),
                lambda _, record, run=run: {"patient": f"{run}-{record.patient}"},
            )
            for name in ("val", "test")
        ]
        for run in "ab"
    }
    method = dataclasses.replace(METHOD, aggregate=Aggregation(of="patient", by="mean"))
    pooled = compare(runs, method).pooled
    assert (pooled.images, pooled.patients) == (80, 80)


@EITHER
def test_groups_of_one_manifest_tie_the_images_of_its_runs(rng, make, compare):
    first, second = in_groups(make(rng, 80), "a"), in_groups(make(rng, 80), "b")
    second = change_records(second, lambda _, record: {"file": f"other-{record.file}"})

    def as_val(predictions):  # the images of a source, except those tied to the other source
        rows = np.arange(20, 80)
        records = predictions.manifest.records
        names = ("logits", "probabilities", "targets")
        return dataclasses.replace(
            predictions,
            name="val",
            kind="val",
            manifest=dataclasses.replace(
                predictions.manifest, records=tuple(records[row] for row in rows)
            ),
            **{name: getattr(predictions, name)[rows] for name in names if hasattr(first, name)},
        )

    runs = {"without a": [as_val(second), first], "without b": [as_val(first), second]}
    assert compare(runs, METHOD).pooled.patients == 40
    renumbered = change_records(second, lambda i, _: {"group": f"g{i // 2 + 1:06d}"})
    runs["without b"][1] = renumbered  # of another manifest with the same images
    assert compare(runs, METHOD).pooled.patients == 80


@EITHER
def test_a_patient_of_two_manifests_is_one_patient_of_pooled_runs(rng, make, compare):
    runs = {
        run: [
            change_records(
                make(rng, 80, name=name, root=f"/{run}"),
                lambda i, _, run=run: {"patient": f"{run}-{i // 2}" if i < 60 else f"{i // 2}"},
            )
            for name in ("val", "test")
        ]
        for run in "ab"
    }
    assert compare(runs, METHOD).pooled.patients == 70
