import dataclasses

import pytest

from cxr_models.evaluation.predictions import read_predictions, write_predictions
from cxr_models.evaluation.stored import stored_sets
from tests.helpers.report_runs import write_run


def test_the_table_whose_settings_are_not_those_of_the_run_is_named(tmp_path):
    run = write_run(tmp_path / "run")
    names = [predictions.name for predictions in stored_sets(run)]
    table = run / "evaluation/train.csv"
    predictions = read_predictions(table)
    origin = dataclasses.replace(predictions.origin, config_sha256="0" * 64)
    write_predictions(table, dataclasses.replace(predictions, origin=origin))
    with pytest.raises(
        ValueError, match=r"train\.csv', whose settings have changed .* train again"
    ):
        stored_sets(run)
    table.unlink()
    assert [predictions.name for predictions in stored_sets(run)] == names[1:]


def test_without_its_settings_the_tables_of_a_run_must_agree(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "config.json").unlink()
    table = run / "evaluation/test.csv"
    predictions = read_predictions(table)
    assert stored_sets(run)
    origin = dataclasses.replace(predictions.origin, config_sha256="0" * 64)
    write_predictions(table, dataclasses.replace(predictions, origin=origin))
    with pytest.raises(ValueError, match=r"test\.csv', whose settings have changed"):
        stored_sets(run)
