"""One flat Keras model: augmentation, the backbone's preprocessing, the backbone, the study's head.

The model takes uint8 images as the pipeline yields them and gives probabilities, so every step
between the two is part of the model wherever it is used. Flat, not nested, so that
Grad-CAM and exporters see every layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from cxr_models.networks.backbones import Backbone, find_builder
from cxr_models.networks.weights import load_pretrained

if TYPE_CHECKING:
    from cxr_models.config import RunConfig

_DROPOUTS = (0.2, 0.5)  # the study's
_AUGMENTED = ("to_float", "augment_flip", "augment_rotation")
FEATURES = "features"  # name of the layer that the head starts from
HEAD = "probabilities"  # name of the last layer


@keras.saving.register_keras_serializable(package="cxr_models")
class BatchNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalization that always uses its stored statistics and never changes them.

    Its scale and offset train as usual. In a flat model this is what calling a nested backbone
    with ``training=False`` is in the study. The class has the name of Keras's own layer because
    files of weights name layers by their class: so weights of a run from scratch fit here too.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize with the stored mean and variance, whatever `training` says."""
        return super().call(inputs, training=False, mask=mask)


def build_classifier(
    config: RunConfig, num_classes: int, *, steps_per_epoch: int = 1
) -> keras.Model:
    """Build the model of a run, with its weights.

    Parameters
    ----------
    config : RunConfig
        Size, channels, augmentation, backbone, task, weights, recipe and seed are taken from it.
    num_classes : int
        Number of labels, at least 2; for ``multilabel`` the number of findings.
    steps_per_epoch : int, default 1
        From scratch, the momentum of batch normalization follows from this number.

    Returns
    -------
    keras.Model
        From uint8 images of shape (N, H, W, C) to probabilities: (N, num_classes) for
        ``multiclass``, (N, 1), that of the positive class, for ``binary``, and (N, num_classes),
        each finding by itself, for ``multilabel``. With pretrained weights batch normalization
        never changes its statistics; from scratch it learns them. Call it with
        ``training=False``, or use ``predict``: Keras augments where a call does not say.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or not as many as findings, the image is too small
        for the backbone, the registered backbone builds no usable network, or the weights do not
        fit.
    TypeError
        If a registered backbone does not return a Keras model and Keras tensors.
    OSError
        If the weights cannot be downloaded or read.
    """
    findings = config.model.findings
    if findings and num_classes != len(findings):
        raise ValueError(
            f"`num_classes` must be the number of findings, {len(findings)}; got {num_classes!r}."
        )
    if num_classes < 2 and not findings:
        raise ValueError(f"`num_classes` must be at least 2; got {num_classes!r}.")
    builder = find_builder(config.model.backbone)
    height, width = config.data.image_size
    if min(height, width) < builder.min_size:
        raise ValueError(
            f"`image_size` must be at least ({builder.min_size}, {builder.min_size}) for "
            f"{builder.title}; got {(height, width)!r}."
        )
    keras.utils.set_random_seed(config.training.seed)
    pretrained = config.model.weights != "none"
    inputs = layers.Input((height, width, config.data.channels), dtype="uint8", name="image")
    backbone = builder.build_on(_front(inputs, config, builder), inputs)
    if pretrained:
        backbone = keras.models.clone_model(backbone, clone_function=_with_fixed_statistics)
    else:
        set_momentum(backbone, momentum_for(steps_per_epoch))
    outputs = add_head(backbone.output, config, num_classes)
    model = keras.Model(backbone.inputs[0], outputs, name=f"cxr_{config.model.backbone}")
    if pretrained:
        load_pretrained(model, config.model.weights, builder, (height, width))
    return model


def add_head(features: Any, config: RunConfig, num_classes: int) -> Any:
    """Put the study's head on a backbone's output, or on features pooled already."""
    seed = config.training.seed
    if len(features.shape) == 4:
        features = layers.GlobalAveragePooling2D(name=FEATURES)(features)
    x = features
    for number, rate in enumerate(_DROPOUTS):
        x = layers.Dropout(rate, seed=seed, name=f"head_dropout_{number}")(x)
    task = config.model.task
    # Probabilities in float32 whatever the precision of the rest.
    return layers.Dense(
        1 if task == "binary" else num_classes,
        activation="softmax" if task == "multiclass" else "sigmoid",
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        dtype="float32",
        name=HEAD,
    )(x)


def head_layers(model: keras.Model) -> list[Any]:
    """Return the layers of the head: all after the pooled features."""
    names = [layer.name for layer in model.layers]
    return list(model.layers[names.index(FEATURES) + 1 :])


def augmented_images(model: keras.Model) -> Any:
    """Return the images of `model` after augmentation, as a symbolic tensor."""
    return [layer for layer in model.layers if layer.name in _AUGMENTED][-1].output


def set_backbone_trainable(model: keras.Model, trainable: bool) -> None:
    """Freeze or free every layer before the head."""
    head = {layer.name for layer in head_layers(model)}
    for layer in model.layers:
        if layer.name not in head:
            layer.trainable = trainable


def momentum_for(steps_per_epoch: int) -> float:
    """Momentum with which batch normalization's statistics settle within a fifth of an epoch.

    From 0.9 to 0.99. NASNet's own 0.9997 needs ten thousand steps, which short runs do not have.
    """
    return min(max(1.0 - 5.0 / max(steps_per_epoch, 1), 0.9), 0.99)


def set_momentum(model: keras.Model, momentum: float) -> None:
    """Give every batch normalization of `model` one momentum."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = momentum


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
        # The study's arms: divided by 255 without enhancement, as it is with it.
        return x if config.data.enhance is not None else layers.Rescaling(1 / 255)(x)
    return builder.preprocessed(x)


def _with_fixed_statistics(layer: Any) -> Any:
    kind = type(layer)
    if isinstance(layer, layers.BatchNormalization):
        kind = BatchNormalization
    return kind.from_config(layer.get_config())
