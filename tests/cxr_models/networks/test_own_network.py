import dataclasses

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

from cxr_models import RunConfig, backbones, register_backbone
from cxr_models.networks.own_network import check_own_network, features_of_sample
from cxr_models.runs.facts import RunFacts
from cxr_models.runs.finished import FinishedRun
from cxr_models.runs.folder import RunFolder
from tests.cxr_models.test_backbones import small


def model_of(factor):
    """Return a network whose two features are the mean of an image, once negative."""
    inputs = keras.Input((3, 4, 1), dtype="uint8")
    x = keras.layers.Rescaling(factor)(inputs)
    x = keras.layers.Concatenate()([x, -x])
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="features")(x))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(backbones, "_registered", {})
    register_backbone("small", small, lambda images: images)
    config = RunConfig.made_of({"model.backbone": "small"})
    folder = RunFolder(path=tmp_path / "run")
    folder.begin(config, RunFacts(split_sha256="0", class_names=("a", "b")))
    return FinishedRun(
        folder=folder, config=config, labels=("a", "b"), split=None, weights_sha256=""
    )


def test_the_sample_is_always_the_same_image():
    mean = np.mean([37 * place % 256 for place in range(12)])
    assert features_of_sample(model_of(1.0)) == pytest.approx((mean, -mean), rel=1e-6)


def test_a_network_that_makes_other_features_is_refused(run):
    check_own_network(model_of(1.0), run)  # an earlier version wrote none
    run.folder.write_features(features_of_sample(model_of(1.0)))
    check_own_network(model_of(1.0), run)
    check_own_network(model_of(1.01), run)  # as half precision may differ
    with pytest.raises(
        ValueError, match=r"backbone 'small' must be those that '.*run' was trained"
    ):
        check_own_network(model_of(1.1), run)
    rows = dataclasses.replace(run.folder.read_facts(), features=None)
    assert rows == RunFacts(split_sha256="0", class_names=("a", "b"))


def test_networks_that_are_always_there_are_not_asked(run):
    run.folder.write_features((1e9, 1e9))
    check_own_network(model_of(1.0), dataclasses.replace(run, config=RunConfig()))
