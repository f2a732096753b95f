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


@keras.saving.register_keras_serializable(package="tests")
class Block(keras.layers.Layer):
    """A layer that holds layers: batch normalization, dropout and noise."""

    def __init__(self, **options):
        super().__init__(**options)
        self.norm = keras.layers.BatchNormalization(momentum=0.9997)
        self.random = keras.Sequential([keras.layers.Dropout(0.3), keras.layers.GaussianNoise(0.3)])

    def build(self, shape):
        self.norm.build(shape)
        self.random.build(shape)

    def call(self, x, training=None):
        return self.random(self.norm(x, training=training), training=training)


def application_with_block(**options):
    """Build the tiny network with a `Block` at its end; its name is by a number of the process."""
    network = tiny_application(**options)
    return keras.Model(network.input, Block()(network.output))


def tiny_config(**training):
    return RunConfig(
        data=DataConfig(image_size=(32, 40), deterministic=True),
        model=ModelConfig(),
        training=TrainingConfig(
            **{"epochs_head": 3, "epochs_fine_tune": 2, "batch_size": 4, **training}
        ),
    )
