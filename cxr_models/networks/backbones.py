"""Construction and preprocessing of backbones: rows of `cxr_models.backbones`, or registered."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from cxr_models.backbones import BackboneSpec, find_backbone


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """Functions and facts for building a backbone."""

    title: str  # name in messages
    # function from `weights` and `input_tensor` or `input_shape` to the network without top
    build: Callable[..., Any]
    preprocess: Callable[[Any], Any]  # function from RGB images 0..255 to the network input
    min_size: int = 1  # smallest height and width, in pixels
    imagenet: str = ""  # file of ImageNet weights that Keras downloads; empty if unknown

    def build_on(self, images: Any, source: Any) -> keras.Model:
        """Build the network, with random weights, on symbolic images made from the input `source`.

        Raises
        ------
        TypeError, ValueError
            If the registered function does not build a flat model from the images.
        """
        try:
            built = self.build(weights=None, input_tensor=images)
        except TypeError as error:
            raise TypeError(
                f"`build` of the backbone {self.title!r} must take weights and input_tensor, as "
                f"keras.applications do; got: {str(error).rstrip('.')}."
            ) from error
        if not isinstance(built, keras.Model):
            raise TypeError(
                f"`build` of the backbone {self.title!r} must return a keras.Model; got {built!r}."
            )
        nested = [layer.name for layer in built.layers if isinstance(layer, keras.Model)]
        if nested:
            raise ValueError(
                f"`build` of the backbone {self.title!r} must return a model without models "
                f"inside; got {', '.join(nested)} in it."
            )
        if len(built.inputs) != 1 or built.inputs[0] is not source or len(built.outputs) != 1:
            raise ValueError(
                f"`build` of the backbone {self.title!r} must return a model from what "
                "`input_tensor` was made of to its features, as keras.applications does; got other "
                "inputs or outputs. Begin it with keras.utils.get_source_inputs(input_tensor)."
            )
        if len(built.output.shape) != 4:
            raise ValueError(
                f"`build` of the backbone {self.title!r} must give features of shape (N, H, W, C); "
                f"got {built.output.shape!r}."
            )
        return built

    def preprocessed(self, images: Any) -> Any:
        """Return the preprocessed input of the backbone for symbolic RGB images 0..255.

        Raises
        ------
        TypeError
            If the registered function does not take and return a symbolic tensor.
        """
        try:
            outputs = self.preprocess(images)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"`preprocess` of the backbone {self.title!r} must take a symbolic tensor; got: "
                f"{str(error).rstrip('.')}. Write it in keras.ops."
            ) from error
        if not keras.utils.is_keras_tensor(outputs):
            raise TypeError(
                f"`preprocess` of the backbone {self.title!r} must return a symbolic tensor; got "
                f"{outputs!r}. Write it in keras.ops."
            )
        return outputs


def find_backbone_builder(name: str) -> Backbone:
    """Return the backbone with this name.

    Raises
    ------
    ValueError
        If no backbone has this name, or this version of `keras.applications` does not contain it.
    """
    spec = find_backbone(name)
    if not isinstance(spec, BackboneSpec):
        return Backbone(title=spec.name, build=spec.build, preprocess=spec.preprocess)
    application = getattr(keras.applications, spec.application, None)
    module = getattr(keras.applications, spec.module, None)
    preprocess = getattr(module, "preprocess_input", None)
    if application is None or preprocess is None:
        raise ValueError(
            f"`backbone` must name a row of keras.applications; got {name!r}, whose "
            f"{spec.application} or {spec.module}.preprocess_input is not in Keras "
            f"{keras.__version__}."
        )
    return Backbone(
        title=spec.application,
        build=functools.partial(application, include_top=False),
        preprocess=_as_layer(functools.partial(preprocess, data_format="channels_last")),
        min_size=spec.min_size,
        imagenet=f"{spec.weights_file} (MD5 {spec.weights_md5})",
    )


def _as_layer(preprocess: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that applies `preprocess` as a layer.

    The functions of Keras create constants that are missing in exported ONNX files. The layer uses
    an order of channels, and a factor and an offset per channel. These numbers are computed from
    the results of `preprocess` for black and for three colours.
    """
    black = preprocess(np.zeros((1, 3)))
    slopes = (preprocess(np.eye(3) * 255.0) - black) / 255.0  # (input channel, output channel)
    order = np.abs(slopes).argmax(axis=0).tolist()
    scale, offset = slopes[order, range(3)].tolist(), black[0].tolist()

    def apply(images: Any) -> Any:
        if order == [2, 1, 0]:
            images = images[..., ::-1]
        return keras.layers.Rescaling(scale, offset=offset, name="preprocess")(images)

    return apply
