import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_models.cli import main
from cxr_models.cli._aggregation import aggregation_of
from cxr_models.evaluation.results import Aggregation


def test_a_unit_is_joined_by_the_mean_unless_told_otherwise():
    assert aggregation_of(None, None) is None
    assert aggregation_of("patient", None) == Aggregation(of="patient", by="mean")
    assert aggregation_of("study", "max") == Aggregation(of="study", by="max")


@pytest.mark.parametrize("command", ["evaluate", "predict"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--aggregate", "source"], "`aggregate` must be patient or study; got 'source'."),
        (["--aggregate", "study", "--aggregate-by", "sum"], "`aggregate_by` must be mean or max"),
        (["--aggregate-by", "max"], "`--aggregate-by` is only allowed with --aggregate; got 'max'"),
    ],
)
def test_other_words_are_wrong_usage(command, words, sentence, tmp_path, capsys):
    inputs = [] if command == "evaluate" else [str(tmp_path), "--out", str(tmp_path / "p.csv")]
    assert main([command, str(tmp_path), *inputs, *words]) == 2
    assert sentence in capsys.readouterr().err
