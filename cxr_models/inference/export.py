"""Export of a run as one file or folder for other programs.

The exported model takes raw images and returns calibrated probabilities. It contains resizing,
enhancement and the preprocessing of the backbone, in the order of the pipeline.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

from cxr_enhance.adapters.keras_layers import Enhance
from cxr_models._outputs import replaces_output
from cxr_models.inference.export_layers import ResizeLinear, ToEightBits
from cxr_models.inference.export_metadata import (
    EXPORTS,
    METADATA,
    ONNX_KEY,
    Format,
    load_onnx,
)
from cxr_models.inference.export_metadata import read_metadata as read_metadata  # public here too
from cxr_models.inference.intake import Intake, check_name, settle_intake
from cxr_models.networks.classifier import HEAD, head_layers

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from cxr_models.config import DataConfig
    from cxr_models.inference.calibrated_run import ServedRun

_OPSET = 18
_OUTPUT = "probabilities"  # name of the output, in every format that has names
_SIZES = ("batch", "height", "width")  # names of variable sizes in ONNX


def serving_model(served: ServedRun, intake: Intake) -> keras.Model:
    """Build the model that is exported.

    Parameters
    ----------
    served : ServedRun
        The run with its calibration.
    intake : Intake
        The input format, as `settle_intake` returns it.

    Returns
    -------
    keras.Model
        A model from images (N, H, W, C) to probabilities (N, K), one for each of
        ``served.class_names``.

    Raises
    ------
    ValueError
        If the weights do not fit.
    """
    data = served.run.config.data
    height, width = intake.size or (None, None)
    inputs = keras.Input((height, width, intake.channels), dtype=intake.dtype, name="image")
    x = inputs
    if data.order == "resize-first":
        x = _resized(x, data)
    if data.enhance is not None:
        params = data.enhance
        if intake.white_balanced:
            params = dataclasses.replace(params, percentiles=None)
        x = Enhance(params, name="enhance")(x)
    if data.order == "enhance-first":
        x = _resized(x, data)
    bits = None if data.enhance is None else data.enhance.bits
    x = ToEightBits(bits, name="to_eight_bits")(x)
    if x.shape[-1] != data.channels:
        x = layers.Concatenate(name="gray_to_three")([x] * data.channels)
    return keras.Model(inputs, _calibrated_classifier(served)(x), name="cxr_models")


def export(
    served: ServedRun,
    path: str | os.PathLike[str],
    kind: Format,
    *,
    intake: Intake | None = None,
    overwrite: bool = False,
    say: Callable[[str], object] | None = None,
) -> dict[str, object]:
    """Write a run as a model in the given format, atomically.

    Parameters
    ----------
    served : ServedRun
        The run with its calibration.
    path : str or PathLike
        The output. The file name ends in ``.keras``, ``.onnx`` or ``.tflite`` for the formats
        keras, onnx and litert. The format saved_model writes a folder.
    kind : {"keras", "saved_model", "onnx", "litert"}
        The format.
    intake : Intake, optional
        The input format of the model; None is 8-bit RGB of any size that the export allows.
    overwrite : bool, default False
        Whether an earlier export in this format may be replaced.
    say : callable, optional
        Function that is called with a sentence before each step.

    Returns
    -------
    dict
        The metadata that were written into the model; see `read_metadata`.

    Raises
    ------
    ValueError
        If the format does not support the run or `intake`, the name of `path` does not fit the
        format, `path` is not an earlier export, the weights do not fit, or the Keras backend is not
        tensorflow.
    FileExistsError
        If `path` exists and `overwrite` is false.
    ImportError
        If a package that the format needs is not installed.
    OSError
        If the output cannot be written.
    """
    intake = settle_intake(served.run.config.data, intake or Intake(), kind)
    target = Path(path)
    check_name(target, kind)
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"`KERAS_BACKEND` must be tensorflow for export; got {keras.backend.backend()!r}. It "
            "reads the weights that any backend has trained."
        )
    metadata = served.metadata() | {
        "input": {
            "dtype": intake.dtype,
            "shape": [None, *(intake.size or (None, None)), intake.channels],
            "channels": "RGB, gray as three equal ones" if intake.channels == 3 else "gray",
            "white_balanced": intake.white_balanced,
            "border_cropped": intake.border_cropped,
        }
    }
    with replaces_output(target, EXPORTS[kind], overwrite=overwrite) as temporary:
        tell = say or (lambda _text: None)
        tell(f"building the network: {served.run.config.model.backbone}, weights of the run")
        model = serving_model(served, intake)
        tell("calling it once")
        _call_once(model, served.run.config.data)  # exporters need a model that was called once
        tell(f"converting it to {kind} and writing it, which takes longest")
        _WRITERS[kind](model, temporary, json.dumps(metadata, indent=2) + "\n")
    return metadata


def _resized(images: Any, data: DataConfig) -> Any:
    if images.shape[1:3] == data.image_size:
        return images
    return ResizeLinear(data.image_size, data.fit, name="resize")(images)


def _calibrated_classifier(served: ServedRun) -> keras.Model:
    """Return the classifier without augmentation, calibrated.

    The weights of the last layer are divided by the temperatures. A binary classifier has one
    output, the logit of the positive class; the other class gets the logit 0.
    """
    model = served.load(augmented=False)
    kernel, bias = model.get_layer(HEAD).get_weights()
    if kernel.shape[1] == 1 and not served.multilabel:
        kernel, bias = (np.concatenate([0 * w, w], axis=-1) for w in (kernel, bias))
    classes = len(served.class_names)
    activation = "sigmoid" if served.multilabel else "softmax"
    head = layers.Dense(classes, activation=activation, dtype="float32", name="calibrated")
    result = keras.Model(model.input, head(head_layers(model)[-1].input), name="classifier")
    divisors = served.divisors.astype(np.float32)
    head.set_weights([weights / divisors for weights in (kernel, bias)])
    return result


def _call_once(model: keras.Model, data: DataConfig) -> None:
    size = [
        known or side for known, side in zip(model.input.shape[1:3], data.image_size, strict=True)
    ]
    model(np.zeros((1, *size, model.input.shape[-1]), model.input.dtype))


# --- One function a format -----------------------------------------------------------------------


def _write_keras(model: keras.Model, path: Path, metadata: str) -> None:
    model.save(path)
    _add_to_archive(path, metadata)


def _named(model: keras.Model) -> keras.Model:
    """Return the model with a named output, which appears in signatures."""
    named = keras.Model(model.input, {_OUTPUT: model.output}, name=model.name)
    named(np.zeros((1, *(side or 64 for side in model.input.shape[1:])), model.input.dtype))
    return named


def _name_ends(graph: Any) -> None:
    """Name the variable input sizes and the output of an ONNX graph."""
    (image,), (output,) = graph.input, graph.output
    for place, size in enumerate(image.type.tensor_type.shape.dim):
        if not size.HasField("dim_value"):
            size.dim_param = _SIZES[place]
    output.type.tensor_type.shape.dim[0].dim_param = _SIZES[0]
    former, output.name = output.name, _OUTPUT
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == former:
                    names[place] = _OUTPUT


def _write_saved_model(model: keras.Model, path: Path, metadata: str) -> None:
    import tensorflow as tf

    try:
        _named(model).export(path, format="tf_saved_model", verbose=False)
    except tf.errors.OpError as error:  # TensorFlow's error for a full disk, among others
        raise OSError(f"The SavedModel cannot be written: {error.message[-200:]}") from error
    extra = path / "assets.extra"  # TensorFlow's folder name for files of other programs
    extra.mkdir()
    (extra / METADATA).write_text(metadata, encoding="utf-8")


def _write_onnx(model: keras.Model, path: Path, metadata: str) -> None:
    onnx = load_onnx()
    model.export(path, format="onnx", opset_version=_OPSET, verbose=False)
    written = onnx.load(path)
    _name_ends(written.graph)
    onnx.helper.set_model_props(written, {ONNX_KEY: metadata})
    onnx.save(written, path)


def _write_litert(model: keras.Model, path: Path, metadata: str) -> None:
    _named(model).export(path, format="litert", verbose=False)
    # TensorFlow Lite associates files with a model in an archive after it, which runtimes ignore.
    _add_to_archive(path, metadata)


def _add_to_archive(path: Path, metadata: str) -> None:
    """Add metadata to the archive in `path`, or append an archive if the file is not one."""
    with path.open("rb") as file:
        content = io.BytesIO(file.read())
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(METADATA, metadata)
    path.write_bytes(content.getvalue())


_WRITERS: dict[str, Callable[[keras.Model, Path, str], None]] = {
    "keras": _write_keras,
    "saved_model": _write_saved_model,
    "onnx": _write_onnx,
    "litert": _write_litert,
}
