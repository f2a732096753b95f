import numpy as np
import pytest

from cxr_models.evaluation.options import aggregation_of, method_of
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
