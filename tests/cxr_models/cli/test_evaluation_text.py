import re

import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("scipy", reason="scipy is not installed")

from cxr_models._typed_json import converted
from cxr_models.cli._evaluation_text import evaluation_lines, several_lines, value
from cxr_models.evaluation.compare_runs import compare_or_pool
from cxr_models.evaluation.comparisons import SeveralRuns
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.seeds import spread_over_seeds
from tests.helpers.predicted import make_predictions, with_logits

METHOD = Method(draws=100, prevalences=(0.05,), specificities=(0.9,))


@pytest.fixture
def sets(rng):
    return [make_predictions(rng, images=120, name=name) for name in ("train", "val", "test")]


def cells_of(lines, title):
    (line,) = [line for line in lines if line.strip().startswith(title)]
    return re.split(r"\s{2,}", line.strip().removeprefix(title).strip())


def test_what_a_clinic_asks_stands_in_a_column_for_each_class(sets):
    evaluation = evaluate_sets("run", sets, METHOD)
    lines = list(evaluation_lines(evaluation))
    clinic = evaluation.sets["test"].clinic
    for title, measured in (
        ("PPV at prevalence 0.05", [v.predictive_values[0].positive for v in clinic.values()]),
        ("negative likelihood ratio", [v.negative_likelihood_ratio for v in clinic.values()]),
        ("calibration slope", [v.calibration_slope for v in clinic.values()]),
    ):
        assert cells_of(lines, title) == [value(one) for one in measured]
    assert [line.strip() for line in lines if "at specificity" in line] == [
        "at specificity 0.9 on val"
    ]
    assert all(" to " in cell for cell in cells_of(lines, "better than all or none"))


def test_without_a_prevalence_that_of_the_set_is_named(sets):
    lines = list(evaluation_lines(evaluate_sets("run", sets, Method(draws=100))))
    assert cells_of(lines, "prevalence in this set") == ["0.333"] * 3
    assert len([line for line in lines if line.strip().startswith("PPV there")]) == 1


def test_holms_p_values_stand_beside_those_of_each_pair(rng, sets):
    *others, test = sets
    runs = {
        name: [*others, with_logits(test, test.logits + rng.normal(0, 2, test.logits.shape))]
        for name in "abc"
    }
    several = converted(
        SeveralRuns,
        compare_or_pool(runs, METHOD),
        runs={name: evaluate_sets(name, own, METHOD) for name, own in runs.items()},
        differ={},
    )
    lines = list(several_lines(several))
    assert len([line for line in lines if "McNemar p" in line and ", Holm p " in line]) == 3
    assert len([line for line in lines if "DeLong p" in line and ", Holm p " in line]) == 9
    assert "Holm p: adjusted for all tests of that kind on the set." in lines


def test_runs_of_several_seeds_have_a_table_of_their_spread(rng, sets):
    *others, test = sets
    runs = {
        name: [*others, with_logits(test, test.logits + rng.normal(0, 1, test.logits.shape))]
        for name in "abc"
    }
    evaluations = {name: evaluate_sets(name, own, METHOD) for name, own in runs.items()}
    spreads = spread_over_seeds(runs, evaluations, {"a": 0, "b": 1, "c": 2}, METHOD)
    several = SeveralRuns(runs=evaluations, differ={}, seeds=tuple(spreads))
    lines = list(several_lines(several))
    assert lines[1].startswith("a (seed 0), b (seed 1), c (seed 2) on test: runs that differ")
    value_ = spreads[0].values["accuracy"]
    low, high = value_.interval
    assert cells_of(lines, "accuracy") == [
        f"{value_.mean:.3f}", f"{value_.sd:.3f}", f"{value_.lowest:.3f} to {value_.highest:.3f}",
        f"[{low:.3f}, {high:.3f}]",
    ]  # fmt: skip
