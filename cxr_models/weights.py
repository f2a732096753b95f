"""Weights into a classifier: Keras's ImageNet files, a path, and clear words where they fail."""

from __future__ import annotations

import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import keras

if TYPE_CHECKING:
    from cxr_models.backbones import BackboneSpec

_SUFFIXES = (".weights.h5", ".h5", ".keras")


def load_pretrained(
    model: keras.Model, weights: str, spec: BackboneSpec, image_size: tuple[int, int]
) -> None:
    """Fill the backbone of `model`, and its head where the file has one that fits.

    Parameters
    ----------
    model : keras.Model
        As `cxr_models.classifier.build_classifier` makes it.
    weights : str
        ``imagenet``, or the path of one of: a ``.keras`` model; ``.weights.h5`` of such a
        classifier or of the bare backbone; ``.h5`` of the bare backbone, as Keras ships it.
    spec : BackboneSpec
        Which backbone it is.
    image_size : (int, int)
        Height and width.

    Raises
    ------
    ValueError
        If the suffix is of no format read here, or the weights do not fit.
    OSError
        If they cannot be downloaded or read.
    """
    if weights == "imagenet":
        _copy_by_name(_imagenet(spec, image_size), model, weights)
        return
    path = Path(weights)
    if not path.name.endswith(_SUFFIXES):
        raise ValueError(
            f"`weights` must be imagenet, none, or a file that ends in {', '.join(_SUFFIXES)}; "
            f"got {weights!r}."
        )
    if not path.is_file():
        raise FileNotFoundError(f"`weights` must name a file that exists; got {weights!r}")
    if path.suffix == ".keras":
        _copy_by_name(_without_code(path), model, weights)
        return
    try:
        with_head = _has_head(path)
        target = model if with_head else spec.build(weights=None, input_shape=(*image_size, 3))
        with warnings.catch_warnings():  # one for every layer of another backbone, then the error
            warnings.filterwarnings("ignore", message="Skipping nested container")
            target.load_weights(path)
    except OSError as error:  # h5py's, which names no file
        raise ValueError(
            f"`weights` must be a whole HDF5 file; got {weights!r}: {error}."
        ) from error
    except (ValueError, KeyError) as error:
        reason = textwrap.shorten(str(error), 300, placeholder=" ...")
        raise ValueError(
            f"`weights` must fit {spec.application} without top, or this classifier; got "
            f"{weights!r}, which does not: {reason} Check the backbone, and the task and classes "
            "the file was trained for."
        ) from error
    if not with_head:
        _copy_by_name(target, model, weights)


def _without_code(path: Path) -> Any:
    """Load a ``.keras`` model; one that holds code of its own is refused, and nothing of it run."""
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = textwrap.shorten(str(error), 200, placeholder=" ...")
        raise ValueError(
            "`weights` must be a model without code of its own, such as Lambda layers, in a whole "
            f".keras file; got {str(path)!r}, which Keras does not load: {reason}"
        ) from error


def _has_head(path: Path) -> bool:
    """Tell the weights of a classifier from those of a bare backbone, which has no Dense layer."""
    if not path.name.endswith(".weights.h5"):
        return False
    with h5py.File(path) as file:
        layers = file.get("layers")
        return isinstance(layers, h5py.Group) and any(name.startswith("dense") for name in layers)


def _imagenet(spec: BackboneSpec, image_size: tuple[int, int]) -> Any:
    try:
        return spec.build(weights="imagenet", input_shape=(*image_size, 3))
    except Exception as error:  # urllib's, http's and Keras's own, by the way it failed
        raise OSError(
            f"`weights` imagenet must be downloaded once, and that failed; Keras wanted "
            f"{spec.weights_file}. Fetch that file elsewhere, put it under ~/.keras/models or pass "
            "--weights PATH, or train from scratch with --weights none. Reason: "
            f"{textwrap.shorten(str(error), 200, placeholder=' ...')}"
        ) from error


def _copy_by_name(source: keras.Model, model: keras.Model, weights: str) -> None:
    """Copy every layer of `source` that has weights to the layer of that name in `model`."""
    given = {layer.name: layer for layer in source.layers if layer.weights}
    wanted = {layer.name: layer for layer in model.layers if layer.weights}
    head = {"probabilities"}  # other tasks and classes have another one
    missing = sorted(set(wanted) - set(given) - head)
    if missing:
        raise ValueError(
            f"`weights` must hold all {len(wanted) - 1} layers of the backbone; got {weights!r}, "
            f"which lacks {len(missing)}, such as {missing[0]}. Is it of another backbone?"
        )
    for name, layer in wanted.items():
        if name not in given:
            continue
        shapes = [tuple(weight.shape) for weight in layer.weights]
        found = [tuple(weight.shape) for weight in given[name].weights]
        if shapes == found:
            layer.set_weights(given[name].get_weights())
        elif name not in head:
            raise ValueError(
                f"`weights` must have shapes {shapes} in layer {name}; got {found} in {weights!r}. "
                "Is it of another backbone?"
            )
