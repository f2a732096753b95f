"""Evaluations and comparisons are the same after they were written and read again."""

import copy
import json

import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from cxr_models._typed_json import converted, from_json, to_json
from cxr_models.evaluation.compare_runs import compare_or_pool
from cxr_models.evaluation.comparisons import SeveralRuns
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.results import Evaluation, Measured, OperatingPoint
from tests.helpers.predicted import make_predictions

METHOD = Method(draws=100)


@pytest.fixture
def sets(rng):
    return [make_predictions(rng, name=name) for name in ("val", "test")]


def stored(record):
    return json.loads(json.dumps(to_json(record), allow_nan=False))


def test_an_evaluation_comes_back_from_its_file(sets):
    evaluation = evaluate_sets("run", sets, METHOD)
    assert from_json(Evaluation, stored(evaluation)) == evaluation


@pytest.mark.parametrize("root", ["/images", "/elsewhere"], ids=["compared", "pooled"])
def test_several_runs_come_back_from_their_file(rng, sets, root):
    runs = {"a": sets, "b": [make_predictions(rng, name=n, root=root) for n in ("val", "test")]}
    several = converted(
        SeveralRuns,
        compare_or_pool(runs, METHOD),
        runs={name: evaluate_sets(name, own, METHOD) for name, own in runs.items()},
        differ={"training.seed": {"a": 1, "b": None}},
    )
    assert (several.pooled is None) == (root == "/images")
    content = stored(several)
    assert from_json(SeveralRuns, content) == several
    assert list(content) == ["runs", "differ", "comparisons" if root == "/images" else "pooled"]


def test_a_set_that_lacks_a_class_is_refused(sets):
    content = stored(evaluate_sets("run", sets, METHOD))
    changed = copy.deepcopy(content)
    del changed["sets"]["test"]["classes"]["virus"]
    with pytest.raises(ValueError, match=r"^sets\.test\.classes\.virus is missing$"):
        from_json(Evaluation, changed)
    del content["sets"]["test"]["classes"]["virus"]["operating_point"]["precision"]
    place = r"^sets\.test\.classes\.virus\.operating_point: sensitivity, .* precision is missing$"
    with pytest.raises(ValueError, match=place):
        from_json(Evaluation, content)


def test_what_is_undefined_has_a_reason():
    Measured(value=None, interval=None, reason="no image of this class")
    for value, interval in ((None, None), (0.5, None), (None, (0.1, 0.2))):
        with pytest.raises(ValueError, match="`reason` is missing where there is no value or no"):
            Measured(value=value, interval=interval)
    with pytest.raises(ValueError, match="`reason` is missing where there is no threshold"):
        OperatingPoint(threshold=None)
