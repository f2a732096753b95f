import keras
import numpy as np
import pytest

from cxr_models.backbones import BACKBONES
from cxr_models.classifier import build_classifier, set_backbone_trainable
from tests.cxr_models.tiny import tiny_config


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_a_classifier_of_the_smallest_images_stands_on_the_network_of_its_row(name):
    spec = BACKBONES[name]
    config = tiny_config().with_setting("model.backbone", name)
    config = config.with_setting("model.weights", "none")
    config = config.with_setting("data.image_size", [spec.min_size, spec.min_size])
    model = build_classifier(config, 3)
    features = model.get_layer("features").output.shape[-1]
    assert model.count_params() == spec.parameters + 3 * (features + 1)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    set_backbone_trainable(model, False)
    assert [tuple(weight.shape) for weight in model.trainable_weights] == [(features, 3), (3,)]
    images = np.zeros((2, spec.min_size, spec.min_size, 1), np.uint8)
    shares = np.asarray(model(images, training=False))
    np.testing.assert_allclose(shares.sum(axis=1), [1, 1], rtol=1e-6)
