import dataclasses

import numpy as np
import pytest

from cxr_models._typed_json import from_json, to_json
from cxr_models.evaluation.aggregate import aggregated, aggregated_sets
from cxr_models.evaluation.any_task import joined
from cxr_models.evaluation.calibration import fit_temperature, softmax
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.results import Aggregation, Evaluation
from cxr_models.evaluation.subgroups import with_subgroups
from tests.helpers.predicted import CLASSES, make_predictions
from tests.helpers.report_runs import against_the_rest, change_records

PATIENTS = Aggregation(of="patient", by="mean")
STUDIES = Aggregation(of="study", by="mean")
ANY = Aggregation(of="patient", by="max")


def changed(predictions, **columns):
    """Give the records columns, a value for each; they are of one source unless told otherwise."""
    return change_records(
        predictions,
        lambda i, _: {"source": "here", **{name: str(v[i]) for name, v in columns.items()}},
    )


def binary(rng, labels, **columns):
    return changed(against_the_rest(make_predictions(rng, labels=labels)), **columns)


def test_a_patient_has_the_mean_of_the_logits_of_its_images(rng):
    images = make_predictions(rng)
    joined = aggregated(images, PATIENTS)
    assert len(joined.manifest.records) == 30
    assert (joined.aggregation, joined.joined_images) == (PATIENTS, 60)
    np.testing.assert_allclose(joined.logits, (images.logits[::2] + images.logits[1::2]) / 2)
    for temperature in (1.0, 2.5):  # joined before or after calibration: the same
        shares = softmax(images.logits, temperature)
        product = shares[::2] * shares[1::2]
        product = np.sqrt(product) / np.sqrt(product).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(softmax(joined.logits, temperature), product)
    labels = [record.label for record in images.manifest.records]
    assert [record.label for record in joined.manifest.records] == labels[::2]
    assert aggregated(joined, PATIENTS) is joined
    assert aggregated(images, None) is images


def test_units_are_in_the_order_of_their_first_images_wherever_the_others_lie(rng):
    names = ["b", "a", "b", "c", "a", "b"]
    images = changed(make_predictions(rng, labels=["covid"] * 6), patient=names)
    joined = aggregated(images, PATIENTS)
    assert [record.patient for record in joined.manifest.records] == ["b", "a", "c"]
    for row, rows in enumerate(([0, 2, 5], [1, 4], [3])):
        np.testing.assert_allclose(joined.logits[row], images.logits[rows].mean(axis=0))


def test_images_without_a_patient_or_study_are_units_of_their_own(rng):
    names = ["a", "", "unknown", "a", "", "b"]
    images = changed(make_predictions(rng, labels=["covid"] * 6), patient=names, study=names)
    for aggregation in (PATIENTS, STUDIES):
        assert len(aggregated(images, aggregation).manifest.records) == 5


def test_studies_are_those_of_their_patient_and_patients_those_of_their_source(rng):
    images = changed(
        make_predictions(rng, labels=["covid"] * 6),
        patient=["1", "1", "2", "2", "1", "1"],
        study=["s1", "s2", "s1", "s1", "s1", "s1"],
        source=["x", "x", "x", "x", "y", "y"],
    )
    rows = [[0], [1], [2, 3], [4, 5]]
    joined = aggregated(images, STUDIES)
    np.testing.assert_allclose(joined.logits, [images.logits[unit].mean(axis=0) for unit in rows])
    patients = aggregated(images, PATIENTS).logits
    rows = [[0, 1], [2, 3], [4, 5]]
    np.testing.assert_allclose(patients, [images.logits[unit].mean(axis=0) for unit in rows])


def test_units_are_tied_if_an_image_of_each_is_tied_to_a_third_unit(rng):
    images = changed(
        make_predictions(rng, labels=["covid"] * 5),
        patient=[""] * 5,
        study=["s1", "s2", "s2", "s3", "s4"],
        group=["a", "a", "b", "b", ""],  # s1 and s3 are tied to different images of s2
    )
    joined = aggregated(images, STUDIES)
    assert len(joined.manifest.records) == 4
    assert joined.outcomes().patients.tolist() == [0, 0, 0, 1]
    assert images.outcomes().patients.tolist() == [0, 0, 1, 1, 2]


def test_studies_of_unknown_patients_are_joined_unless_each_patient_numbers_its_own(rng):
    made = make_predictions(rng, labels=["covid"] * 8)
    studies = ["1", "1", "1", "1", "2", "2", "1", "1"]
    numbered = changed(
        made,
        patient=["a", "b", "", "unknown", "", "", "", ""],
        study=studies,
        source=["x"] * 6 + ["y"] * 2,
    )
    # the patients a and b of source x have a study 1 each; nothing is known of source y
    assert len(aggregated(numbered, STUDIES).manifest.records) == 7
    unique = changed(made, patient=["a", "a", "", "", "", "", "", ""], study=studies)
    assert len(aggregated(unique, STUDIES).manifest.records) == 3


def test_by_max_a_patient_is_the_image_most_like_the_second_class(rng):
    labels = ["normal", "covid", "normal", "normal", "covid", "covid"]
    images = binary(rng, labels, patient=list("aabbcc"))
    joined = aggregated(images, ANY)
    of_covid = images.probabilities[:, 1].reshape(3, 2)
    np.testing.assert_allclose(joined.probabilities[:, 1], of_covid.max(axis=1))
    assert joined.outcomes().targets.tolist() == [1, 0, 1]
    assert [record.label for record in joined.manifest.records] == ["covid", "normal", "covid"]


def test_by_mean_images_of_two_classes_are_refused_and_named(rng):
    labels = ["normal", "covid", "normal", "virus"]
    images = binary(rng, labels, patient=list("aabb"))
    with pytest.raises(ValueError, match="`aggregate` must join images of one class") as refused:
        aggregated(images, PATIENTS)
    assert str(refused.value) == (
        "`aggregate` must join images of one class; got not covid for 'test/0.png' and covid for "
        "'test/1.png' of test, images of one patient. Join them by max, so that a patient is covid "
        "if one image is, or join the images of each study, if labels change from study to study."
    )
    # Two labels of one class are no contradiction: against covid, normal and virus are alike.
    alike = changed(images, patient=list("abcc"))
    assert len(aggregated(alike, PATIENTS).manifest.records) == 3
    more = changed(make_predictions(rng, labels=labels), study=list("aabb"))
    with pytest.raises(ValueError, match=r"images of one study\. Correct the labels, or evaluate"):
        aggregated(more, STUDIES)


def test_max_is_for_two_classes(rng):
    with pytest.raises(ValueError, match="`aggregate_by` must be mean for more than two classes"):
        aggregated(make_predictions(rng), ANY)


def test_what_no_image_states_is_refused(rng):
    sets = [make_predictions(rng, name=name) for name in ("val", "test")]
    with pytest.raises(ValueError, match="got 'study', which no image states"):
        aggregated_sets(sets, STUDIES)
    stated = [changed(sets[0], study=range(60)), sets[1]]
    assert [len(one.manifest.records) for one in aggregated_sets(stated, STUDIES)] == [60, 60]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"of": "source", "by": "mean"}, "`aggregate` must be patient or study; got 'source'."),
        ({"of": "study", "by": "median"}, "`aggregate_by` must be mean or max; got 'median'."),
    ],
)
def test_other_words_are_refused(words, sentence):
    with pytest.raises(ValueError, match=sentence):
        Aggregation(**words)


def test_units_tied_by_duplicates_of_any_of_their_images_are_drawn_together(rng):
    groups = ["", "g", "g", "", "", ""]
    images = changed(
        make_predictions(rng, labels=["covid"] * 6), patient=list("aabbcc"), group=groups
    )
    joined = aggregated(images, PATIENTS)
    assert joined.outcomes().patients.tolist() == [0, 0, 1]


def test_views_of_a_unit_stand_together(rng):
    images = changed(
        make_predictions(rng, labels=["covid"] * 4), patient=list("aabb"),
        view=["PA", "LATERAL", "PA", "PA"],
    )  # fmt: skip
    joined = aggregated(images, PATIENTS)
    assert [record.view for record in joined.manifest.records] == ["LATERAL and PA", "PA"]


def test_everything_is_chosen_and_computed_on_units_and_the_evaluation_says_so(rng):
    sets = [make_predictions(rng, name=name, images=120) for name in ("val", "test")]
    told = evaluate_sets("run", sets, Method(draws=100, aggregate=PATIENTS))
    val, test = (aggregated(one, PATIENTS) for one in sets)
    outcomes = val.outcomes()
    temperature = fit_temperature(outcomes.logits, outcomes.targets).value
    assert told.calibration.temperature == temperature
    assert told.aggregate == PATIENTS
    assert (told.unit, told.units) == ("patient", "patients")
    values = told.sets["test"]
    assert (values.images, values.patients, values.joined_images) == (60, 60, 120)
    assert values.labels == dict.fromkeys(CLASSES, 20)
    right = test.outcomes().predicted == test.outcomes().targets
    assert values.overall.accuracy.value == right.mean()
    assert sum(group.images for group in values.by_view.values()) == 60
    assert from_json(Evaluation, to_json(told)) == told


def test_without_it_an_evaluation_says_nothing_of_it(rng):
    sets = [make_predictions(rng, name=name) for name in ("val", "test")]
    stored = to_json(evaluate_sets("run", sets, Method(draws=100)))
    assert "aggregate" not in stored
    assert "joined_images" not in stored["sets"]["test"]
    assert from_json(Evaluation, stored).unit == "image"


def test_a_unit_has_the_same_record_whatever_the_order_of_its_images(rng):
    images = make_predictions(rng)
    order = rng.permutation(60)
    shuffled = dataclasses.replace(
        images,
        manifest=dataclasses.replace(
            images.manifest, records=tuple(images.manifest.records[row] for row in order)
        ),
        logits=images.logits[order],
        probabilities=images.probabilities[order],
    )
    one, other = (
        aggregated(each_one, PATIENTS).manifest.records for each_one in (images, shuffled)
    )
    assert set(one) == set(other)


def test_groups_by_a_column_are_of_patients_where_images_are_joined(rng):
    sexes = ["F", "F", "M", "M"] * 30
    images = [
        changed(make_predictions(rng, images=120, name=name), sex=sexes) for name in ("val", "test")
    ]
    method = Method(draws=100, aggregate=PATIENTS)
    sets = joined(images, method.aggregate)
    evaluation = with_subgroups(
        evaluate_sets("run", sets, method), sets, parse_columns("sex"), method
    )
    (by_sex,) = evaluation.sets["test"].subgroups
    assert {name: group.images for name, group in by_sex.groups.items()} == {"F": 30, "M": 30}
    right = sets[1].outcomes().predicted == sets[1].outcomes().targets
    for place, name in enumerate(("F", "M")):
        accuracy = by_sex.groups[name].overall.accuracy.value
        assert accuracy == pytest.approx(right[place::2].mean())
