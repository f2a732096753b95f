"""Classifier as one flat Keras model: augmentation, preprocessing, backbone and head of the study.

The model maps uint8 images from the pipeline to probabilities. Every step between the two is part
of the model, wherever the model is used. The model is flat and not nested, so that Grad-CAM and
exporters have access to every layer.
"""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import keras
    from keras import layers
except ModuleNotFoundError as error:
    if error.name != "keras":  # a dependency of Keras is missing
        raise
    raise ImportError(
        "keras is needed for cxr_models.networks.classifier. "
        'Install it with: pip install "cxr-enhance[models]"'
    ) from error

from cxr_models.networks.augmentation import RandomRotation
from cxr_models.networks.backbones import Backbone, find_backbone_builder
from cxr_models.networks.weights import load_pretrained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.config import RunConfig

_DROPOUTS = (0.2, 0.5)  # dropout rates in the head of the study
_AUGMENTED = ("to_float", "augment_flip", "augment_rotation")
FEATURES = "features"  # name of the layer of pooled features, which is the input of the head
HEAD = "probabilities"  # name of the last layer


@keras.saving.register_keras_serializable(package="cxr_models")
class BatchNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalization that always uses its stored statistics and never changes them.

    Scale and offset are trained as usual. The study calls a nested backbone with
    ``training=False``; this layer has the same effect in a flat model. The class has the name of
    the Keras layer, because weights files name layers by their class. The weights of a run from
    scratch can therefore be loaded, too.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize with the stored mean and variance, for every value of `training`."""
        return super().call(inputs, training=False, mask=mask)


def build_classifier(
    config: RunConfig, num_classes: int, *, steps_per_epoch: int = 1
) -> keras.Model:
    """Build the model of a run, with its initial weights.

    Parameters
    ----------
    config : RunConfig
        Settings: size, channels, augmentation, backbone, task, weights, recipe and seed are used.
    num_classes : int
        Number of labels, at least 2. For ``multilabel``, the number of findings.
    steps_per_epoch : int, default 1
        Number of training steps per epoch. Without pretrained weights, it determines the momentum
        of batch normalization.

    Returns
    -------
    keras.Model
        Model from uint8 images of shape (N, H, W, C) to probabilities. Probabilities have shape
        (N, num_classes) for ``multiclass``; (N, 1), for the positive class, for ``binary``; and
        (N, num_classes), independent for each finding, for ``multilabel``. With pretrained weights,
        batch normalization never changes its statistics; without them, it learns its statistics.
        Use ``predict``, or call the model with ``training=False``: a call without this argument
        augments the images.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or not as many as findings. If the image size is too
        small for the backbone, the registered backbone does not build a usable network, or the
        weights do not fit.
    TypeError
        If a registered backbone does not return a Keras model and Keras tensors.
    OSError
        If the weights cannot be downloaded or read.

    Notes
    -----
    Weights without a seed of their own follow the seed of `config`. The random states of Python,
    NumPy and torch are as before afterwards. The global seed of TensorFlow is set and stays set,
    because TensorFlow cannot restore its random state.
    """
    with random_states_kept():
        keras.utils.set_random_seed(config.training.seed)
        return _build(config, num_classes, steps_per_epoch)


def build_unseeded(config: RunConfig, num_classes: int) -> keras.Model:
    """Build the model of `build_classifier`, with random weights that depend on no seed.

    The function is for models whose weights are loaded. It changes no global random state.
    """
    with random_states_kept():
        return _build(config, num_classes, 1)


@contextlib.contextmanager
def random_states_kept() -> Iterator[None]:
    """Restore the random states of Python and NumPy, and of torch as the backend, after the block.

    Keras draws the seeds of layers and of initial weights from the random state of Python.
    """
    python_state = random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 - the state that Keras seeds
    with contextlib.ExitStack() as stack:
        if keras.backend.backend() == "torch":
            import torch

            stack.enter_context(torch.random.fork_rng())
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


def _build(config: RunConfig, num_classes: int, steps_per_epoch: int) -> keras.Model:
    findings = config.model.findings
    if findings and num_classes != len(findings):
        raise ValueError(
            f"`num_classes` must be the number of findings, {len(findings)}; got {num_classes!r}."
        )
    if num_classes < 2 and not findings:
        raise ValueError(f"`num_classes` must be at least 2; got {num_classes!r}.")
    builder = find_backbone_builder(config.model.backbone)
    height, width = config.data.image_size
    if min(height, width) < builder.min_size:
        raise ValueError(
            f"`image_size` must be at least ({builder.min_size}, {builder.min_size}) for "
            f"{builder.title}; got {(height, width)!r}."
        )
    pretrained = config.model.weights != "none"
    inputs = layers.Input((height, width, config.data.channels), dtype="uint8", name="image")
    backbone = builder.build_on(_front(inputs, config, builder), inputs)
    if pretrained:
        fix_statistics(backbone)
    else:
        set_momentum(backbone, momentum_for(steps_per_epoch))
    outputs = add_head(backbone.output, config, num_classes)
    model = keras.Model(backbone.inputs[0], outputs, name=f"cxr_{config.model.backbone}")
    if pretrained:
        load_pretrained(model, config.model.weights, builder, (height, width))
    return model


def add_head(features: Any, config: RunConfig, num_classes: int) -> Any:
    """Return the probabilities of the head of the study, on backbone output or pooled features.

    Parameters
    ----------
    features : keras.KerasTensor
        Output of the backbone, of shape (N, H, W, C), which is pooled, or pooled features.
    config : RunConfig
        Settings: task and seed are used.
    num_classes : int
        Number of labels or findings. For ``binary``, the head has one output.
    """
    seed = config.training.seed
    if len(features.shape) == 4:
        features = layers.GlobalAveragePooling2D(name=FEATURES)(features)
    x = features
    for number, rate in enumerate(_DROPOUTS):
        x = layers.Dropout(rate, seed=seed, name=f"head_dropout_{number}")(x)
    task = config.model.task
    # Probabilities are float32, even if the other layers use mixed precision.
    return layers.Dense(
        1 if task == "binary" else num_classes,
        activation="softmax" if task == "multiclass" else "sigmoid",
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        dtype="float32",
        name=HEAD,
    )(x)


def head_layers(model: keras.Model) -> list[Any]:
    """Return the layers of the head: all layers after the pooled features."""
    names = [layer.name for layer in model.layers]
    return list(model.layers[names.index(FEATURES) + 1 :])


def augmented_images(model: keras.Model) -> Any:
    """Return the images of `model` after augmentation, as a symbolic tensor."""
    return [layer for layer in model.layers if layer.name in _AUGMENTED][-1].output


def set_backbone_trainable(model: keras.Model, trainable: bool) -> None:
    """Set whether every layer before the head is trainable."""
    head = {layer.name for layer in head_layers(model)}
    for layer in model.layers:
        if layer.name not in head:
            layer.trainable = trainable


def momentum_for(steps_per_epoch: int) -> float:
    """Return the momentum with which batch normalization averages over a fifth of an epoch.

    The result is limited to 0.9..0.99. With the momentum of NASNet, 0.9997, the statistics need
    10,000 steps to settle, which is too long for short runs.
    """
    return min(max(1.0 - 5.0 / max(steps_per_epoch, 1), 0.9), 0.99)


def set_momentum(model: keras.Model, momentum: float) -> None:
    """Set the momentum of every batch normalization of `model`."""
    for layer in _batch_normalizations(model):
        layer.momentum = momentum


def fix_statistics(model: keras.Model) -> None:
    """Make every batch normalization of `model` an instance of `BatchNormalization`."""
    for layer in _batch_normalizations(model):
        layer.__class__ = BatchNormalization  # a copy could not replace a layer inside of a layer


def _batch_normalizations(model: keras.Model) -> list[Any]:
    """Return the batch normalizations among the layers of `model`, and inside of its layers."""
    # Keras has no public function for the layers inside of layers.
    nested = model._flatten_layers()
    return [layer for layer in nested if isinstance(layer, layers.BatchNormalization)]


def _front(images: Any, config: RunConfig, builder: Backbone) -> Any:
    seed = config.training.seed
    x = layers.Rescaling(1.0, name=_AUGMENTED[0])(images)  # uint8 to floating point
    if config.data.flip:
        x = layers.RandomFlip("horizontal", seed=seed, name=_AUGMENTED[1])(x)
    if config.data.rotation:
        x = RandomRotation(config.data.rotation, seed=seed, name=_AUGMENTED[2])(x)
    if config.data.channels == 1:
        x = layers.Concatenate(name="gray_to_rgb")([x, x, x])
    if config.training.recipe == "study":
        # The study divides images by 255 without enhancement, and does not scale enhanced images.
        return x if config.data.enhance is not None else layers.Rescaling(1 / 255)(x)
    return builder.preprocessed(x)
