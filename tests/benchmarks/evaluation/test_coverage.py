"""The simulation of intervals runs, and its stored results say what the documents say."""

import json

import pytest

from benchmarks.evaluation.coverage import STORED, main
from benchmarks.evaluation.tables import coverage_table


@pytest.mark.slow
def test_a_quick_simulation_holds_the_truth_about_as_often_as_it_should(capsys):
    assert main(["--quick"]) == 0
    for cell in json.loads(capsys.readouterr().out):
        for name, held in cell["held"].items():
            assert cell["given"][name] == 1.0
            assert held >= 0.87, (cell["patients"], name)  # 100 sets: four standard errors


def stored():
    return json.loads(STORED.read_text())["cells"]


def test_no_interval_was_given_below_ten_patients_of_the_rarer_class():
    for cell in stored():
        for name in ("balanced_accuracy", "roc_auc/rare", "recall/rare"):
            assert cell["given"][name] == (cell["rare"] >= 10), cell


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "roc_auc/rare"])
def test_the_stored_intervals_held_the_truth_in_92_to_98_of_100_sets(name):
    sizes = {}
    for cell in stored():
        if cell["held"][name] is not None:
            sizes.setdefault((cell["patients"], cell["rare"]), []).append(cell["held"][name])
    for size, held in sizes.items():
        assert 0.915 <= sum(held) / len(held) <= 0.985, size  # rounded: 0.92 to 0.98


def test_a_row_shows_the_mean_of_the_models_or_that_none_was_given(tmp_path):
    held = {"accuracy": 0.94, "balanced_accuracy": None, "roc_auc/rare": None, "recall/rare": None}
    cells = [
        {"patients": 100, "rare": 5, "held": {**held, "accuracy": share}} for share in (0.94, 0.96)
    ]
    (tmp_path / "c.json").write_text(json.dumps({"cells": cells}))
    assert coverage_table(tmp_path / "c.json").splitlines()[-1] == (
        "| 100 | 5 (5%) | 0.95 | none given | none given | none given |"
    )
