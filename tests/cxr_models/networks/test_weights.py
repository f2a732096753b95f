import dataclasses

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import h5py
import keras

from cxr_models import ModelConfig
from cxr_models.networks.backbones import find_backbone_builder
from cxr_models.networks.classifier import build_classifier
from cxr_models.networks.weights import load_pretrained
from tests.helpers.tiny_backbone import application_with_block, tiny_application, tiny_config

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def with_weights(weights, **options):
    return dataclasses.replace(tiny_config(), model=ModelConfig(weights=str(weights), **options))


@pytest.fixture
def numbered_backbone(monkeypatch):
    """Put in NASNetMobile's place a network whose layers Keras names, by numbers of the process."""

    def application(*, include_top, weights, input_shape=None, input_tensor=None):
        inputs = keras.Input(input_shape) if input_tensor is None else input_tensor
        x = inputs
        for size in (5, 3, 3):
            x = keras.layers.Conv2D(6, size, strides=2, use_bias=False)(x)
            x = keras.layers.BatchNormalization(scale=False)(x)
            x = keras.layers.Activation("relu")(x)
        return keras.Model(keras.utils.get_source_inputs(x)[0], x)

    monkeypatch.setattr(keras.applications, "NASNetMobile", application)
    return application


def with_random_weights(model):
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.1, 0.9, weights.shape) for weights in model.get_weights()])
    return model


def with_top(backbone, classes):
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    return keras.Model(backbone.input, keras.layers.Dense(classes)(pooled))


def save(model, path):
    model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)


def stem(model):
    return np.array(model.get_layer("stem").get_weights()[0])


@pytest.mark.parametrize("name", ["bare.weights.h5", "bare.h5", "bare.keras"])
def test_weights_of_a_bare_backbone_are_taken(tmp_path, name):
    backbone = tiny_application(include_top=False, weights="imagenet", input_shape=(32, 40, 3))
    path = tmp_path / name
    save(backbone, path)
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


FORMATS = ("file.weights.h5", "file.h5", "file.keras")


@pytest.mark.parametrize("classes", [None, 3, 7])
@pytest.mark.parametrize("name", FORMATS)
def test_layers_that_keras_numbered_otherwise_are_matched_by_their_order(
    numbered_backbone, tmp_path, name, classes
):
    backbone = numbered_backbone(include_top=False, weights=None, input_shape=(32, 40, 3))
    given = with_random_weights(with_top(backbone, classes) if classes else backbone)
    save(given, tmp_path / name)
    model = build_classifier(with_weights(tmp_path / name), 3)
    assert {layer.name for layer in given.layers if layer.weights}.isdisjoint(
        layer.name for layer in model.layers
    )
    *weights, kernel, _ = model.get_weights()
    for ours, expected in zip(weights, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert np.array_equal(kernel, given.get_weights()[-2]) == (classes == 3)


@pytest.mark.parametrize("classes", [None, 3, 7])
@pytest.mark.parametrize("name", ["imagenet", *FORMATS])
def test_dense_layers_inside_of_a_backbone_get_their_weights_too(
    monkeypatch, tmp_path, name, classes
):
    def application(*, include_top, weights, input_shape=None, input_tensor=None):
        inputs = keras.Input(input_shape) if input_tensor is None else input_tensor
        x = keras.layers.Conv2D(6, 5, strides=4)(inputs)
        channels = keras.layers.Dense(6)(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
        x = keras.layers.Multiply()([x, keras.layers.Dense(6)(channels)])
        model = keras.Model(keras.utils.get_source_inputs(x)[0], x)
        return with_random_weights(model) if weights == "imagenet" else model

    monkeypatch.setattr(keras.applications, "NASNetMobile", application)
    backbone = application(include_top=False, weights="imagenet", input_shape=(32, 40, 3))
    given = with_random_weights(with_top(backbone, classes)) if classes else backbone
    path = name if name == "imagenet" else tmp_path / name
    if name != "imagenet":
        save(given, path)
    model = build_classifier(with_weights(path), 3)
    *weights, kernel, _ = model.get_weights()
    for ours, expected in zip(weights, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    has_top = classes == 3 and name != "imagenet"
    assert np.array_equal(kernel, given.get_weights()[-2]) == has_top


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("name", FORMATS)
def test_layers_inside_of_layers_get_their_weights(monkeypatch, tmp_path, name, classes):
    monkeypatch.setattr(keras.applications, "NASNetMobile", application_with_block)
    backbone = application_with_block(include_top=False, weights=None, input_shape=(32, 40, 3))
    given = with_random_weights(with_top(backbone, classes) if classes else backbone)
    save(given, tmp_path / name)
    model = build_classifier(with_weights(tmp_path / name), 3)
    *weights, kernel, _ = model.get_weights()
    for ours, expected in zip(weights, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert np.array_equal(kernel, given.get_weights()[-2]) == (classes == 3)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_another_number_of_layers_is_explained(numbered_backbone, tmp_path, name):
    backbone = numbered_backbone(include_top=False, weights=None, input_shape=(32, 40, 3))
    shorter = keras.Model(backbone.input, backbone.layers[-4].output)
    longer = keras.Model(backbone.input, keras.layers.Conv2D(6, 1)(backbone.output))
    for other, count in ((shorter, 4), (longer, 7)):
        save(other, tmp_path / name)
        with pytest.raises(
            ValueError,
            match=rf"hold the 6 layers with weights .*; got {count} in '.*{name}'\. Give",
        ):
            build_classifier(with_weights(tmp_path / name), 3)


@pytest.mark.parametrize("name", FORMATS)
def test_weights_of_another_shape_are_explained_and_none_is_taken(tmp_path, name):
    inputs = keras.Input((32, 40, 3))
    other = keras.layers.BatchNormalization()(keras.layers.Conv2D(9, 5, strides=4)(inputs))
    save(keras.Model(inputs, other), tmp_path / name)
    model = build_classifier(with_weights("none"), 3)
    before = model.get_weights()
    with pytest.raises(ValueError, match=rf"`weights` must .*NASNetMobile; got .*{name}.*--backbo"):
        load_pretrained(
            model, str(tmp_path / name), find_backbone_builder("nasnet_mobile"), image_size=(32, 40)
        )
    for expected, got in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, got)


def test_a_layer_of_another_kind_is_refused(tmp_path):
    inputs = keras.Input((32, 40, 3))
    x = keras.layers.Conv2D(6, 5, strides=4)(inputs)
    model = keras.Model(inputs, keras.layers.LayerNormalization()(x))
    model.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"layer 2 of the 2 .*; got LayerNormalization of shapes"):
        build_classifier(with_weights(tmp_path / "other.keras"), 3)


@pytest.mark.parametrize("name", ["file.weights.h5", "file.h5"])
def test_a_top_of_several_dense_layers_is_refused(tmp_path, name):
    backbone = tiny_application(include_top=False, weights=None, input_shape=(32, 40, 3))
    top = keras.layers.Dense(3)(with_top(backbone, 5).output)
    save(keras.Model(backbone.input, top), tmp_path / name)
    with pytest.raises(ValueError, match=r"but one on the 6 pooled .* got kernels of shapes \[\("):
        build_classifier(with_weights(tmp_path / name), 3)


@pytest.mark.parametrize("name", ["file.weights.h5", "file.h5"])
def test_a_file_with_links_to_others_is_refused(tmp_path, name):
    backbone = tiny_application(include_top=False, weights="imagenet", input_shape=(32, 40, 3))
    save(backbone, tmp_path / f"elsewhere-{name}")
    with h5py.File(tmp_path / name, "w") as file:
        file["layers"] = h5py.ExternalLink(tmp_path / f"elsewhere-{name}", "layers")
    with pytest.raises(
        ValueError, match=rf"got '.*{name}', which does not: layers in it is a link"
    ):
        build_classifier(with_weights(tmp_path / name), 3)


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
    save(backbone, path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=rf"`weights` must be .*whole .*got '.*{name}'"):
        build_classifier(with_weights(path), 3)
