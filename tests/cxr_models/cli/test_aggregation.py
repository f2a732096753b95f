import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_models.cli import main


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
