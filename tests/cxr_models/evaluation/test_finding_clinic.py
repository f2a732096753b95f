import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import metrics as sklearn_metrics
from sklearn.linear_model import LogisticRegression

from cxr_models._typed_json import from_json, to_json
from cxr_models.cli._clinic_text import finding_clinic_tables
from cxr_models.evaluation.clinic import THRESHOLDS, clinic_values
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_clinic import finding_clinic_values
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_statistics import outcomes_of
from cxr_models.evaluation.findings import evaluate_findings
from cxr_models.evaluation.findings_results import FindingsEvaluation
from tests.helpers.predicted import FINDINGS, make_finding_predictions

METHOD = Method(draws=100, prevalences=(0.01, 0.2), specificities=(0.8, 0.95))


@pytest.fixture
def sets(rng):
    return [
        make_finding_predictions(rng, images=300, name=name)
        for name in ("train", "val", "test", "elsewhere")
    ]


def known_of(predictions, k):
    """Give the labels and the logits of the images whose label for a finding is known."""
    known = predictions.targets[:, k] != -1
    return predictions.targets[known, k] == 1, predictions.logits[known, k]


def as_foreign(predictions):
    origin = dataclasses.replace(predictions.origin, weights_sha256="", config_sha256="")
    return dataclasses.replace(predictions, origin=origin)


def test_values_of_a_finding_are_those_of_scikit_learn_over_its_known_labels(sets):
    evaluation = evaluate_findings("run", sets, METHOD)
    for name, predictions in (("test", sets[2]), ("elsewhere", sets[3])):
        for k, finding in enumerate(FINDINGS):
            values = evaluation.sets[name].clinic[finding]
            true, logits = known_of(predictions, k)
            scaled = logits / evaluation.temperatures[finding]
            shares, point = sigmoid(scaled), evaluation.operating_points.thresholds[finding]
            called = shares >= point
            positive, negative = sklearn_metrics.class_likelihood_ratios(true, called)
            regression = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
            slope = regression.fit(scaled[:, None], true).coef_[0, 0]
            assert values.threshold == point
            for measured, expected in (
                (values.positive_likelihood_ratio, positive),
                (values.negative_likelihood_ratio, negative),
                (values.mcc, sklearn_metrics.matthews_corrcoef(true, called)),
                (values.brier, sklearn_metrics.brier_score_loss(true, shares)),
                (values.calibration_slope, slope),
            ):
                assert measured.value == pytest.approx(expected, rel=1e-4)
                assert measured.interval[0] < measured.value < measured.interval[1]
            # The intercept is where the mean probability is the share of images that show it.
            moved = sigmoid(scaled + values.calibration_intercept.value)
            assert moved.mean() == pytest.approx(true.mean(), abs=1e-9)
            sensitivity, specificity = called[true].mean(), (~called[~true]).mean()
            for prevalence, at in zip((0.01, 0.2), values.predictive_values, strict=True):
                found, missed = sensitivity * prevalence, (1 - sensitivity) * prevalence
                alarms, spared = (
                    (1 - specificity) * (1 - prevalence),
                    specificity * (1 - prevalence),
                )
                assert (at.prevalence, at.of) == (prevalence, "stated")
                assert at.positive.value == pytest.approx(found / (found + alarms))
                assert at.negative.value == pytest.approx(spared / (spared + missed))
            for place in (4, 12, 24, 40):
                treated, t = shares >= THRESHOLDS[place], THRESHOLDS[place]
                benefit = (treated & true).mean() - t / (1 - t) * (treated & ~true).mean()
                assert values.decision_curve.net_benefit[place] == pytest.approx(benefit, abs=1e-6)


def test_a_finding_of_unknown_labels_worked_out_by_hand(rng):
    # Of ten images eight are known. Four show it, of whom three are found; four do not, of whom
    # one is called. The two unknown images would change every value.
    shares = np.array([0.9, 0.8, 0.7, 0.2, 0.75, 0.1, 0.05, 0.3, 0.99, 0.01])
    targets = np.array([1, 1, 1, 1, 0, 0, 0, 0, -1, -1], np.int8)[:, None]
    logits = np.log(shares / (1 - shares))[:, None]
    predictions = make_finding_predictions(
        rng,
        images=10,
        shares=(0.5,),
        logits=logits,
        probabilities=sigmoid(logits),
        targets=targets,
    )
    outcomes = outcomes_of(predictions, (1.0,), (0.5,))
    values = finding_clinic_values(outcomes, prevalences=(0.1,), draws=100)["Mass"]
    assert values.positive_likelihood_ratio.value == pytest.approx(3.0)
    assert values.negative_likelihood_ratio.value == pytest.approx(1 / 3)
    assert values.predictive_values[0].positive.value == pytest.approx(0.25)
    assert values.predictive_values[0].negative.value == pytest.approx(0.675 / (0.675 + 0.025))
    assert values.mcc.value == pytest.approx(0.5)
    squares = (0.01, 0.04, 0.09, 0.64, 0.5625, 0.01, 0.0025, 0.09)
    assert values.brier.value == pytest.approx(sum(squares) / 8)
    assert values.decision_curve.net_benefit[24] == pytest.approx(2 / 8)  # odds of 1
    own = finding_clinic_values(outcomes, draws=100)["Mass"].predictive_values[0]
    assert (own.prevalence, own.of) == (0.5, "set")
    assert own.positive.value == own.negative.value == pytest.approx(0.75)


def test_a_finding_is_the_binary_task_of_its_known_labels_intervals_included(sets):
    test = sets[2]
    outcomes = outcomes_of(test, (1.3, 0.8, 1.1), (0.4, 0.5, 0.3))
    cuts = [(0.9, {"Mass": 0.7, "Effusion": 0.6, "Hernia": None})]
    values = finding_clinic_values(outcomes, prevalences=(0.1,), at_specificity=cuts, draws=200)
    for finding, temperature, threshold in zip(
        FINDINGS, (1.3, 0.8, 1.1), (0.4, 0.5, 0.3), strict=True
    ):
        binary = test.outcomes(finding, temperature=temperature, threshold=threshold)
        (_, expected) = clinic_values(
            binary,
            prevalences=(0.1,),
            at_specificity=[(0.9, (None, cuts[0][1][finding]))],
            draws=200,
        ).values()
        got, wanted = values[finding], expected
        assert got.decision_curve.intervals == wanted.decision_curve.intervals
        for (title, one), (_, other) in zip(got.titled(), wanted.titled(), strict=True):
            assert one.value == pytest.approx(other.value), title
            assert one.interval == pytest.approx(other.interval), title
        (one,), (other,) = got.predictive_values, wanted.predictive_values
        assert one.positive.interval == pytest.approx(other.positive.interval)


def test_the_brier_score_has_one_interval_also_where_labels_are_unknown(sets):
    for values in evaluate_findings("run", sets, METHOD).sets.values():
        for finding, clinic in (values.clinic or {}).items():
            assert clinic.brier == values.findings[finding].brier_calibrated
            assert clinic.brier.interval is not None


def test_logits_of_unknown_labels_change_no_value(rng, sets):
    told = evaluate_findings("run", sets, METHOD).sets["test"].clinic
    changed = []
    for predictions in sets:
        other = rng.normal(0.0, 50.0, predictions.logits.shape)
        logits = np.where(predictions.targets == -1, other, predictions.logits)
        changed.append(
            dataclasses.replace(predictions, logits=logits, probabilities=sigmoid(logits))
        )
    assert evaluate_findings("run", changed, METHOD).sets["test"].clinic == told


def test_the_threshold_of_a_specificity_comes_from_the_known_labels_of_validation(sets):
    evaluation = evaluate_findings("run", sets, METHOD)
    for k, finding in enumerate(FINDINGS):
        points = evaluation.sets["test"].clinic[finding].at_specificity
        scores, labels = {}, {}
        for name, predictions in (("val", sets[1]), ("test", sets[2])):
            labels[name], logits = known_of(predictions, k)
            scores[name] = sigmoid(logits / evaluation.temperatures[finding])
        for stated, point in zip((0.8, 0.95), points, strict=True):
            outside = scores["val"][~labels["val"]]
            assert point.stated == stated
            assert (outside < point.threshold).mean() >= stated
            lower = scores["val"][scores["val"] < point.threshold].max()
            assert (outside < lower).mean() < stated  # no lower threshold reaches it
            called = scores["test"] >= point.threshold
            assert point.sensitivity.value == pytest.approx(called[labels["test"]].mean())
            assert point.specificity.value == pytest.approx((~called[~labels["test"]]).mean())


def test_sets_that_thresholds_were_chosen_on_have_no_such_values_and_old_files_are_read(sets):
    evaluation = evaluate_findings("run", sets, METHOD)
    given = {name: values.clinic is not None for name, values in evaluation.sets.items()}
    assert given == {"train": False, "val": False, "test": True, "elsewhere": True}
    stored = to_json(evaluation)
    assert from_json(FindingsEvaluation, stored) == evaluation
    for values in stored["sets"].values():  # as files of earlier versions
        values.pop("clinic", None)
    assert from_json(FindingsEvaluation, stored).sets["test"].clinic is None


def test_what_cannot_be_computed_has_a_reason_in_the_words_of_findings(rng, sets):
    targets = sets[2].targets.copy()
    targets[:, 0] = np.where(targets[:, 0] == 1, -1, targets[:, 0])
    targets[:, 1] = np.where(targets[:, 1] == 0, -1, targets[:, 1])
    targets[:, 2] = -1
    val = sets[1].targets.copy()
    val[:, 2] = -1
    lacking = dataclasses.replace(sets[2], targets=targets)
    no_hernia = dataclasses.replace(sets[1], targets=val)
    clinic = evaluate_findings("run", [no_hernia, lacking, sets[3]], METHOD).sets
    assert list(clinic["test"].clinic) == ["Mass", "Effusion"]  # no label of Hernia is known
    for finding, reason in (
        ("Mass", "no image that shows it"),
        ("Effusion", "no image that does not show it"),
    ):
        values = clinic["test"].clinic[finding]
        assert values.decision_curve is None
        for measured in (
            values.positive_likelihood_ratio, values.mcc, values.calibration_slope,
            values.predictive_values[0].positive,
        ):  # fmt: skip
            assert (measured.value, measured.reason) == (None, reason)
        assert values.brier.value is not None
    hernia = clinic["elsewhere"].clinic["Hernia"]
    no_point = "the validation part does not hold known images both with it and without it"
    assert hernia.mcc.reason == hernia.predictive_values[0].positive.reason == no_point
    reason = "no threshold reaches that specificity on validation"
    assert hernia.at_specificity[0].sensitivity.reason == reason


def test_a_model_of_others_without_validation_has_no_threshold_of_a_specificity(sets):
    evaluation = evaluate_findings("mine", [as_foreign(sets[2])], METHOD)
    clinic = evaluation.sets["test"].clinic
    for k, finding in enumerate(FINDINGS):
        true, logits = known_of(sets[2], k)
        called = logits >= 0.0
        ratio = called[true].mean() / called[~true].mean()
        assert clinic[finding].positive_likelihood_ratio.value == pytest.approx(ratio)
        for point in clinic[finding].at_specificity:
            assert (point.threshold, point.sensitivity.value) == (None, None)
            assert point.sensitivity.reason == "there is no validation part"
    *_, last = finding_clinic_tables(clinic, str)
    assert last == [["at specificity 0.95: there is no validation part"]]


def test_the_terminal_has_a_row_a_finding(sets):
    clinic = evaluate_findings("run", sets, METHOD).sets["test"].clinic
    tables = list(finding_clinic_tables(clinic, lambda measured: f"{measured.value:.3f}"))
    assert [rows[0] for rows in tables] == [
        ["for a clinic, at prevalence 0.01", "PPV", "NPV"],
        ["for a clinic, at prevalence 0.2", "PPV", "NPV"],
        ["for a clinic", "positive likelihood ratio", "negative likelihood ratio",
         "Matthews correlation"],
        ["for a clinic", "calibration slope", "calibration intercept", "better than all or none"],
        ["at specificity 0.8 on val", "sensitivity", "specificity"],
        ["at specificity 0.95 on val", "sensitivity", "specificity"],
    ]  # fmt: skip
    for rows in tables:
        assert [row[0] for row in rows[1:]] == list(FINDINGS)
        assert all(len(row) == len(rows[0]) for row in rows)
    assert tables[0][1][1] == f"{clinic['Mass'].predictive_values[0].positive.value:.3f}"
    assert tables[2][1][3] == f"{clinic['Mass'].mcc.value:.3f}"
    assert list(finding_clinic_tables({}, str)) == []
    own = evaluate_findings("run", sets, Method(draws=100)).sets["test"].clinic
    first = next(finding_clinic_tables(own, str))
    assert first[0] == ["for a clinic, in this set", "prevalence", "PPV", "NPV"]
    assert first[2][1] == f"{own['Effusion'].predictive_values[0].prevalence:.3f}"
