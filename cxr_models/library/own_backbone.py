"""Backbones that are passed as functions, and their names in settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cxr_models.backbones import BACKBONES, register_backbone

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_models.config import RunConfig

_UNNAMED = "own_backbone"


def with_backbone(
    config: RunConfig,
    backbone: str | Callable[..., Any] | None,
    preprocess: Callable[[Any], Any] | None,
) -> RunConfig:
    """Return settings that name `backbone`, which is registered if it is a function.

    Raises
    ------
    TypeError, ValueError
        If there is no such backbone, or `preprocess` is missing or not allowed.
    """
    check_pair(backbone, preprocess)
    if backbone is None:
        return config
    if isinstance(backbone, str):
        return config.with_setting("model.backbone", backbone)
    name = _name_of(backbone)
    assert preprocess is not None
    register_backbone(name, backbone, preprocess)
    return config.with_setting("model.backbone", name)


def check_pair(
    backbone: str | Callable[..., Any] | None, preprocess: Callable[[Any], Any] | None
) -> None:
    """Raise unless a function has a preprocessing function, and a name has none."""
    if backbone is not None and not isinstance(backbone, str) and not callable(backbone):
        raise TypeError(
            "`backbone` must be a name, or a function that builds a network without its top; got "
            f"{backbone!r}."
        )
    if callable(backbone) and preprocess is None:
        raise ValueError(
            "`preprocess` must be given with a `backbone` of your own; got None. For a network "
            "that takes RGB 0..255 as it is, give lambda images: images."
        )
    if preprocess is not None and not callable(backbone):
        raise ValueError(
            f"`preprocess` is only allowed with a function as `backbone`; got {backbone!r}."
        )


def _name_of(function: Callable[..., Any]) -> str:
    """Return a backbone's name, made of its function's name; of a lambda, a fixed name."""
    function = getattr(function, "func", function)  # of a partial
    plain = re.sub(r"\W+", "_", getattr(function, "__name__", "")).strip("_").lower()
    if not re.match(r"[a-z]", plain) or plain == "lambda":
        plain = _UNNAMED
    return f"{plain}_own" if plain in BACKBONES else plain
