import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import metrics as sklearn_metrics

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.metrics import ImageStatistics, Outcomes, curves, rank
from cxr_models.evaluation.results import Confusion
from tests.helpers.predicted import CLASSES, make_outcomes


def values_of(outcomes, counts=None):
    statistics = ImageStatistics(outcomes)
    counts = np.ones((1, statistics.num_patients)) if counts is None else counts
    return {name: value[0] for name, value in statistics(counts).items()}


def from_scikit_learn(targets, said, probabilities, calibrated, thresholds, weights=None):
    """Compute the same values another way, image by image with weights."""
    m, w = sklearn_metrics, {"sample_weight": weights}
    found = {
        "accuracy": m.accuracy_score(targets, said, **w),
        "balanced_accuracy": m.balanced_accuracy_score(targets, said, **w),
        "macro_f1": m.f1_score(targets, said, average="macro", **w),
        "macro_roc_auc": np.mean(
            [m.roc_auc_score(targets == k, calibrated[:, k], **w) for k in range(3)]
        ),
        "log_loss": m.log_loss(targets, probabilities, labels=range(3), **w),
        "log_loss_calibrated": m.log_loss(targets, calibrated, labels=range(3), **w),
    }
    for k, name in enumerate(CLASSES):
        one = {"y_true": targets == k, "y_pred": said == k, **w}
        found[f"precision/{name}"] = m.precision_score(**one)
        found[f"recall/{name}"] = m.recall_score(**one)
        found[f"specificity/{name}"] = m.recall_score(**one, pos_label=False)
        found[f"f1/{name}"] = m.f1_score(**one)
        found[f"roc_auc/{name}"] = m.roc_auc_score(targets == k, calibrated[:, k], **w)
        found[f"pr_auc/{name}"] = m.average_precision_score(targets == k, calibrated[:, k], **w)
        flagged = {"y_true": targets == k, "y_pred": calibrated[:, k] >= thresholds[k], **w}
        found[f"point_sensitivity/{name}"] = m.recall_score(**flagged)
        found[f"point_specificity/{name}"] = m.recall_score(**flagged, pos_label=False)
        found[f"point_precision/{name}"] = m.precision_score(**flagged)
    return found


@pytest.mark.parametrize("drawn", [False, True], ids=["as-they-are", "patients-drawn"])
def test_every_value_is_that_of_scikit_learn(rng, drawn):
    thresholds = (0.2, 0.5, 0.7)
    outcomes = make_outcomes(rng, temperature=1.7, thresholds=thresholds)
    counts, weights = None, None
    if drawn:
        patients = outcomes.patients.max() + 1
        counts = rng.multinomial(patients, np.ones(patients) / patients, 1).astype(float)
        weights = counts[0, outcomes.patients]
    expected = from_scikit_learn(
        outcomes.targets,
        outcomes.predicted,
        outcomes.probabilities,
        softmax(outcomes.logits, 1.7),
        thresholds,
        weights,
    )
    got = values_of(outcomes, counts)
    errors = {"ece", "ece_calibrated"}
    assert set(got) - set(expected) == errors | {f"{name}_noise" for name in errors}
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("offset", [100.0, 1000.0])
def test_areas_do_not_depend_on_how_far_logits_are_from_0(rng, classes, offset):
    near = make_outcomes(rng, classes=classes)
    shift = np.zeros((1, classes))
    shift[0, -1] = offset  # all images have a probability of 1 of the last class
    logits = near.logits + shift
    far = dataclasses.replace(near, logits=logits, probabilities=softmax(logits))
    assert (far.probabilities[:, -1] == 1.0).all()
    others = logits[:, :-1]
    log_odds = logits[:, -1] - np.log(np.exp(others).sum(axis=1))
    name = CLASSES[classes - 1]
    is_last = near.targets == classes - 1
    got = values_of(far)
    area = sklearn_metrics.roc_auc_score(is_last, log_odds)
    assert 0.6 < area == pytest.approx(got[f"roc_auc/{name}"], abs=1e-3)
    assert got[f"pr_auc/{name}"] == pytest.approx(
        sklearn_metrics.average_precision_score(is_last, log_odds), abs=1e-3
    )
    if classes == 2:
        assert got["roc_auc/covid"] == got["roc_auc/normal"]
    curve = curves(far)[name].roc
    assert len(curve.sensitivity) > 10
    assert set(curve.threshold[1:]) == {1.0}


def test_equal_probabilities_stay_tied_though_their_log_odds_are_rounded_differently():
    shares = np.array([[0.2, 0.3, 0.1, 0.4], [0.2, 0.1, 0.4, 0.3], [0.6, 0.2, 0.1, 0.1]])
    outcomes = Outcomes(
        class_names=("a", "b", "c", "d"),
        targets=np.array([0, 1, 1]),
        logits=np.log(shares),
        probabilities=shares,
        patients=np.arange(3),
    )
    np.testing.assert_array_equal(outcomes.scores_of(0), shares[:, 0])
    assert values_of(outcomes)["roc_auc/a"] == 0.25


def rounded(x, y):
    return {(round(float(a), 6), round(float(b), 6)) for a, b in zip(x, y, strict=True)}


def test_values_of_four_images_are_those_computed_by_hand():
    # Truth a a b b; said a b b b.
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.1, 0.9]])
    outcomes = Outcomes(
        class_names=("a", "b"),
        targets=np.array([0, 0, 1, 1]),
        logits=np.log(probabilities),
        probabilities=probabilities,
        patients=np.arange(4),
    )
    values = values_of(outcomes)
    assert values["accuracy"] == 0.75
    assert values["recall/a"] == 0.5
    assert values["precision/b"] == pytest.approx(2 / 3)
    assert values["f1/b"] == pytest.approx(0.8)
    assert values["specificity/b"] == 0.5
    assert values["roc_auc/a"] == 1.0
    # Confidence 0.9, 0.6, 0.7, 0.9 against right, wrong, right, right; 0.9 twice in one bin.
    assert values["ece"] == pytest.approx((2 * 0.1 + 0.6 + 0.3) / 4)
    assert outcomes.confusion() == Confusion(
        counts=((1, 1), (0, 2)), normalised=((0.5, 0.5), (0.0, 1.0))
    )


def test_all_scores_equal_give_an_area_of_one_half(rng):
    outcomes = make_outcomes(rng)
    flat = np.zeros_like(outcomes.logits)
    outcomes = dataclasses.replace(outcomes, logits=flat, probabilities=softmax(flat))
    values = values_of(outcomes)
    for k, name in enumerate(CLASSES):
        assert values[f"roc_auc/{name}"] == 0.5
        assert values[f"pr_auc/{name}"] == pytest.approx((outcomes.targets == k).mean())


def test_a_class_without_images_is_undefined_and_never_zero(rng):
    outcomes = make_outcomes(rng, thresholds=(0.3, 0.3, 0.3))
    kept = outcomes.targets != 2
    outcomes = dataclasses.replace(
        outcomes,
        targets=outcomes.targets[kept],
        logits=outcomes.logits[kept],
        probabilities=outcomes.probabilities[kept],
        patients=np.unique(outcomes.patients[kept], return_inverse=True)[1],
    )
    values = values_of(outcomes)
    for metric in ("precision", "recall", "f1", "roc_auc", "pr_auc", "point_sensitivity",
                   "point_precision"):  # fmt: skip
        assert np.isnan(values[f"{metric}/virus"]), metric
    assert values["specificity/virus"] == np.mean(outcomes.predicted != 2)  # no image is of it
    recalls = [values["recall/covid"], values["recall/normal"]]
    assert values["balanced_accuracy"] == np.mean(recalls)


def test_one_class_alone_has_no_area_and_no_specificity(rng):
    outcomes = make_outcomes(rng, images=20, patients=20)
    outcomes = dataclasses.replace(outcomes, targets=np.zeros(20, np.int64))
    values = values_of(outcomes)
    assert np.isnan(values["roc_auc/covid"])
    assert np.isnan(values["macro_roc_auc"])
    assert np.isnan(values["specificity/covid"])
    assert values["accuracy"] == values["recall/covid"] == values["balanced_accuracy"]


def test_a_class_never_said_has_no_precision_and_an_f1_of_zero(rng):
    outcomes = make_outcomes(rng)
    logits = outcomes.logits - np.array([0.0, 0.0, 100.0])
    values = values_of(dataclasses.replace(outcomes, logits=logits, probabilities=softmax(logits)))
    assert np.isnan(values["precision/virus"])
    assert values["f1/virus"] == 0.0


@pytest.mark.parametrize("decimals", [1, 6], ids=["with-ties", "without"])
def test_curves_pass_through_those_of_scikit_learn(rng, decimals):
    outcomes = make_outcomes(rng, images=900, patients=900, decimals=decimals)
    for k, name in enumerate(CLASSES):
        positive, scores = outcomes.targets == k, outcomes.probabilities[:, k]
        drawn = curves(outcomes)[name]
        false, found, _ = sklearn_metrics.roc_curve(positive, scores, drop_intermediate=False)
        expected = rounded(false, found)
        roc = drawn.roc
        got = list(zip(roc.false_positive_rate, roc.sensitivity, strict=True))
        assert set(got) <= expected
        assert (got[0], got[-1]) == ((0.0, 0.0), (1.0, 1.0))
        assert len(got) <= 201
        area = np.trapezoid(roc.sensitivity, roc.false_positive_rate)
        assert area == pytest.approx(sklearn_metrics.roc_auc_score(positive, scores), abs=2e-3)
        precision, recall, _ = sklearn_metrics.precision_recall_curve(positive, scores)
        got = set(zip(drawn.pr.recall, drawn.pr.precision, strict=True))
        assert got <= rounded(recall, precision)


def test_ties_end_together():
    ranked = rank(np.array([0.5, 0.9, 0.5, 0.1]), np.array([True, False, False, True]),
                  np.arange(4))  # fmt: skip
    found, false = ranked.counted(np.ones((1, 4)))
    assert ranked.scores.tolist() == [0.9, 0.5, 0.1]
    assert (found.tolist(), false.tolist()) == ([[0, 1, 2]], [[1, 2, 2]])
