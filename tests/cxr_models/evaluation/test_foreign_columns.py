import math

import numpy as np
import pytest

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.foreign_columns import (
    SMALLEST,
    class_columns,
    classes_of,
    finding_scores_of,
    is_class_column,
    scores_of,
)


def scores(header, *rows, read=scores_of):
    columns = class_columns(header, "t.csv")
    cells = [[row[place] for place in columns.places] for row in rows]
    return read(columns, cells, lambda row: f"{row}.png")


def test_columns_of_classes_are_found_under_all_their_names_and_sorted():
    columns = class_columns(["file", "prob:virus", "Probability: covid", "age"], "t.csv")
    assert columns.classes == ("covid", "virus")
    assert columns.probabilities == (2, 1)
    assert columns.logits == ()
    assert [is_class_column(name) for name in ("prob:a", "LOGIT:a b", "probable", "prob")] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (["file", "label"], r"`t.csv` must have a column prob:CLASS for each class; got file, lab"),
        (["prob:a", "probability:a"], r"`probability:` must be there once for each class; got 'p"),
        (
            ["label", "prob:a", "label"],
            r"`t.csv` must name each column once, .*; got 'label' twice",
        ),
        (["prob:", "prob:a"], r"`prob:` must name a class; got 'prob:' in t.csv"),
        (["prob:a", "prob:b", "logit:a"], r"`logit:` must be given for the classes of prob:, a, b"),
    ],
)
def test_columns_that_do_not_fit_are_refused(header, sentence):
    with pytest.raises(ValueError, match=sentence):
        class_columns(header, "t.csv")


def test_probabilities_come_back_and_their_logarithms_are_the_logits():
    one = scores(["prob:a", "prob:b", "prob:c"], ["0.7", "0,2", "0.1"], ["0.25", "0.5", "0.25"])
    np.testing.assert_allclose(one.probabilities, [[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]], atol=1e-15)
    np.testing.assert_array_equal(one.logits, np.log([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]]))
    assert (one.off, one.zeros, one.logits_given) == (0, 0, False)


def test_sums_that_were_rounded_and_zeros_are_counted_and_no_probability_is_changed():
    one = scores(["prob:a", "prob:b", "prob:c"], ["0.33", "0.33", "0.33"], ["1", "0", "0.0"])
    np.testing.assert_array_equal(one.probabilities, [[0.33] * 3, [1, 0, 0]])
    np.testing.assert_array_equal(one.logits[1], np.log([1, SMALLEST, SMALLEST]))
    assert (one.off, one.zeros) == (1, 2)


@pytest.mark.parametrize("read", [scores_of, finding_scores_of])
def test_a_probability_of_0_has_a_lower_logit_than_all_others(read):
    rows = ["0.5", "0.5"], ["1", "1e-30"], ["1", "0"], ["1e-40", "1"]
    for place, column in enumerate(scores(["prob:a", "prob:b"], *rows, read=read).logits.T):
        order = np.argsort([float(row[place]) for row in rows])
        assert (np.diff(column[order]) >= 0).all()
        assert np.isfinite(column).all()
    zero = scores(["prob:a", "prob:b"], *rows, read=read).logits[2, 1]
    assert zero < math.log(1e-40)


def test_one_column_is_completed_by_the_rest():
    one = scores(["prob:tb"], ["0.9"], ["1.0"])
    np.testing.assert_allclose(one.probabilities, [[0.1, 0.9], [0.0, 1.0]])
    logit = math.log(0.9 / 0.1)
    one = scores(["logit:tb"], [str(logit)])
    np.testing.assert_allclose(one.probabilities, [[0.1, 0.9]])


def test_logits_are_used_where_given():
    logits = np.array([[3.0, -1.0], [0.5, 0.25]])
    rows = [
        [*(f"{value:.2f}" for value in shares), *map(str, values)]
        for shares, values in zip(softmax(logits), logits, strict=True)
    ]
    header = ["prob:a", "prob:b", "logit:a", "logit:b"]
    one = scores(header, *rows)
    np.testing.assert_array_equal(one.logits, logits)
    np.testing.assert_allclose(one.probabilities, softmax(logits))
    with pytest.raises(ValueError, match=r"`prob:` must be the softmax of the columns logit:; got "
                       r"0\.5 where the logits give 0\.982 for '0\.png'"):  # fmt: skip
        scores(header, ["0.5", "0.5", "3", "-1"])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([["87%", "13%"]], r"`prob:a` must be a number from 0 to 1; got '87%' for '0.png'. Divide"),
        ([["0.5", "0.5"], ["87", "13"]], r"got '87' for '1.png'. Divide percentages by 100"),
        ([["2.3", "-1"]], r"got '2.3' for '0.png'. Logits belong in columns logit:CLASS"),
        ([["2.3", "1"], ["0", "-1"]], r"got '2.3' for .*image. Logits belong in columns logit"),
        ([["2.3", "1"]], r"got '2.3' .* percentages by 100; logits belong in columns logit:CLASS"),
        ([["nan", "1"], ["", "1"]], r"got 'nan' for '0.png' and 1 other image. Leave out rows"),
        ([["0", "inf"]], r"`prob:b` must be a number from 0 to 1; got 'inf' for '0.png'"),
        ([["-3.2", "0"]], r"got '-3.2' for '0.png'. Logits belong in columns logit:CLASS"),
        ([["yes", "no"]], r"got 'yes' for '0.png'. Leave out rows without a prediction"),
        ([["0.9", "0.8"]], r"`prob:` must sum to 1 over the classes a, b; got 1.7 for '0.png'"),
    ],
)
def test_cells_that_are_no_probabilities_are_refused_with_their_image(rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        scores(["prob:a", "prob:b"], *rows)


def test_logits_must_be_finite():
    with pytest.raises(ValueError, match=r"`logit:b` must be a finite number; got '-inf' for '0.p"):
        scores(["logit:a", "logit:b"], ["1", "-inf"])


def test_classes_are_the_columns_in_alphabetical_order():
    one = classes_of(["covid", "normal"], ["normal", "normal"], "t.csv")
    assert one == (("covid", "normal"), ("covid", "normal"), (0, 1))
    with pytest.raises(ValueError, match=r"`label` must be a class that has a column, covid, norma"
                       r"l; got flu in 2 rows of t.csv. Add the column prob:flu"):  # fmt: skip
        classes_of(["covid", "normal"], ["flu", "covid", "flu"], "t.csv")


@pytest.mark.parametrize(
    ("columns", "labels", "names", "order"),
    [
        (["tb"], ["tb", "normal"], ("normal", "tb"), (0, 1)),
        (["covid"], ["covid", "normal"], ("normal", "covid"), (0, 1)),
        (["covid"], ["covid", "normal", "virus"], ("not covid", "covid"), (0, 1)),
        (["covid"], ["covid"], ("not covid", "covid"), (0, 1)),
        (["covid"], ["covid", "not covid"], ("not covid", "covid"), (0, 1)),
        (["covid", "not covid"], ["covid", "flu"], ("not covid", "covid"), (1, 0)),
        (["a", "not a"], ["a", "not a"], ("not a", "a"), (1, 0)),
    ],
)
def test_a_class_against_the_rest_is_named_as_in_runs(columns, labels, names, order):
    one = classes_of(columns, labels, "t.csv")
    assert (one.names, one.order) == (names, order)


def test_a_single_column_must_be_of_a_label_that_occurs():
    with pytest.raises(ValueError, match=r"`label` must be 'tb', the class of the only column "
                       r"prob:tb, in at least one row; got 0, 1 in t.csv"):  # fmt: skip
        classes_of(["tb"], ["0", "1"], "t.csv")


@pytest.mark.parametrize("columns", [["tb"], ["not tb", "tb"]])
def test_what_is_no_other_class_does_not_count_as_one(columns):
    with pytest.raises(ValueError, match=r"`label` must be spelled as the column prob:tb is named; "
                       r"got 'TB' in 2 rows of t.csv, which would count as not tb"):  # fmt: skip
        classes_of(columns, ["tb", "TB", "well", "TB"], "t.csv")
    with pytest.raises(ValueError, match=r"`label` must name the class of every image; got 'NaN' in"
                       r" 1 row of t.csv, .* Leave these rows out"):  # fmt: skip
        classes_of(columns, ["tb", "NaN", "well"], "t.csv")


def test_findings_need_not_sum_to_1_and_their_logits_are_log_odds():
    one = scores(["prob:a", "prob:b"], ["0.9", "0.8"], ["0", "1"], read=finding_scores_of)
    np.testing.assert_allclose(one.probabilities, [[0.9, 0.8], [0, 1]], atol=1e-15)
    np.testing.assert_allclose(one.logits[0], [math.log(9), math.log(4)])
    assert np.isfinite(one.logits).all()
    assert (one.off, one.zeros) == (0, 2)


def test_logits_of_findings_are_used_where_given():
    header = ["prob:a", "logit:a"]
    one = scores(header, ["0.9", str(math.log(9))], read=finding_scores_of)
    np.testing.assert_allclose(one.probabilities, [[0.9]])
    with pytest.raises(
        ValueError, match=r"`prob:` must be the sigmoid of the columns logit:; got 0"
    ):
        scores(header, ["0.9", "-1"], read=finding_scores_of)
    with pytest.raises(ValueError, match=r"`prob:a` must be a number from 0 to 1; got '1.5'"):
        scores(["prob:a"], ["1.5"], read=finding_scores_of)


def test_probabilities_are_those_that_were_written_bit_by_bit():
    shares = [round(0.01 * number, 2) for number in range(1, 100)]
    rows = [[str(share)] for share in shares]
    np.testing.assert_array_equal(scores(["prob:tb"], *rows).probabilities[:, 1], shares)
    findings = scores(["prob:tb"], *rows, read=finding_scores_of)
    np.testing.assert_array_equal(findings.probabilities[:, 0], shares)
    # Of equal probabilities of a class none is the larger, whatever those of the others are.
    tied = scores(["prob:a", "prob:b", "prob:c"], ["0.3", "0.51", "0.19"], ["0.3", "0.1", "0.6"])
    assert tied.probabilities[0, 0] == tied.probabilities[1, 0] == 0.3
