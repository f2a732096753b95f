import functools

import pytest

from cxr_models import RunConfig, backbones
from cxr_models.library.own_backbone import with_backbone


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(backbones, "_registered", {})


def Small_Net(**_):  # noqa: N802 - a name that settings do not take
    raise AssertionError


def resnet101(**_):
    raise AssertionError


def same(images):
    return images


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (Small_Net, "small_net"),
        (functools.partial(Small_Net, width=2), "small_net"),
        (resnet101, "resnet101_own"),
        (lambda **_: None, "own_backbone"),
        (type("Callable", (), {"__call__": lambda self: None})(), "own_backbone"),
    ],
    ids=["function", "partial", "taken", "lambda", "object"],
)
def test_a_network_has_the_name_of_its_function(function, name):
    config = with_backbone(RunConfig(), function, same)
    assert config.model.backbone == name
    registered = backbones.find_backbone(name)
    assert (registered.build, registered.preprocess) == (function, same)


def test_a_name_is_a_setting_and_none_changes_nothing():
    assert with_backbone(RunConfig(), None, None) == RunConfig()
    assert with_backbone(RunConfig(), "resnet101", None).model.backbone == "resnet101"
    with pytest.raises(ValueError, match="`backbone` must be one of"):
        with_backbone(RunConfig(), "resnet", None)
    with pytest.raises(ValueError, match="only allowed with a function as `backbone`; got 'resnet"):
        with_backbone(RunConfig(), "resnet101", same)
