import pytest

from cxr_models.records.layouts.reduce import RULES


@pytest.mark.parametrize(
    ("values", "any_of", "vote", "majority", "first"),
    [
        ("111", "1", "1", "1", "1"),
        ("110", "1", "u", "1", "1"),
        ("010", "1", "u", "0", "0"),
        ("10", "1", "u", "u", "1"),
        ("u00", "u", "u", "0", "u"),
        ("0", "0", "0", "0", "0"),
        ("", "", "", "", ""),
    ],
)
def test_rows_become_one_value(values, any_of, vote, majority, first):
    made = {name: rule(list(values)) for name, rule in RULES.items()}
    assert made == {"any": any_of, "vote": vote, "majority": majority, "first": first}


def test_what_is_unknown_has_no_vote():
    values = ["", "1", ""]
    assert [RULES[name](values) for name in ("any", "vote", "majority", "first")] == [
        "1", "1", "1", "",
    ]  # fmt: skip
    assert {RULES[name](["", ""]) for name in RULES} == {""}
