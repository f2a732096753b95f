import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_enhance.cli.console import printable


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Müller/chest 1.png", "Müller/chest 1.png"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("a\udcff.png", "a\\xff.png"),  # a byte of a name that is not UTF-8
        ("a\ud800.png", "a\\ud800.png"),  # half a character, as JSON may hold it
    ],
)
def test_a_text_is_printed_as_one_line_of_printable_characters(text, printed):
    assert printable(text) == printed
