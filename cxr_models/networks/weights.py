"""Loading of pretrained weights into a classifier: ImageNet files of Keras, or a file of the user.

Keras numbers layer names per process, so layers are matched by their order and not by name.
"""

from __future__ import annotations

import contextlib
import textwrap
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from cxr_models.networks.weights_files import check_confined, stored_shapes
from cxr_models.networks.weights_option import check_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.networks.backbones import Backbone
    from cxr_models.networks.weights_files import Shapes

_CURE = "Give a file of that backbone alone, or name the backbone of the file with --backbone."


def load_pretrained(
    model: keras.Model, weights: str, builder: Backbone, image_size: tuple[int, int]
) -> None:
    """Load weights into the backbone of `model`, and into its head if the file has a matching one.

    Parameters
    ----------
    model : keras.Model
        A model from `cxr_models.networks.classifier.build_classifier`.
    weights : str
        ``imagenet``, or the path of a ``.keras``, ``.weights.h5`` or ``.h5`` file. The file
        contains the backbone alone, or the backbone with one dense layer on its pooled features: a
        classifier of this package, or a model of `keras.applications` with its top.
    builder : Backbone
        Backbone of `model`.
    image_size : (int, int)
        Height and width of the images, in pixels.

    Raises
    ------
    ValueError
        If the suffix of the file is not one of these, or the weights do not fit.
    OSError
        If the weights cannot be downloaded or the file does not exist.

    Notes
    -----
    Keras loads the weights into a second model. The weights of its layers are then copied to
    `model`, in the order of the layers. If a layer of the backbone does not fit, nothing is copied.
    The weights of both models are in memory at the same time.
    """
    if weights == "imagenet":
        _copy_in_order(_imagenet(builder, image_size), model, weights, builder)
        return
    path = Path(weights)
    check_weights(weights)
    if path.suffix == ".keras":
        source = _without_code(path)
    else:
        source = _filled(builder.build(weights=None, input_shape=(*image_size, 3)), path, builder)
    _copy_in_order(source, model, weights, builder)


def _without_code(path: Path) -> Any:
    """Load a ``.keras`` model without running code from it; raise if the model contains code."""
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = textwrap.shorten(str(error), 200, placeholder=" ...")
        raise ValueError(
            "`weights` must be a model without code of its own, such as Lambda layers, in a whole "
            f".keras file; got {str(path)!r}, which Keras does not load: {reason}"
        ) from error


def _imagenet(builder: Backbone, image_size: tuple[int, int]) -> Any:
    try:
        return builder.build(weights="imagenet", input_shape=(*image_size, 3))
    except Exception as error:  # the type depends on the failure: urllib, http or Keras
        instructions = (
            f"Keras wanted {builder.imagenet}. Fetch that file elsewhere, put it under "
            "~/.keras/models or pass --weights PATH"
            if builder.imagenet
            else f"`build` of the backbone {builder.title!r} gave none. Pass --weights PATH"
        )
        raise OSError(
            f"`weights` imagenet must be downloaded once, and that failed; {instructions}, or "
            f"train from scratch with --weights none. Reason: "
            f"{textwrap.shorten(str(error), 200, placeholder=' ...')}"
        ) from error


def _filled(bare: keras.Model, path: Path, builder: Backbone) -> Any:
    """Load an HDF5 file into the backbone `bare`, and return it.

    If the file contains a dense layer on the pooled features, the returned model has this layer,
    too.
    """
    with _naming_the_file(path, builder):
        check_confined(path)
        stored = stored_shapes(path)
    of_backbone = [_kind(layer)[1] for layer in _with_weights(bare)]
    # A backbone may have dense layers, too. The order of the arrays of a layer differs in a file.
    others = Counter(map(_in_any_order, stored)) - Counter(map(_in_any_order, of_backbone))
    top = [list(shapes) for shapes in others.elements() if _is_dense(list(shapes))]
    _check_count(len(stored) - len(top), len(of_backbone), str(path), builder)
    source, width = bare, bare.output.shape[-1]
    if top:
        kernel = top[0][0]
        if len(top) > 1 or kernel[0] != width:
            raise ValueError(
                f"`weights` must hold no dense layer but one on the {width} pooled features of "
                f"{builder.title}; got kernels of shapes {[shapes[0] for shapes in top]} in "
                f"{str(path)!r}. Save the backbone alone, with its save_weights."
            )
        pooled = keras.layers.GlobalAveragePooling2D()(bare.output)
        source = keras.Model(bare.inputs, keras.layers.Dense(kernel[1])(pooled))
    with _naming_the_file(path, builder), warnings.catch_warnings():
        # Keras warns about every layer that does not fit, then raises an error.
        warnings.filterwarnings("ignore", message="Skipping nested container")
        source.load_weights(path)
    return source


@contextlib.contextmanager
def _naming_the_file(path: Path, builder: Backbone) -> Iterator[None]:
    """Raise errors of h5py and Keras within the block as ValueError with the path of the file."""
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"`weights` must be a whole HDF5 file; got {str(path)!r}: {error}."
        ) from error
    except (ValueError, KeyError) as error:
        reason = textwrap.shorten(str(error), 300, placeholder=" ...")
        raise ValueError(
            f"`weights` must fit {builder.title}; got {str(path)!r}, which does not: {reason} "
            f"{_CURE}"
        ) from error


def _copy_in_order(
    source: keras.Model, model: keras.Model, weights: str, builder: Backbone
) -> None:
    """Copy the backbone weights of `source` to `model`, and the head if its shapes are equal."""
    *target_layers, head = _with_weights(model)
    source_layers = _with_weights(source)
    top = [layer for layer in source_layers[len(target_layers) :] if _is_dense(_kind(layer)[1])]
    source_layers = source_layers[: len(source_layers) - len(top)]
    _check_count(len(source_layers), len(target_layers), weights, builder)
    for number, (source_layer, target_layer) in enumerate(
        zip(source_layers, target_layers, strict=True), 1
    ):
        if _kind(source_layer) != _kind(target_layer):
            raise ValueError(
                f"`weights` must hold {_described(target_layer)} as layer {number} of the "
                f"{len(target_layers)} with weights of {builder.title}; got "
                f"{_described(source_layer)} in {weights!r}. {_CURE}"
            )
    if [_kind(layer) for layer in top] == [_kind(head)]:
        source_layers, target_layers = [*source_layers, *top], [*target_layers, head]
    for source_layer, target_layer in zip(source_layers, target_layers, strict=True):
        target_layer.set_weights(source_layer.get_weights())


def _check_count(count: int, expected: int, weights: str, builder: Backbone) -> None:
    if count != expected:
        raise ValueError(
            f"`weights` must hold the {expected} layers with weights of {builder.title}; got "
            f"{count} in {weights!r}. {_CURE}"
        )


def _with_weights(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if layer.weights]


def _is_dense(shapes: Shapes) -> bool:
    """Return whether a layer is dense, by the rank of its kernel."""
    return len(shapes[0]) == 2


def _in_any_order(shapes: Shapes) -> tuple[tuple[int, ...], ...]:
    """Return shapes in an order of their own, with kernels first."""
    return tuple(sorted(shapes, key=lambda shape: (-len(shape), shape)))


def _kind(layer: Any) -> tuple[str, Shapes]:
    return type(layer).__name__, [tuple(weight.shape) for weight in layer.weights]


def _described(layer: Any) -> str:
    name, shapes = _kind(layer)
    return f"{name} of shapes {', '.join(map(str, shapes))}"
