import dataclasses

import numpy as np
import pytest

from cxr_models._typed_json import from_json, to_json
from cxr_models.evaluation.aggregate import aggregated, aggregated_sets
from cxr_models.evaluation.aggregate_findings import aggregated_findings, differing_units
from cxr_models.evaluation.any_task import (
    differing_labels,
    evaluate_any,
    joined,
    with_any_subgroups,
)
from cxr_models.evaluation.calibration import fit_temperature
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.findings_results import FindingsEvaluation
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.results import Aggregation
from tests.helpers.predicted import FINDINGS, make_finding_predictions, make_predictions
from tests.helpers.report_runs import change_records

PATIENTS = Aggregation(of="patient", by="mean")
HIGHEST = Aggregation(of="patient", by="max")
STUDIES = Aggregation(of="study", by="mean")


def predicted(rng, shares, targets, patients):
    """Make predictions of one finding from probabilities and labels."""
    shares = np.array(shares)[:, None]
    images = make_finding_predictions(
        rng,
        images=len(shares),
        shares=(0.5,),
        logits=np.log(shares) - np.log1p(-shares),
        probabilities=shares,
        targets=np.array(targets, np.int8)[:, None],
    )
    return change_records(images, lambda place, _: {"patient": patients[place], "source": "here"})


def test_probabilities_of_a_patient_worked_out_by_hand(rng):
    # Odds of 0.8 are 4, of 0.2 are 1/4, of 0.5 are 1: the mean of logits is the geometric mean.
    images = predicted(rng, [0.8, 0.2, 0.8, 0.5, 0.9], [1, 1, 0, 0, 1], "aabbc")
    mean = aggregated_findings(images, PATIENTS)
    np.testing.assert_allclose(mean.probabilities[:, 0], [0.5, 2 / 3, 0.9])
    highest = aggregated_findings(images, HIGHEST)
    np.testing.assert_allclose(highest.probabilities[:, 0], [0.8, 0.8, 0.9])
    for one in (mean, highest):
        assert one.targets[:, 0].tolist() == [1, 0, 1]
        assert [record.patient for record in one.manifest.records] == ["a", "b", "c"]
        assert one.joined_images == 5
    assert (mean.aggregation, highest.aggregation) == (PATIENTS, HIGHEST)
    assert aggregated_findings(mean, PATIENTS) is mean
    assert aggregated_findings(images, None) is images


@pytest.mark.parametrize(
    ("labels", "of_patient"),
    [
        ((1, 1), 1), ((1, 0), 1), ((0, 1), 1), ((1, -1), 1), ((-1, 1), 1),
        ((0, 0), 0), ((0, -1), 0), ((-1, 0), 0), ((-1, -1), -1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("aggregation", [PATIENTS, HIGHEST])
def test_a_patient_shows_what_one_image_is_known_to_show(rng, labels, of_patient, aggregation):
    images = predicted(rng, [0.3, 0.6], labels, "aa")
    assert aggregated_findings(images, aggregation).targets.tolist() == [[of_patient]]


def test_unknown_images_do_not_change_the_share_of_patients_with_a_finding(rng):
    # Of each patient all images are alike; a patient is known if one image is.
    present = rng.random(400) < 0.3
    targets = np.repeat(present, 3).astype(np.int8)
    targets[rng.random(1200) < 0.6] = -1
    shares = np.full(1200, 0.5)
    images = predicted(rng, shares, targets, [f"p{place // 3}" for place in range(1200)])
    found = aggregated_findings(images, PATIENTS).targets[:, 0]
    known = found != -1
    assert (found[known] == present[known]).all()
    assert known.mean() == pytest.approx(1 - 0.6**3, abs=0.05)
    assert (found[known] == 1).mean() == pytest.approx(present.mean(), abs=0.03)


def test_each_finding_has_the_highest_of_its_own_images(rng):
    images = make_finding_predictions(rng, images=40)
    found = aggregated_findings(images, HIGHEST)
    np.testing.assert_array_equal(found.logits, images.logits.reshape(20, 2, 3).max(axis=1))
    np.testing.assert_allclose(found.probabilities, sigmoid(found.logits))
    mean = aggregated_findings(images, PATIENTS)
    np.testing.assert_allclose(mean.logits, images.logits.reshape(20, 2, 3).mean(axis=1))


@pytest.mark.parametrize("aggregation", [PATIENTS, HIGHEST])
def test_a_finding_is_joined_as_two_classes_are(rng, aggregation):
    images = make_finding_predictions(rng, images=40, hidden=0.0)
    images = dataclasses.replace(images, targets=np.repeat(images.targets[::2], 2, axis=0))
    found = aggregated_findings(images, aggregation)
    for finding in FINDINGS:
        outcomes = images.outcomes(finding)
        two = found.outcomes(finding)
        shares = outcomes.probabilities.reshape(20, 2, 2)
        if aggregation.by == "max":
            expected = shares[:, :, 1].max(axis=1)
        else:
            product = np.sqrt(shares.prod(axis=1))
            expected = product[:, 1] / product.sum(axis=1)
        np.testing.assert_allclose(two.probabilities[:, 1], expected)
        assert (two.targets == outcomes.targets[::2]).all()


def test_records_of_units_are_those_of_classes(rng):
    def change(place, _):
        return {"study": f"s{place % 4 // 3}", "view": ("PA", "LATERAL")[place % 2]}

    images = change_records(make_finding_predictions(rng, images=40), change)
    classes = change_records(make_predictions(rng, labels=["covid"] * 40), change)
    for aggregation in (PATIENTS, STUDIES):
        of_findings = aggregated_findings(images, aggregation).manifest.records
        of_classes = aggregated(classes, aggregation).manifest.records
        assert [dataclasses.replace(one, label="covid") for one in of_findings] == list(of_classes)


def test_everything_is_chosen_and_computed_on_units_and_the_evaluation_says_so(rng):
    sets = [make_finding_predictions(rng, images=240, name=name) for name in ("val", "test")]
    method = Method(draws=100, aggregate=PATIENTS)
    evaluation = evaluate_any("run", sets, method)
    val, test = aggregated_sets(sets, PATIENTS)
    assert evaluation.aggregate == PATIENTS
    assert (evaluation.unit, evaluation.units) == ("patient", "patients")
    of_test = evaluation.sets["test"]
    assert (of_test.images, of_test.patients, of_test.joined_images) == (120, 120, 240)
    for k, finding in enumerate(FINDINGS):
        outcomes = val.outcomes(finding)
        temperature = fit_temperature(outcomes.logits, outcomes.targets).value
        assert evaluation.temperatures[finding] == temperature
        of = of_test.findings[finding]
        known = test.targets[:, k] != -1
        assert (of.images, of.present) == (known.sum(), (test.targets[:, k] == 1).sum())
    assert sum(group.images for group in of_test.by_view.values()) == 120
    assert from_json(FindingsEvaluation, to_json(evaluation)) == evaluation
    assert evaluate_any("run", [val, test], method) == evaluation  # joined before


def test_without_it_an_evaluation_says_nothing_of_it(rng):
    sets = [make_finding_predictions(rng, name=name) for name in ("val", "test")]
    stored = to_json(evaluate_any("run", sets, Method(draws=100)))
    assert "aggregate" not in stored
    assert "joined_images" not in stored["sets"]["test"]
    assert from_json(FindingsEvaluation, stored).unit == "image"


def test_groups_by_a_column_are_of_patients_where_images_are_joined(rng):
    images = [
        change_records(
            make_finding_predictions(rng, images=240, name=name),
            lambda place, _: {"sex": "FM"[place // 2 % 2]},
        )
        for name in ("val", "test")
    ]
    method = Method(draws=100, aggregate=HIGHEST)
    sets = joined(images, method.aggregate)
    evaluation = evaluate_any("run", sets, method)
    evaluation = with_any_subgroups(evaluation, sets, parse_columns("sex,finding:Mass"), method)
    by_sex, by_mass = evaluation.sets["test"].subgroups
    assert {name: group.images for name, group in by_sex.groups.items()} == {"F": 60, "M": 60}
    counts = [(sets[1].targets[:, 0] == target).sum() for target in (0, 1, -1)]
    assert [group.images for group in by_mass.groups.values()] == [n for n in counts if n]


def test_images_of_a_patient_that_differ_in_a_finding_are_counted_and_said(rng):
    images = predicted(rng, [0.5] * 7, [1, 0, 1, -1, 0, -1, 1], "aabbccc")
    assert differing_units(images, PATIENTS) == {"Mass": 2}
    assert list(differing_labels([images], PATIENTS)) == [
        "test: images with a finding and without it are of one patient (Mass 2); such a patient "
        "counts as with it, and has the mean of all its images"
    ]
    assert list(differing_labels([images], HIGHEST)) == []
    assert list(differing_labels([images], None)) == []
    alike = predicted(rng, [0.5] * 4, [1, -1, 0, 0], "aabb")
    assert differing_units(alike, PATIENTS) == {}
    assert list(differing_labels([alike], PATIENTS)) == []


def test_what_no_image_states_is_refused(rng):
    sets = [make_finding_predictions(rng, name=name) for name in ("val", "test")]
    with pytest.raises(ValueError, match="got 'study', which no image states"):
        joined(sets, STUDIES)
