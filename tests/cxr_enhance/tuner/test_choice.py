import pytest

from cxr_enhance import EnhanceParams
from cxr_enhance.tuner.choice import Choice


def test_survives_a_round_trip():
    choice = Choice(params=EnhanceParams(clip_limit=3, percentiles=None), voi="lut", preset="study")
    assert Choice.from_dict(choice.to_dict()) == choice


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"voi": "x"}, "`voi` must be one of"),
        ({"preset": "x"}, "`preset` must be None or one of study, mimic-cxr-jpg; got 'x'."),
        ({"params": {"clip_limit": -1}}, "`clip_limit` must be finite and at least 0"),
        ({"more": 1}, "`choice` must have the names params, voi and preset."),
    ],
)
def test_what_a_page_cannot_have_sent_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Choice.from_dict(Choice(params=EnhanceParams()).to_dict() | changes)


def test_what_is_no_choice_at_all_is_refused():
    with pytest.raises(ValueError, match="`choice` must have the names"):
        Choice.from_dict([1])
