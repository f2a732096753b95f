import dataclasses

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from cxr_models._typed_json import converted
from cxr_models.config import RunConfig
from cxr_models.evaluation.calibration import fit_temperature, softmax
from cxr_models.evaluation.compare_runs import compare_or_pool, compare_pairs, differing
from cxr_models.evaluation.comparisons import AreaTest
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.paired_tests import delong, holm, mcnemar
from cxr_models.evaluation.results import Aggregation
from cxr_models.records.manifest import Manifest
from tests.helpers.predicted import CLASSES, make_predictions, with_logits
from tests.helpers.report_runs import against_the_rest, change_records

METHOD = Method(draws=200)


def reordered(predictions, order):
    records = tuple(predictions.manifest.records[place] for place in order)
    return dataclasses.replace(
        predictions,
        manifest=Manifest(records=records, root=predictions.manifest.root),
        logits=predictions.logits[order],
        probabilities=predictions.probabilities[order],
    )


def test_runs_tested_on_the_same_images_are_compared_whatever_the_order(rng):
    val, one = make_predictions(rng, name="val"), make_predictions(rng)
    other = with_logits(one, one.logits + rng.normal(size=one.logits.shape))
    shuffled = reordered(other, rng.permutation(60))
    told = compare_or_pool({"a": [val, one], "b": [val, shuffled]}, METHOD)
    (comparison,) = told.comparisons
    assert (comparison.first, comparison.second, comparison.set) == ("a", "b", "test")
    right = [p.outcomes().predicted == p.outcomes().targets for p in (one, other)]
    assert comparison.mcnemar == mcnemar(*right, one.outcomes().patients)
    assert comparison.accuracy.value == pytest.approx(right[0].mean() - right[1].mean())
    for k, name in enumerate(CLASSES):
        positive = one.outcomes().targets == k
        outcomes = val.outcomes()
        temperature = fit_temperature(outcomes.logits, outcomes.targets).value
        scores = [softmax(p.logits, temperature)[:, k] for p in (one, other)]
        expected = delong(positive, *scores, one.outcomes().patients)
        got = comparison.roc_auc[name]
        assert converted(AreaTest, got) == expected
        assert got.interval[0] < got.difference < got.interval[1]


def test_areas_of_logits_far_from_0_are_compared_by_their_log_odds(rng):
    def far(predictions):
        return with_logits(predictions, predictions.logits + np.array([0.0, 0.0, 100.0]))

    one = make_predictions(rng)
    other = with_logits(one, one.logits + rng.normal(size=one.logits.shape))
    (pair,) = compare_pairs({"a": far(one), "b": far(other)}, [("a", "b")], METHOD)
    log_odds = [p.logits[:, 2] - np.log(np.exp(p.logits[:, :2]).sum(axis=1)) for p in (one, other)]
    expected = delong(one.outcomes().targets == 2, *log_odds, one.outcomes().patients)
    assert expected.p_value is not None
    assert converted(AreaTest, pair.roc_auc["virus"]) == expected


def test_runs_whose_classes_are_in_another_order_are_compared(rng):
    val, one = make_predictions(rng, name="val"), make_predictions(rng)
    other = with_logits(one, one.logits + rng.normal(size=one.logits.shape))
    names = CLASSES[::-1]
    turned = [predictions.in_order(names) for predictions in (val, other)]
    assert {p.class_names for p in turned} == {p.labels for p in turned} == {names}
    expected = compare_or_pool({"a": [val, one], "b": [val, other]}, METHOD)
    (result,) = compare_or_pool({"a": [val, one], "b": turned}, METHOD).comparisons
    assert result.mcnemar == expected.comparisons[0].mcnemar
    for name, area in expected.comparisons[0].roc_auc.items():
        assert result.roc_auc[name].difference == pytest.approx(area.difference)
    halves = reordered(one, range(30)), reordered(turned[1], range(30, 60))
    pooled = compare_or_pool({"a": [val, halves[0]], "b": [turned[0], halves[1]]}, METHOD).pooled
    joined = np.concatenate([one.logits[:30], other.logits[30:]])
    right = with_logits(one, joined).outcomes()
    assert pooled.overall.accuracy.value == (right.predicted == right.targets).mean()


def test_sets_of_other_images_do_not_hinder_other_comparisons(rng):
    val, test, clinic = (make_predictions(rng, name=name) for name in ("val", "test", "clinic"))
    runs = {"a": [val, test, clinic], "b": [val, test, reordered(clinic, range(59))]}
    result = compare_or_pool(runs, METHOD)
    assert [pair.set for pair in result.comparisons] == ["test"]
    assert result.left_out == (
        "clinic: a not compared with b: 1 image that is in one of the two alone, such as "
        "'clinic/59.png'",
    )


def test_of_several_pairs_every_test_has_a_p_value_that_allows_for_the_others(rng):
    val, one = make_predictions(rng, name="val"), make_predictions(rng)
    runs = {
        name: [val, with_logits(one, one.logits + rng.normal(0, 2, one.logits.shape))]
        for name in "abc"
    }
    pairs = compare_or_pool(runs, METHOD).comparisons
    assert len(pairs) == 3
    expected = holm([pair.mcnemar.p_value for pair in pairs])
    assert [pair.mcnemar.p_holm for pair in pairs] == expected
    areas = [pair.roc_auc[name] for pair in pairs for name in CLASSES]
    assert [area.p_holm for area in areas] == holm([area.p_value for area in areas])
    (alone,) = compare_or_pool({"a": runs["a"], "b": runs["b"]}, METHOD).comparisons
    assert alone.mcnemar.p_holm is None
    assert alone.roc_auc["virus"].p_holm is not None  # of three classes


def test_both_classes_of_two_are_one_test(rng):
    val, one, other = (
        against_the_rest(make_predictions(rng, name=n)) for n in ("val", "test", "test")
    )
    (pair,) = compare_or_pool({"a": [val, one], "b": [val, other]}, METHOD).comparisons
    assert [area.p_holm for area in pair.roc_auc.values()] == [None, None]


def test_runs_tested_on_different_images_are_pooled_each_at_its_temperature(rng):
    runs = {}
    for fold in "ab":
        root = f"/{fold}"
        runs[fold] = [make_predictions(rng, name=name, root=root) for name in ("val", "test")]
    told = compare_or_pool(runs, METHOD).pooled
    assert (told.images, told.patients) == (120, 30)  # patients of one name are one
    targets, probabilities = [], []
    for val, test in runs.values():
        outcomes = val.outcomes()
        temperature = fit_temperature(outcomes.logits, outcomes.targets).value
        probabilities.append(softmax(test.logits, temperature))
        targets.append(test.outcomes().targets)
    targets, probabilities = np.concatenate(targets), np.concatenate(probabilities)
    right = probabilities.argmax(axis=1) == targets
    assert told.overall.accuracy.value == right.mean()
    loss = -np.log(probabilities[np.arange(120), targets]).mean()
    assert told.overall.log_loss.value == pytest.approx(loss)
    assert told.runs["b"].accuracy.value == right[60:].mean()


def test_runs_of_one_class_against_other_labels_that_differ_are_pooled(rng):
    def fold(other):  # knows the labels A, covid and `other`
        names = {"normal": "A", "virus": other, "covid": "covid"}
        for name in ("val", "test"):
            made = against_the_rest(make_predictions(rng, name=name, root=f"/{other}"))
            every = dataclasses.replace(made, labels=("A", "covid", other, "normal", "virus"))
            named = change_records(
                every, lambda _, record: {"label": names[record.label], "patient": ""}
            )
            yield dataclasses.replace(named, labels=("A", "covid", other))

    pooled = compare_or_pool({other: list(fold(other)) for other in "BC"}, METHOD).pooled
    assert pooled.labels == {"A": 40, "B": 20, "C": 20, "covid": 40}
    assert pooled.classes["covid"].images == 40


def test_runs_that_neither_share_nor_part_their_tests_are_refused(rng):
    val, test = make_predictions(rng, name="val"), make_predictions(rng)
    half = reordered(test, np.arange(30))
    with pytest.raises(ValueError, match="got test sets that share 30 of 60 images"):
        compare_or_pool({"a": [val, test], "b": [val, half]}, METHOD)
    with pytest.raises(ValueError, match="must hold the same images and labels in one and two"):
        compare_pairs({"one": test, "two": half}, [("one", "two")], METHOD)


def test_of_joined_runs_patients_are_counted_and_the_rule_is_stated(rng):
    val, test = make_predictions(rng, name="val"), make_predictions(rng)
    records = tuple(dataclasses.replace(r, patient=f"no-{i}", group="")
                    for i, r in enumerate(test.manifest.records))  # fmt: skip
    alone = dataclasses.replace(test, manifest=dataclasses.replace(test.manifest, records=records))
    method = dataclasses.replace(METHOD, aggregate=Aggregation(of="patient", by="mean"))
    with pytest.raises(ValueError, match=r"share 30 of 60 patients\. .*all runs must state which"):
        compare_or_pool({"a": [val, test], "b": [val, alone]}, method)


def test_runs_of_other_classes_and_runs_without_a_test_are_refused(rng):
    val, test = make_predictions(rng, name="val"), make_predictions(rng)
    names = {"class_names": ("a", "b", "c"), "labels": CLASSES}
    other = make_predictions(rng, **names)
    with pytest.raises(ValueError, match="runs with the same classes; got a, b, c and covid"):
        compare_or_pool({"a": [val, test], "b": [val, other]}, METHOD)
    with pytest.raises(ValueError, match="must have predictions of test; got none"):
        compare_or_pool({"a": [val], "b": [val]}, METHOD)


def from_sources(predictions, sources):
    """Give the images of a set sources, in turn; those of one name are one image in every run."""
    records = tuple(
        dataclasses.replace(record, source=sources[i % len(sources)])
        for i, record in enumerate(predictions.manifest.records)
    )
    manifest = dataclasses.replace(predictions.manifest, records=records)
    return dataclasses.replace(predictions, manifest=manifest)


def left_out(rng, known, unknown, test):
    train, val = (make_predictions(rng, name=name, root=f"/{unknown}") for name in ("train", "val"))
    return [from_sources(train, known), from_sources(val, known), from_sources(test, ("a", "b"))]


def test_of_left_out_sources_tested_beside_known_ones_only_the_unknown_are_pooled(rng):
    test = make_predictions(rng)
    runs = {
        "without a": left_out(rng, ("b",), "a", reordered(test, np.arange(40))),
        "without b": left_out(rng, ("a",), "b", reordered(test, np.arange(20, 60))),
    }
    told = compare_or_pool(runs, METHOD).pooled
    assert told.of == "images of sources left out of training"
    assert told.images == told.runs["without a"].images * 2 == 40
    right = [p.outcomes().predicted == p.outcomes().targets for p in (s[2] for s in runs.values())]
    expected = np.concatenate([right[0][0::2], right[1][1::2]]).mean()
    assert told.overall.accuracy.value == pytest.approx(expected)


def test_where_sources_are_not_stated_throughout_none_is_taken_for_unknown(rng):
    test = make_predictions(rng)
    runs = {
        "without a": left_out(rng, ("b", ""), "a", reordered(test, np.arange(40))),
        "without b": left_out(rng, ("a",), "b", reordered(test, np.arange(20, 60))),
    }
    with pytest.raises(ValueError, match="got test sets that share 20 of 60 images"):
        compare_or_pool(runs, METHOD)


def test_runs_differ_in_settings_that_are_not_equal_and_not_in_where_a_cache_lies():
    one = RunConfig()
    other = one.with_setting("training.seed", 7).with_setting("data.cache_dir", "elsewhere")
    other = other.with_setting("data.enhance", None)
    found = differing({"one": one, "other": other})
    assert found["training.seed"] == {"one": one.training.seed, "other": 7}
    assert "data.cache_dir" not in found
    assert all(name == "training.seed" or name.startswith("data.enhance") for name in found)
    assert differing({"one": one, "same": one}) == {}
