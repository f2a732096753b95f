import pytest

from cxr_models.records.choices import Choices


@pytest.mark.parametrize("name", ["priority", "views", "modalities", "keep"])
def test_one_str_is_not_read_as_names_of_its_letters(name):
    with pytest.raises(TypeError, match=rf"`{name}` must be several names; got 'PA'\. Write \['PA"):
        Choices(**{name: "PA"})
    with pytest.raises(TypeError, match=rf"`{name}` must be several names, each a str; got \[1\]"):
        Choices(**{name: [1]})


def test_lists_are_names_as_tuples_and_sets_are():
    listed = Choices(priority=["a", "b"], views=["PA"], modalities=["CR"], keep=["ward"])
    assert listed == Choices(
        priority=("a", "b"), views=frozenset(("PA",)), modalities=frozenset(("CR",)), keep=("ward",)
    )
    assert Choices(where={"sex": ["F"]}) == Choices(where={"sex": frozenset("F")})


def test_values_of_a_condition_are_several():
    with pytest.raises(TypeError, match=r"`where\['sex'\]` must be several names; got 'F'\. Write"):
        Choices(where={"sex": "F"})
    with pytest.raises(TypeError, match=r"`where` must be a dictionary .* got 'sex=F'"):
        Choices(where="sex=F")
