"""The backbones that a run may name: rows of `keras.applications`, and those registered here.

Imports no framework, so that settings are checked without one; `cxr_models.networks.backbones`
builds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cxr_models._settings import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneSpec:
    """Facts of one backbone of `keras.applications`; a further backbone is a further row.

    Parameters
    ----------
    application : str
        Function of the backbone in `keras.applications`.
    module : str
        The module of `keras.applications` whose `preprocess_input` makes of RGB 0..255 what its
        ImageNet weights expect.
    min_size : int
        Smallest height and width, in pixels.
    parameters : int
        Parameters without the top.
    weights_file, weights_md5 : str
        Name of the ImageNet weights without the top, under ``~/.keras/models``, and the MD5 that
        Keras checks.
    """

    application: str
    module: str
    min_size: int
    parameters: int
    weights_file: str
    weights_md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredBackbone:
    """A backbone that `register_backbone` added."""

    name: str
    build: Callable[..., Any]
    preprocess: Callable[[Any], Any]


BACKBONES: Mapping[str, BackboneSpec] = MappingProxyType(
    {
        "nasnet_mobile": BackboneSpec(
            application="NASNetMobile",
            module="nasnet",
            min_size=32,
            parameters=4_269_716,
            weights_file="nasnet_mobile_no_top.h5",
            weights_md5="1ed92395b5b598bdda52abe5c0dbfd63",
        ),
        "resnet101": BackboneSpec(
            application="ResNet101",
            module="resnet",
            min_size=32,
            parameters=42_658_176,
            weights_file="resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5",
            weights_md5="88cf7a10940856eca736dc7b7e228a21",
        ),
        "inception_resnet_v2": BackboneSpec(
            application="InceptionResNetV2",
            module="inception_resnet_v2",
            min_size=75,
            parameters=54_336_736,
            weights_file="inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            weights_md5="d19885ff4a710c122648d3b5c3b684e4",
        ),
        "densenet121": BackboneSpec(
            application="DenseNet121",
            module="densenet",
            min_size=32,
            parameters=7_037_504,
            weights_file="densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
            weights_md5="30ee3e1110167f948a6b9946edeeb738",
        ),
    }
)
_registered: dict[str, RegisteredBackbone] = {}


def register_backbone(
    name: str, build: Callable[..., Any], preprocess: Callable[[Any], Any]
) -> None:
    """Let runs of this process name a backbone of one's own.

    Parameters
    ----------
    name : str
        What settings call it: lower-case letters, digits and underscores. A name registered before
        takes the new functions.
    build : callable
        Makes the network without top, as functions of `keras.applications` with
        ``include_top=False`` do: ``build(weights=None, input_tensor=x)`` returns a `keras.Model`
        from what `x` was made of to features of shape (N, H, W, C), and
        ``build(weights=..., input_shape=(H, W, 3))`` the network alone, with the weights None or
        ``"imagenet"``. It has no models inside, and no dense layers.
    preprocess : callable
        Makes of RGB 0..255, floats of shape (N, H, W, 3), what `build` expects. It is called once
        with a symbolic tensor and becomes part of the model and its exports: write it in
        `keras.ops`, with constants that are numbers or NumPy arrays, which all formats hold.

    Raises
    ------
    TypeError
        If `name` is no str, or `build` or `preprocess` cannot be called.
    ValueError
        If `name` has other characters, or is that of a backbone that is always there.

    Notes
    -----
    Other processes do not know of it: register it wherever a run with it is trained or loaded.

    Examples
    --------
    >>> import functools
    >>> from cxr_models import ModelConfig, register_backbone
    >>> def mobilenet(**options):
    ...     import keras
    ...     return keras.applications.MobileNetV2(include_top=False, **options)
    >>> def to_one(images):
    ...     return images / 127.5 - 1.0
    >>> register_backbone("mobilenet_v2", mobilenet, to_one)
    >>> ModelConfig(backbone="mobilenet_v2").backbone
    'mobilenet_v2'
    """
    if not isinstance(name, str):
        raise TypeError(f"`name` must be a str; got {name!r}.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(
            f"`name` must be lower-case letters, digits and underscores; got {name!r}."
        )
    if name in BACKBONES:
        raise ValueError(f"`name` must be none of {', '.join(BACKBONES)}; got {name!r}.")
    for option, function in (("build", build), ("preprocess", preprocess)):
        if not callable(function):
            raise TypeError(f"`{option}` must be callable; got {function!r}.")
    _registered[name] = RegisteredBackbone(name=name, build=build, preprocess=preprocess)


def backbone_names() -> tuple[str, ...]:
    """Return the names of all backbones, those registered last."""
    return (*BACKBONES, *_registered)


def find_backbone(name: str) -> BackboneSpec | RegisteredBackbone:
    """Return what is known of a backbone.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    check_backbone(name)
    return BACKBONES[name] if name in BACKBONES else _registered[name]


def check_backbone(name: object) -> None:
    """Raise ValueError unless `name` is that of a backbone."""
    names = backbone_names()
    if name not in names:
        near = suggestion(name, names) if isinstance(name, str) else ""
        raise ValueError(
            f"`backbone` must be one of {', '.join(map(repr, names))}; got {name!r}.{near} "
            "Register a network of your own first, in the same process, with "
            "cxr_models.register_backbone."
        )


def backbone_title(name: str) -> str:
    """Return what a backbone is called in print: as in `keras.applications`, or as registered."""
    return BACKBONES[name].application if name in BACKBONES else name
