import numpy as np
import pytest

from cxr_models.evaluation.group_columns import GroupColumn
from cxr_models.evaluation.operating_points import Rule
from cxr_models.evaluation.options import aggregation_of, columns_of, method_of
from cxr_models.evaluation.results import Aggregation


def test_a_unit_is_joined_by_the_mean_unless_told_otherwise():
    assert aggregation_of(None, None) is None
    assert aggregation_of("patient", None) == Aggregation(of="patient", by="mean")
    assert aggregation_of("study", "max") == Aggregation(of="study", by="max")


def test_one_number_and_a_list_of_numbers_are_taken():
    method = method_of(draws=100, seed=0, prevalence=0.1, at_specificity=[0.9, np.float32(0.5)])
    assert (method.prevalences, method.specificities) == ((0.1,), (0.9, 0.5))


@pytest.mark.parametrize("given", ["0.1", [0.1, None]])
def test_what_is_no_number_is_refused(given):
    with pytest.raises(TypeError, match="`prevalence` must be a number, or a list of numbers; got"):
        method_of(draws=100, seed=0, prevalence=given)


@pytest.mark.parametrize("option", ["threshold", "sensitivity"])
def test_an_operating_point_is_a_number(option):
    with pytest.raises(TypeError, match=f"`{option}` must be a number; got '0.5'"):
        Rule(**{option: "0.5"})
    assert type(getattr(Rule(**{option: np.float32(0.5)}), option)) is float  # as JSON takes it


def test_columns_are_named_in_one_text_or_in_a_list():
    columns = (GroupColumn(name="sex"), GroupColumn(name="dose", edges=(10.0, 50.0)))
    assert columns_of("sex,dose:10:50") == columns_of(["sex", "dose:10:50"]) == columns
    assert columns_of(None) == ()
    for by in ([], ""):
        with pytest.raises(ValueError, match="`--by` must name columns; got ''"):
            columns_of(by)
    for by in (3, ["sex", None]):
        with pytest.raises(TypeError, match="`by` must name columns, such as 'sex,age'; got"):
            columns_of(by)
