import pytest

pytest.importorskip("typer")

from cxr_enhance.cli._pairs import joined_pairs, pair_of


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["a.png", "--size", "4", "5", "b.png"], ["a.png", "--size=4 5", "b.png"]),
        (["--percentiles=1", "99", "--size", "4", "5"], ["--percentiles=1 99", "--size=4 5"]),
        (["--clip-limit", "4", "5"], ["--clip-limit", "4", "5"]),
        (["--size", "4"], ["--size=4"]),
        (["--", "--size", "4", "5"], ["--", "--size", "4", "5"]),
        ([], []),
    ],
)
def test_both_words_of_a_pair_become_one(words, joined):
    assert joined_pairs(words) == joined


def test_a_pair_is_read_as_its_numbers():
    assert pair_of("4 5", "--size", int) == (4, 5)
    assert pair_of("0.05 99.95", "--percentiles", float) == (0.05, 99.95)


@pytest.mark.parametrize("text", ["4", "4 5 6", "4 x", "4.5 6", ""])
def test_anything_else_is_named(text):
    with pytest.raises(ValueError, match="`--size` must be two whole numbers; got"):
        pair_of(text, "--size", int)
