import time
from dataclasses import replace

import numpy as np
import pytest

from cxr_models.evaluation.bootstrap import (
    FEWEST_PATIENTS,
    NO_SPREAD,
    difference,
    measure,
    patient_draws,
    student_quantile,
)
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_statistics import FindingOutcomes, FindingStatistics
from cxr_models.evaluation.metrics import ImageStatistics, Outcomes
from tests.helpers.predicted import make_outcomes


def two_classes(rng, patients, images, *, spread=1.0, skill=1.0):
    """Give outcomes of patients whose images resemble each other."""
    count = patients * images
    targets = np.repeat(rng.integers(0, 2, patients), images)
    of_patient = np.repeat(rng.normal(0, spread, patients), images)
    score = of_patient + rng.normal(size=count) + np.where(targets == 1, skill, -skill)
    logits = np.stack([np.zeros(count), score], axis=1)
    return Outcomes(
        class_names=("a", "b"),
        targets=targets,
        logits=logits,
        probabilities=softmax(logits),
        patients=np.repeat(np.arange(patients), images),
    )


def test_a_draw_takes_as_many_patients_as_there_are():
    counts = np.concatenate(list(patient_draws(30, 101, seed=3)))
    assert counts.shape == (101, 30)
    assert (counts.sum(axis=1) == 30).all()
    np.testing.assert_array_equal(counts, np.concatenate(list(patient_draws(30, 101, seed=3))))
    assert (counts != np.concatenate(list(patient_draws(30, 101, seed=4)))).any()


def test_the_draws_of_a_value_are_those_of_a_plain_loop(rng):
    outcomes = make_outcomes(rng, images=80, patients=30)
    statistics = ImageStatistics(outcomes)
    measured = measure(statistics, draws=40, seed=7)
    counts = np.concatenate(list(patient_draws(statistics.num_patients, 40, seed=7)))
    for row, accuracy in zip(counts, measured.draws["accuracy"], strict=True):
        weights = row[outcomes.patients]
        right = outcomes.predicted == outcomes.targets
        assert accuracy == pytest.approx((weights * right).sum() / weights.sum())


def test_an_interval_is_students_in_the_log_odds(rng):
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    special = pytest.importorskip("scipy.special", reason="scipy is not installed")
    measured = measure(ImageStatistics(make_outcomes(rng, images=80, patients=30)), draws=100)
    for name, patients in (("accuracy", measured.num_patients), *measured.patients_behind.items()):
        if (
            name.startswith(("ece", "log_loss"))
            or measured.parts[name]
            or measured.patients_behind[name] < FEWEST_PATIENTS
        ):
            continue
        value, error = measured.values[name], np.nanstd(measured.draws[name], ddof=1)
        reach = stats.t.ppf(0.975, patients - 1) * error / (value * (1 - value))
        ends = special.expit(special.logit(value) + reach * np.array([-1, 1]))
        assert measured.interval(name)[0] == pytest.approx(ends, abs=1e-4)


@pytest.mark.parametrize("freedom", [9, 10, 20, 50, 1000])
def test_the_quantile_is_students(freedom):
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    assert student_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=1e-4)


def test_the_rarest_class_concerned_decides_whether_there_is_an_interval(rng):
    outcomes = make_outcomes(rng, images=300, patients=10_000, classes=2)
    for rare, shown in ((6, "none"), (9, "none"), (10, "remark"), (29, "remark"), (30, "plain")):
        targets = (np.arange(300) < rare).astype(np.int64)
        measured = measure(
            ImageStatistics(replace(outcomes, targets=targets, patients=np.arange(300))), draws=100
        )
        for name in ("roc_auc/normal", "balanced_accuracy", "recall/normal", "f1/normal"):
            told = measured.measured(name)
            reason = f"{rare} patients of the class concerned, fewer than 10"
            assert (told.interval is None) == (shown == "none"), (name, rare)
            assert (told.reason or None) == (reason if shown == "none" else None)
            assert (bool(told.remark)) == (shown == "remark")
        assert not measured.measured("specificity/normal").remark  # of the 294 and more
        assert measured.measured("accuracy").interval is not None


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    truth = measure(ImageStatistics(two_classes(rng, 60_000, 1)), draws=1).values
    held = dict.fromkeys(("accuracy", "balanced_accuracy", "roc_auc/b", "recall/b"), 0)
    for _ in range(300):
        measured = measure(ImageStatistics(two_classes(rng, 80, 3)), draws=300)
        for name in held:
            (low, high), _ = measured.interval(name)
            held[name] += low <= truth[name] <= high
    for name, times in held.items():
        # 95 % of 300, three standard errors either way, and a little below for 80 patients.
        assert 0.90 <= times / 300 <= 0.985, (name, times / 300)


def test_drawing_images_instead_of_patients_would_be_too_sure():
    rng = np.random.default_rng(6)
    outcomes = two_classes(rng, 100, 6, spread=3.0)
    alone = Outcomes(**{
        **{f: getattr(outcomes, f) for f in ("class_names", "targets", "logits", "probabilities")},
        "patients": np.arange(600),
    })  # fmt: skip
    by_patient = np.ptp(measure(ImageStatistics(outcomes)).interval("accuracy")[0])
    by_image = np.ptp(measure(ImageStatistics(alone)).interval("accuracy")[0])
    assert by_patient > 1.5 * by_image


def too_sure(rng, patients, slope, *, of_finding):
    """Give statistics of a model whose logits are `slope` times what they should be."""
    score = rng.normal(-1, 2, patients)
    present = rng.uniform(size=patients) < 1 / (1 + np.exp(-score))
    logits = slope * score[:, None]
    if of_finding:
        return FindingStatistics(
            FindingOutcomes(
                findings=("a",),
                targets=present[:, None].astype(np.int8),
                logits=logits,
                probabilities=sigmoid(logits),
                patients=np.arange(patients),
                temperatures=(1.0,),
                thresholds=(None,),
            )
        )
    logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    return ImageStatistics(
        Outcomes(
            class_names=("a", "b"),
            targets=present.astype(np.int64),
            logits=logits,
            probabilities=softmax(logits),
            patients=np.arange(patients),
        ),
        ranks=False,
    )


def test_the_noise_of_a_calibration_error_is_its_value_after_the_gaps_are_subtracted():
    rng = np.random.default_rng(3)
    score = rng.normal(size=40)
    present = rng.uniform(size=40) < 0.4
    shares = sigmoid(score)
    outcomes = FindingOutcomes(
        findings=("a",),
        targets=present[:, None].astype(np.int8),
        logits=score[:, None],
        probabilities=shares[:, None],
        patients=np.arange(40) // 2,
        temperatures=(1.0,),
        thresholds=(None,),
    )
    counts = rng.integers(0, 3, (5, 20)).astype(np.float64)
    values = FindingStatistics(outcomes)(counts)
    for draw, count in enumerate(np.repeat(counts, 2, axis=1)):
        error = noise = 0.0
        for low in np.arange(15) / 15:
            inside = (shares > low) & (shares <= low + 1 / 15)
            gap = (count * (shares - present))[inside].sum() / count.sum()
            error += abs(gap)
            noise += abs(gap - (shares - present)[inside].sum() / 40)
        assert values["ece/a"][draw] == pytest.approx(error)
        assert values["ece_noise/a"][draw] == pytest.approx(noise)


@pytest.mark.slow
@pytest.mark.parametrize("of_finding", [False, True], ids=["confidence", "finding"])
@pytest.mark.parametrize("slope", [1.0, 1.2, 2.0])
def test_intervals_contain_the_true_calibration_error_and_the_value(slope, of_finding):
    rng = np.random.default_rng(8)
    many = measure(too_sure(rng, 400_000, slope, of_finding=of_finding), draws=1).values
    name = "ece/a" if of_finding else "ece"
    truth = many[name] if slope > 1.0 else 0.0
    held = 0
    for _ in range(200):
        measured = measure(too_sure(rng, 300, slope, of_finding=of_finding), draws=200)
        (low, high), _ = measured.interval(name, scale="calibration error")
        assert low <= measured.values[name] <= high
        held += low <= truth <= high
    assert held / 200 >= 0.92, held


def test_a_proportion_of_one_has_the_exact_interval_over_patients():
    scipy_stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    rng = np.random.default_rng(1)
    outcomes = two_classes(rng, 40, 2, skill=50.0)
    measured = measure(ImageStatistics(outcomes), draws=100)
    exact = scipy_stats.binomtest(40, 40).proportion_ci(0.95)
    assert measured.interval("accuracy")[0] == pytest.approx([exact.low, exact.high])
    rarest = min(np.bincount(outcomes.targets[::2]))
    exact = scipy_stats.binomtest(int(rarest), int(rarest)).proportion_ci(0.95)
    for name in ("roc_auc/b", "balanced_accuracy"):
        assert measured.interval(name)[0] == pytest.approx([exact.low, exact.high])


def test_draws_that_differ_by_rounding_alone_give_no_interval():
    shares = np.tile([[0.9, 0.1], [0.1, 0.9]], (15, 1))
    outcomes = Outcomes(
        class_names=("a", "b"),
        targets=np.tile([0, 1], 15),
        logits=np.log(shares),
        probabilities=shares,
        patients=np.arange(30),
    )
    measured = measure(ImageStatistics(outcomes), draws=200)
    assert 0.0 < np.ptp(measured.draws["ece"]) < 1e-14
    assert measured.interval("ece", scale="calibration error") == (None, NO_SPREAD)


def test_too_few_patients_have_no_interval(rng):
    outcomes = make_outcomes(rng, images=60, patients=1)
    told = measure(ImageStatistics(outcomes), draws=100).measured("accuracy")
    assert told.interval is None
    assert told.reason == "1 patient of the class concerned, fewer than 10"
    assert FEWEST_PATIENTS == 10


def test_a_value_that_draws_leave_undefined_has_no_interval(rng):
    outcomes = make_outcomes(rng, images=33, patients=1000)
    targets = np.where(np.arange(33) < 10, 2, rng.integers(0, 2, 33))
    outcomes = Outcomes(
        class_names=outcomes.class_names,
        targets=targets,
        logits=outcomes.logits,
        probabilities=outcomes.probabilities,
        patients=np.arange(33),
    )
    measured = measure(ImageStatistics(outcomes), draws=500)
    measured.draws["roc_auc/virus"][:30] = np.nan
    told = measured.measured("roc_auc/virus")
    assert told.value is not None
    assert told.interval is None
    assert "the value is undefined in" in told.reason


def test_a_difference_is_taken_draw_by_draw(rng):
    one, other = make_outcomes(rng), make_outcomes(rng)
    other = Outcomes(**{
        **{f: getattr(one, f) for f in ("class_names", "targets", "patients")},
        "logits": other.logits, "probabilities": other.probabilities,
    })  # fmt: skip
    measured = [measure(ImageStatistics(o), draws=200) for o in (one, other)]
    told = difference(*measured, "accuracy")
    drawn = measured[0].draws["accuracy"] - measured[1].draws["accuracy"]
    reach = student_quantile(measured[0].num_patients - 1) * drawn.std(ddof=1)
    assert told.interval == pytest.approx([told.value - reach, told.value + reach])
    assert difference(measured[0], measured[0], "accuracy").interval is None


@pytest.mark.slow
def test_all_values_of_ten_thousand_images_take_less_than_ten_seconds(rng):
    outcomes = make_outcomes(rng, images=10_000, patients=7_000, decimals=6,
                             thresholds=(0.3, 0.3, 0.3))  # fmt: skip
    started = time.process_time()
    measure(ImageStatistics(outcomes))
    assert time.process_time() - started < 10.0


def test_no_draws_are_refused(rng):
    with pytest.raises(ValueError, match="`draws` must be at least 1; got 0"):
        measure(ImageStatistics(make_outcomes(rng)), draws=0)


def test_a_mean_of_recalls_has_the_interval_of_its_parts_though_one_of_them_is_perfect(rng):
    outcomes = make_outcomes(rng, images=200, patients=10_000, classes=2)
    targets = (np.arange(200) < 12).astype(np.int64)
    logits = np.stack([np.zeros(200), np.where(targets, 3.0, rng.normal(-1, 1, 200))], axis=1)
    outcomes = replace(
        outcomes, targets=targets, logits=logits, probabilities=softmax(logits),
        patients=np.arange(200),
    )  # fmt: skip
    measured = measure(ImageStatistics(outcomes), draws=300)
    assert measured.values["recall/normal"] == 1.0
    (low, _), (other_low, other_high) = (
        measured.interval(f"recall/{name}")[0] for name in ("normal", "covid")
    )
    other = measured.values["recall/covid"]
    value, interval = measured.values["balanced_accuracy"], measured.interval("balanced_accuracy")
    # Zou and Donner: squares of the parts' distances, which are independent here.
    assert interval[0][0] == pytest.approx(value - np.hypot(1 - low, other - other_low) / 2)
    assert interval[0][1] == pytest.approx(min(value + (other_high - other) / 2, 1.0))
