import pytest

from cxr_enhance import EnhanceParams
from cxr_enhance.tuner.choice import Choice


def test_survives_a_round_trip():
    params = EnhanceParams(clip_limit=3, percentiles=None)
    choice = Choice(params=params, voi="lut", preset="study")
    assert Choice.from_dict(choice.to_dict()) == choice
    choice = Choice(params=params, window=(40.5, 400))
    assert Choice.from_dict(choice.to_dict()) == choice


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"voi": "x"}, "`voi` must be one of"),
        ({"preset": "x"}, "`preset` must be None or one of study, mimic-cxr-jpg; got 'x'."),
        ({"params": {"clip_limit": -1}}, "`clip_limit` must be finite and at least 0"),
        ({"window": [1, 0]}, "`window` must be finite, with a width greater than 0"),
        ({"window": [1, 2], "voi": "none"}, "`window` is only allowed with `voi`"),
        ({"more": 1}, "`choice` must have the names params, voi, window and preset."),
    ],
)
def test_what_a_page_cannot_have_sent_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Choice.from_dict(Choice(params=EnhanceParams()).to_dict() | changes)


def test_what_is_no_choice_at_all_is_refused():
    with pytest.raises(ValueError, match="`choice` must have the names"):
        Choice.from_dict([1])
