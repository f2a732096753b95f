import doctest

from cxr_models import _counts


def test_the_examples_are_true():
    assert doctest.testmod(_counts).failed == 0
