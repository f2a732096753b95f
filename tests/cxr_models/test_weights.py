import dataclasses

import keras
import numpy as np
import pytest

from cxr_models import ModelConfig
from cxr_models.classifier import build_classifier
from tests.cxr_models.tiny import tiny_application, tiny_config

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def with_weights(weights, **options):
    return dataclasses.replace(tiny_config(), model=ModelConfig(weights=str(weights), **options))


def stem(model):
    return np.array(model.get_layer("stem").get_weights()[0])


@pytest.mark.parametrize("name", ["bare.weights.h5", "bare.h5", "bare.keras"])
def test_weights_of_a_bare_backbone_are_taken(tmp_path, name):
    backbone = tiny_application(include_top=False, weights="imagenet", input_shape=(32, 40, 3))
    path = tmp_path / name
    if name.endswith(".weights.h5"):
        backbone.save_weights(path)
    else:
        backbone.save(path)
    model = build_classifier(with_weights(path), 3)
    np.testing.assert_array_equal(stem(model), stem(backbone))
    np.testing.assert_array_equal(
        model.get_layer("stem_bn").get_weights()[3], backbone.get_layer("stem_bn").get_weights()[3]
    )


def test_weights_of_a_classifier_are_taken_with_its_head(tmp_path):
    trained = build_classifier(tiny_config(seed=9), 3)
    trained.save_weights(tmp_path / "best.weights.h5")
    model = build_classifier(with_weights(tmp_path / "best.weights.h5"), 3)
    for expected, got in zip(trained.get_weights(), model.get_weights(), strict=True):
        if expected.dtype.kind == "f":
            np.testing.assert_array_equal(expected, got)


def test_weights_of_a_run_from_scratch_are_taken(tmp_path):
    trained = build_classifier(with_weights("none"), 3)
    trained.save_weights(tmp_path / "best.weights.h5")
    model = build_classifier(with_weights(tmp_path / "best.weights.h5"), 3)
    np.testing.assert_array_equal(stem(model), stem(trained))


def test_a_keras_model_of_another_task_lends_its_backbone(tmp_path):
    trained = build_classifier(tiny_config(), 3)
    trained.save(tmp_path / "model.keras")
    model = build_classifier(with_weights(tmp_path / "model.keras", task="binary"), 3)
    np.testing.assert_array_equal(stem(model), stem(trained))


def test_a_failed_download_names_the_file_and_the_option(monkeypatch):
    def offline(*, weights, **options):
        if weights == "imagenet":
            raise Exception("URL fetch failure on https://example.org/x.h5: None -- no route")
        return tiny_application(weights=weights, **options)

    monkeypatch.setattr(keras.applications, "NASNetMobile", offline)
    with pytest.raises(OSError, match=r"nasnet_mobile_no_top\.h5.*--weights PATH") as caught:
        build_classifier(tiny_config(), 3)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_explained(tmp_path):
    other = keras.Sequential(
        [keras.Input((32, 40, 3)), keras.layers.Conv2D(9, 5, strides=4, name="stem")]
    )
    other.save(tmp_path / "other.h5")
    with pytest.raises(ValueError, match="`weights` must fit NASNetMobile without top"):
        build_classifier(with_weights(tmp_path / "other.h5"), 3)
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="lacks 1, such as stem_bn"):
        build_classifier(with_weights(tmp_path / "other.keras"), 3)


def test_a_missing_file_and_an_unknown_suffix_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="`weights` must name a file that exists"):
        build_classifier(with_weights(tmp_path / "none.h5"), 3)
    with pytest.raises(ValueError, match="`weights` must be imagenet, none, or a file"):
        build_classifier(with_weights("weights.pt"), 3)


@pytest.mark.parametrize("name", ["bare.weights.h5", "bare.h5", "bare.keras"])
@pytest.mark.parametrize("cut", [0, 2000])
def test_a_file_that_was_cut_is_named(tmp_path, name, cut):
    backbone = tiny_application(include_top=False, weights="imagenet", input_shape=(32, 40, 3))
    path = tmp_path / name
    backbone.save_weights(path) if name == "bare.weights.h5" else backbone.save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=rf"`weights` must be .*whole .*got '.*{name}'"):
        build_classifier(with_weights(path), 3)
