"""A backbone with one convolution, which replaces a real backbone in fast tests."""

import keras
import numpy as np

from cxr_models import DataConfig, ModelConfig, RunConfig, TrainingConfig


def tiny_application(*, include_top, weights, input_shape=None, input_tensor=None):
    """Build a network with the arguments of functions of `keras.applications`.

    The weights "imagenet" are a fixed set of random weights.
    """
    assert not include_top
    inputs = keras.Input(input_shape) if input_tensor is None else input_tensor
    x = keras.layers.Conv2D(6, 5, strides=4, name="stem")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.9997, name="stem_bn")(x)
    x = keras.layers.Activation("relu", name="stem_relu")(x)
    model = keras.Model(keras.utils.get_source_inputs(x)[0], x)
    if weights == "imagenet":
        rng = np.random.default_rng(1)
        for name in ("stem", "stem_bn"):
            layer = model.get_layer(name)
            layer.set_weights([rng.uniform(0.1, 0.3, w.shape) for w in layer.get_weights()])
    return model


def tiny_config(**training):
    return RunConfig(
        data=DataConfig(image_size=(32, 40), deterministic=True),
        model=ModelConfig(),
        training=TrainingConfig(
            **{"epochs_head": 3, "epochs_fine_tune": 2, "batch_size": 4, **training}
        ),
    )
