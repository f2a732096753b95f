import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras
import numpy as np

from cxr_models.training import computation, step
from tests.helpers.fresh_process import run_code
from tests.helpers.tiny_backbone import tiny_config

# One step of plain descent on one and on two virtual devices. With a head of zeros each class has a
# probability of a third, and the bias moves by the mean of target and probability over the batch.
_SCRIPT = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from cxr_models.training import step
from tests.helpers.tiny_backbone import tiny_application, tiny_config
keras.applications.NASNetMobile = tiny_application
keras.optimizers.Adam = keras.optimizers.SGD
heads, build = [], step.build_classifier
def with_head_of_zeros(*arguments):
    model = build(*arguments)
    heads.append(model.get_layer("probabilities"))
    heads[-1].set_weights([np.zeros_like(weights) for weights in heads[-1].get_weights()])
    return model
def loss_of(config):
    def loss(targets, probabilities):
        tf.debugging.assert_equal(tf.shape(targets)[0], share)
        return keras.losses.sparse_categorical_crossentropy(targets, probabilities)
    return loss
step.build_classifier, step.loss_of = with_head_of_zeros, loss_of
batch = tf.zeros((4, 32, 40, 1), tf.uint8), tf.constant([0, 1, 2, 1])
for devices, share in ((None, 4), (["CPU:0", "CPU:1"], 2)):
    step.training_step(tiny_config(learning_rate_fine_tune=0.6), 3, devices=devices)(batch)
    np.testing.assert_allclose(heads[-1].get_weights()[1], [-0.05, 0.1, -0.05], atol=1e-6)
"""


@pytest.mark.slow
def test_devices_share_the_batch_of_a_measured_step_as_in_training():
    run_code(_SCRIPT)


@pytest.mark.usefixtures("tiny_backbone")
def test_a_measured_step_computes_in_the_precision_of_a_training(monkeypatch):
    built = []
    build = step.build_classifier
    monkeypatch.setattr(step, "build_classifier", lambda *a: built.append(build(*a)) or built[-1])
    monkeypatch.setattr(computation, "has_gpu", lambda: True)
    trains = step.training_step(tiny_config(), 3)
    trains((np.zeros((4, 32, 40, 1), np.uint8), np.array([0, 1, 2, 1])))
    (model,) = built
    assert model.get_layer("stem").compute_dtype == "float16"
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert keras.config.dtype_policy().name == "float32"
