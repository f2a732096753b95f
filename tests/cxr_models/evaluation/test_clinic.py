import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import metrics as sklearn_metrics

from cxr_models._typed_json import from_json, to_json
from cxr_models.cli._clinic_text import clinic_rows
from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.clinic import THRESHOLDS, ClinicStatistics, clinic_values, of_class
from cxr_models.evaluation.clinic_results import DecisionCurve
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.metrics import Outcomes
from cxr_models.evaluation.operating_points import choose_at_specificity
from cxr_models.evaluation.results import Evaluation
from tests.helpers.predicted import (
    CLASSES,
    make_outcomes,
    make_predictions,
)

POINTS = (0.3, 0.4, 0.35)


@pytest.fixture
def outcomes(rng):
    return make_outcomes(rng, images=400, patients=150, temperature=1.4, thresholds=POINTS)


@pytest.mark.parametrize("drawn", [False, True], ids=["as-they-are", "patients-drawn"])
def test_every_value_is_that_of_scikit_learn(rng, outcomes, drawn):
    patients = outcomes.patients.max() + 1
    counts = np.ones((1, patients))
    if drawn:
        counts = rng.multinomial(patients, np.ones(patients) / patients, 1).astype(float)
    weights = counts[0, outcomes.patients]
    for k in range(3):
        statistics = ClinicStatistics(of_class(outcomes, k), [POINTS[k], 0.5])
        got = {name: value[0] for name, value in statistics(counts).items()}
        true, shares = outcomes.targets == k, softmax(outcomes.logits, 1.4)[:, k]
        for number, threshold in enumerate((POINTS[k], 0.5)):
            told = {"y_true": true, "y_pred": shares >= threshold, "sample_weight": weights}
            expected = {
                "sensitivity": sklearn_metrics.recall_score(**told),
                "specificity": sklearn_metrics.recall_score(**told, pos_label=False),
                "ppv": sklearn_metrics.precision_score(**told),
                "npv": sklearn_metrics.precision_score(**told, pos_label=False),
                "mcc": sklearn_metrics.matthews_corrcoef(**told),
            }
            for name, value in expected.items():
                assert got[f"{name}@{number}"] == pytest.approx(value), name
        brier = sklearn_metrics.brier_score_loss(true, shares, sample_weight=weights)
        assert got["brier"] == pytest.approx(brier)


def test_likelihood_ratios_are_those_of_scikit_learn(outcomes):
    told = clinic_values(outcomes, draws=100)
    for k, name in enumerate(CLASSES):
        positive, negative = sklearn_metrics.class_likelihood_ratios(
            outcomes.targets == k, outcomes.calibrated[:, k] >= POINTS[k]
        )
        assert told[name].positive_likelihood_ratio.value == pytest.approx(positive)
        assert told[name].negative_likelihood_ratio.value == pytest.approx(negative)


def test_predictive_values_at_a_stated_prevalence_are_those_of_bayes(outcomes):
    told = clinic_values(outcomes, prevalences=(0.01, 0.3), draws=100)
    for k, name in enumerate(CLASSES):
        called, true = outcomes.calibrated[:, k] >= POINTS[k], outcomes.targets == k
        sensitivity, specificity = called[true].mean(), (~called[~true]).mean()
        for prevalence, values in zip((0.01, 0.3), told[name].predictive_values, strict=True):
            ill = sensitivity * prevalence, (1 - sensitivity) * prevalence
            well = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
            assert (values.prevalence, values.of) == (prevalence, "stated")
            assert values.positive.value == pytest.approx(ill[0] / (ill[0] + well[0]))
            assert values.negative.value == pytest.approx(well[1] / (well[1] + ill[1]))
            for measured in (values.positive, values.negative):
                assert measured.interval[0] < measured.value < measured.interval[1]


def test_without_a_prevalence_predictive_values_are_those_of_the_set(outcomes):
    for k, values in enumerate(clinic_values(outcomes, draws=100).values()):
        (own,) = values.predictive_values
        called, true = outcomes.calibrated[:, k] >= POINTS[k], outcomes.targets == k
        assert (own.prevalence, own.of) == (true.mean(), "set")
        assert own.positive.value == pytest.approx(true[called].mean())
        assert own.negative.value == pytest.approx((~true[~called]).mean())


def test_net_benefit_is_that_of_its_formula(outcomes):
    for k, values in enumerate(clinic_values(outcomes, draws=100).values()):
        curve = values.decision_curve
        assert curve.thresholds == THRESHOLDS
        true, count = outcomes.targets == k, len(outcomes.targets)
        for place, threshold in enumerate(THRESHOLDS):
            treated = outcomes.calibrated[:, k] >= threshold
            odds = threshold / (1 - threshold)
            expected = (treated & true).sum() / count - odds * (treated & ~true).sum() / count
            assert curve.net_benefit[place] == pytest.approx(expected, abs=1e-6)
            everyone = true.mean() - (1 - true.mean()) * odds
            assert curve.treat_all[place] == pytest.approx(everyone, abs=1e-6)
            if curve.intervals[place] is not None:
                low, high = curve.intervals[place]
                assert low < expected < high


def test_values_of_eight_images_are_those_computed_by_hand():
    # Four ill, of whom three are found; four well, of whom one is called ill.
    ill = np.array([0.9, 0.8, 0.7, 0.2, 0.75, 0.1, 0.05, 0.3])
    probabilities = np.stack([1 - ill, ill], axis=1)
    outcomes = Outcomes(
        class_names=("well", "ill"),
        targets=np.array([1, 1, 1, 1, 0, 0, 0, 0]),
        logits=np.log(probabilities),
        probabilities=probabilities,
        patients=np.arange(8),
        thresholds=(0.5, 0.5),
    )
    told = clinic_values(outcomes, prevalences=(0.1,), draws=100)["ill"]
    assert told.positive_likelihood_ratio.value == pytest.approx(3.0)
    assert told.negative_likelihood_ratio.value == pytest.approx(1 / 3)
    assert told.predictive_values[0].positive.value == pytest.approx(0.25)
    assert told.predictive_values[0].negative.value == pytest.approx(0.9 * 0.75 / (0.675 + 0.025))
    assert told.mcc.value == pytest.approx(0.5)
    assert told.brier.value == pytest.approx(
        (0.01 + 0.04 + 0.09 + 0.64 + 0.5625 + 0.01 + 0.0025 + 0.09) / 8
    )
    assert told.decision_curve.net_benefit[24] == pytest.approx(2 / 8)  # at 0.5, where odds are 1
    assert told.mcc.interval is None
    assert told.mcc.reason == "4 patients of the class concerned, fewer than 10"


def test_the_threshold_of_a_specificity_comes_from_validation_alone(rng):
    val, test = (make_predictions(rng, images=240, name=name) for name in ("val", "test"))
    told = evaluate_sets("run", [val, test], Method(draws=100, specificities=(0.8, 0.95)))
    temperature = told.calibration.temperature
    here, there = (one.outcomes(temperature=temperature) for one in (val, test))
    for k, name in enumerate(CLASSES):
        points = told.sets["test"].clinic[name].at_specificity
        for stated, point in zip((0.8, 0.95), points, strict=True):
            assert (point.stated, point.threshold) == (
                stated,
                choose_at_specificity(here, stated)[k],
            )
            outside = here.calibrated[here.targets != k, k]
            assert (outside < point.threshold).mean() >= stated
            called, true = there.calibrated[:, k] >= point.threshold, there.targets == k
            assert point.sensitivity.value == pytest.approx(called[true].mean())
            assert point.specificity.value == pytest.approx((~called[~true]).mean())


def test_a_model_of_others_without_validation_has_no_threshold_of_a_specificity(rng):
    test = make_predictions(rng, images=240)
    foreign = dataclasses.replace(test.origin, weights_sha256="", config_sha256="")
    test = dataclasses.replace(test, origin=foreign)
    method = Method(draws=100, prevalences=(0.1,), specificities=(0.9,))
    clinic = evaluate_sets("mine", [test], method).sets["test"].clinic
    for k, name in enumerate(CLASSES):
        (point,) = clinic[name].at_specificity
        assert (point.stated, point.threshold) == (0.9, None)
        for measured in (point.sensitivity, point.specificity):
            assert (measured.value, measured.reason) == (None, "there is no validation part")
        assert clinic[name].threshold == 0.5
        called, true = test.probabilities[:, k] >= 0.5, test.outcomes().targets == k
        ratio = called[true].mean() / called[~true].mean()
        assert clinic[name].positive_likelihood_ratio.value == pytest.approx(ratio)
    (row,) = [row for row in clinic_rows(clinic, str) if row[0].startswith("at specificity")]
    assert row == ["at specificity 0.9: there is no validation part", "-", "-", "-"]


def test_sets_that_thresholds_were_chosen_on_have_no_such_values(rng):
    sets = [make_predictions(rng, name=name) for name in ("train", "val", "test", "clinic")]
    told = evaluate_sets("run", sets, Method(draws=100, prevalences=(0.1,), specificities=(0.9,)))
    given = {name: values.clinic is not None for name, values in told.sets.items()}
    assert given == {"train": False, "val": False, "test": True, "clinic": True}
    stored = to_json(told)
    assert from_json(Evaluation, stored) == told
    del stored["sets"]["test"]["clinic"]  # as files of earlier versions
    assert from_json(Evaluation, stored).sets["test"].clinic is None


@pytest.mark.parametrize(
    ("target", "reason"), [(0, "no image of another class"), (1, "no image of this class")]
)
def test_a_set_of_one_class_has_a_reason_for_every_value(rng, outcomes, target, reason):
    outcomes = dataclasses.replace(outcomes, targets=np.full(400, target))
    told = clinic_values(outcomes, prevalences=(0.1,), at_specificity=[(0.9, POINTS)], draws=100)
    values = told[CLASSES[0]]
    assert values.decision_curve is None
    point, predictive = values.at_specificity[0], values.predictive_values[0]
    own = clinic_values(outcomes, draws=100)[CLASSES[0]].predictive_values[0]
    for measured in (
        values.positive_likelihood_ratio, values.negative_likelihood_ratio, values.mcc,
        predictive.positive, predictive.negative, own.positive, own.negative,
        (point.specificity, point.sensitivity)[target],
    ):  # fmt: skip
        assert (measured.value, measured.reason) == (None, reason)
    assert (point.sensitivity, point.specificity)[target].value is not None
    assert values.calibration_slope.reason == "images of one class only"
    assert values.brier.value is not None


def test_a_class_without_a_threshold_has_a_reason(rng, outcomes):
    outcomes = dataclasses.replace(outcomes, thresholds=(None, *POINTS[1:]))
    values = clinic_values(outcomes, at_specificity=[(0.9, (None, None, None))], draws=100)["covid"]
    no_point = "the validation part does not hold both this class and another class"
    assert values.positive_likelihood_ratio.reason == no_point
    assert values.predictive_values[0].negative.reason == no_point
    assert values.mcc.reason == no_point
    reason = "no threshold reaches that specificity on validation"
    assert values.at_specificity[0].sensitivity.reason == reason


def test_a_decision_curve_is_useful_where_it_is_above_both_policies():
    curve = DecisionCurve(
        thresholds=(0.1, 0.2, 0.3, 0.4, 0.5),
        net_benefit=(0.4, 0.35, 0.0, 0.1, -0.1),
        intervals=(None,) * 5,
        treat_all=(0.4, 0.3, 0.2, 0.0, -0.2),
    )
    assert curve.useful() == ((0.2, 0.2), (0.4, 0.4))
    more = dataclasses.replace(curve, net_benefit=(0.5, 0.35, 0.25, 0.1, -0.1))
    assert more.useful() == ((0.1, 0.4),)


@pytest.mark.parametrize("name", ["prevalences", "specificities"])
@pytest.mark.parametrize("shares", [(0.0,), (1.0,), (float("nan"),), (0.1, 0.1)])
def test_shares_out_of_range_are_refused(name, shares):
    with pytest.raises(ValueError, match="must be different numbers above 0 and below 1; got"):
        Method(**{name: shares})


def simulated(rng, ill, well):
    """Give patients with one to three images of one class, too sure of themselves."""
    patients = np.repeat(np.arange(ill + well), rng.integers(1, 4, ill + well))
    targets = (patients < ill).astype(np.int64)
    shared = rng.normal(0.0, np.sqrt(0.5), ill + well)[patients]
    score = np.where(targets, 0.9, -0.9) + shared + rng.normal(0.0, np.sqrt(0.5), len(patients))
    logits = np.stack([np.zeros(len(score)), 2.4 * score + 0.3], axis=1)
    return Outcomes(
        class_names=("well", "ill"),
        targets=targets,
        logits=logits,
        probabilities=softmax(logits),
        patients=patients,
        thresholds=(0.5, 0.6),
    )


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(4)
    names = ("positive_likelihood_ratio", "negative_likelihood_ratio", "mcc", "brier",
             "calibration_slope", "calibration_intercept")  # fmt: skip

    def told(ill, well, draws, seed):
        values = clinic_values(
            simulated(rng, ill, well), prevalences=(0.05,), draws=draws, seed=seed
        )["ill"]
        predictive = values.predictive_values[0]
        return {
            **{name: getattr(values, name) for name in names},
            "ppv": predictive.positive,
            "npv": predictive.negative,
        }, values.decision_curve

    truth, curve = told(80_000, 160_000, 100, 0)
    places = [2, 10, 20, 30]
    held = dict.fromkeys([*truth, *places], 0)
    for seed in range(400):
        ill = rng.binomial(120, 1 / 3)  # values of a set move with its share of the ill
        values, its_curve = told(ill, 120 - ill, 200, seed)
        for name, measured in values.items():
            low, high = measured.interval
            held[name] += low <= truth[name].value <= high
        for place in places:
            low, high = its_curve.intervals[place]
            held[place] += low <= curve.net_benefit[place] <= high
    for name, times in held.items():
        assert 0.915 <= times / 400 <= 0.985, (name, times / 400)


@pytest.mark.slow
def test_draws_of_slopes_are_as_wide_as_those_of_repeated_regressions(rng):
    from sklearn.linear_model import LogisticRegression

    outcomes = simulated(rng, 60, 120)
    statistics = ClinicStatistics(of_class(outcomes, 1), [0.5])
    measured = measure(statistics, draws=300)
    from cxr_models.evaluation.bootstrap import patient_draws

    scores = outcomes.logits[:, 1:]
    slopes = [
        LogisticRegression(C=np.inf, tol=1e-8)
        .fit(scores, outcomes.targets, sample_weight=counts[outcomes.patients])
        .coef_[0, 0]
        for chunk in patient_draws(180, 300, 0)
        for counts in chunk
    ]
    assert np.corrcoef(slopes, measured.draws["slope"])[0, 1] > 0.97
    assert measured.draws["slope"].std() == pytest.approx(np.std(slopes), rel=0.15)
