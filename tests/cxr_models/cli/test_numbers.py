import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_models.cli import main
from cxr_models.cli._numbers import numbers_of


def test_numbers_stand_in_one_word():
    assert numbers_of("0.01,0.1", "--prevalence") == (0.01, 0.1)
    assert numbers_of("0.5", "--prevalence") == (0.5,)
    assert numbers_of(None, "--prevalence") == ()


@pytest.mark.parametrize("text", ["", "0.1;0.2", "0.1,", "a tenth"])
def test_other_words_are_wrong_usage(text, tmp_path, capsys):
    assert main(["evaluate", str(tmp_path), "--prevalence", text]) == 2
    error = capsys.readouterr().err
    assert "`--prevalence` must be numbers with commas between them" in error
    assert f"got {text!r}" in error


def test_shares_out_of_range_are_wrong_usage(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path), "--at-specificity", "95"]) == 2
    assert "`at_specificity` must be different numbers above 0" in capsys.readouterr().err
