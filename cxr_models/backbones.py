"""The backbones that settings can name: four of `keras.applications`, and registered backbones.

The module imports no framework, so that settings can be checked without one.
`cxr_models.networks.backbones` builds the backbones.
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
    """Facts about one backbone of `keras.applications`.

    To add a backbone, add an entry to `BACKBONES`.

    Parameters
    ----------
    application : str
        Name of the function in `keras.applications` that builds the backbone.
    module : str
        Name of the module of `keras.applications` whose `preprocess_input` converts RGB values
        0..255 to the values that the ImageNet weights expect.
    min_size : int
        Smallest height and width of the input, in pixels.
    parameters : int
        Number of parameters without the top.
    weights_file, weights_md5 : str
        Name of the file of ImageNet weights without the top, in ``~/.keras/models``, and the MD5
        of the file, which Keras checks.
    """

    application: str
    module: str
    min_size: int
    parameters: int
    weights_file: str
    weights_md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredBackbone:
    """A backbone that was added with `register_backbone`."""

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
    """Register a user's backbone, so that settings in this process can name it.

    Parameters
    ----------
    name : str
        Name of the backbone in settings. It begins with a lower-case letter and consists of
        lower-case letters, digits and underscores. If `name` is registered already, the new
        functions replace the former ones.
    build : callable
        Function that builds the network without its top, with the arguments that functions of
        `keras.applications` take together with ``include_top=False``.
        ``build(weights=None, input_tensor=x)`` returns a `keras.Model` whose input is the
        `keras.Input` from which `x` was computed, and whose output is features of shape
        (N, H, W, C). ``build(weights=..., input_shape=(H, W, 3))`` returns the network with its own
        input; its weights are None or ``"imagenet"``. The network contains no nested models.
    preprocess : callable
        Function that converts RGB values 0..255, floats of shape (N, H, W, 3), to the input that
        `build` expects. It is called once with a symbolic tensor and becomes part of the model and
        of its exports. Write it with `keras.ops`; its constants must be numbers or NumPy arrays,
        which every export format can store.

    Raises
    ------
    TypeError
        If `name` is not a str, or if `build` or `preprocess` is not callable.
    ValueError
        If `name` contains other characters, or is the name of a backbone in `BACKBONES`.

    Notes
    -----
    A registration holds in one process only. Register the backbone in every process that trains or
    loads a run with it.

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
    """Return the names of all backbones; registered backbones come last."""
    return (*BACKBONES, *_registered)


def find_backbone(name: str) -> BackboneSpec | RegisteredBackbone:
    """Return the facts about the backbone `name`.

    Raises
    ------
    ValueError
        If there is no backbone of this name.
    """
    check_backbone(name)
    return BACKBONES[name] if name in BACKBONES else _registered[name]


def check_backbone(name: object) -> None:
    """Raise ValueError unless `name` is the name of a backbone."""
    names = backbone_names()
    if name not in names:
        near = suggestion(name, names) if isinstance(name, str) else ""
        raise ValueError(
            f"`backbone` must be one of {', '.join(map(repr, names))}; got {name!r}.{near} "
            "Register a network of your own first, in the same process, with "
            "cxr_models.register_backbone."
        )


def backbone_title(name: str) -> str:
    """Return the name of a backbone for reports: as in `keras.applications`, or as registered."""
    return BACKBONES[name].application if name in BACKBONES else name
