import importlib.util

import numpy as np
import pytest

pytest.importorskip("keras", reason="keras is not installed")

import keras

from cxr_models.explain.gradcam import GradCam, mean_maps, normalised, overlay
from cxr_models.networks.classifier import build_classifier
from tests.helpers.fresh_process import run_code
from tests.helpers.tiny_backbone import tiny_config

# One convolution of two filters, pooled, one dense layer: the map of a class is the feature map
# times the class's column of the dense layer, divided by the number of places.
_KERNEL = np.array([[1.0, 0.0], [0.0, -1.0]])  # of a 2 x 1 convolution on one channel
_DENSE = np.array([[2.0, -1.0, 0.5], [-3.0, 1.0, 0.25]])
_IMAGE = np.arange(24, dtype=np.uint8).reshape(1, 4, 6, 1)


def tiny_cam_model(outputs=3):
    inputs = keras.Input((4, 6, 1), dtype="uint8")
    x = keras.layers.Rescaling(1.0)(inputs)
    x = keras.layers.Conv2D(2, (2, 1), use_bias=False, name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    x = keras.layers.Dropout(0.5)(x)
    kind = "softmax" if outputs > 1 else "sigmoid"
    x = keras.layers.Dense(outputs, activation=kind, name="probabilities")(x)
    model = keras.Model(inputs, x)
    model.get_layer("conv").set_weights([_KERNEL.reshape(2, 1, 1, 2)])
    model.get_layer("probabilities").set_weights([_DENSE[:, :outputs], np.ones(outputs)])
    return model


def map_by_hand(column, sign=1.0):
    image = _IMAGE[0, :, :, 0].astype(np.float64)
    first, second = image[:-1], -image[1:]  # the two filters
    return np.maximum(sign * (first * column[0] + second * column[1]) / first.size, 0)


def test_the_map_of_a_class_is_the_one_computed_by_hand():
    cam = GradCam(tiny_cam_model())
    for place in range(3):
        got = cam(_IMAGE, np.array([place]))
        assert (got.shape, got.dtype) == ((1, 3, 6), np.float32)
        np.testing.assert_allclose(got[0], map_by_hand(_DENSE[:, place]), rtol=1e-5, atol=1e-6)
    assert cam(_IMAGE, np.array([1])).max() == 0  # cut off below 0


def test_each_image_is_asked_for_its_own_class():
    cam = GradCam(tiny_cam_model())
    both = cam(np.concatenate([_IMAGE, _IMAGE]), np.array([2, 0]))
    np.testing.assert_allclose(both[0], cam(_IMAGE, np.array([2]))[0], rtol=1e-6)
    np.testing.assert_allclose(both[1], cam(_IMAGE, np.array([0]))[0], rtol=1e-6)


def test_with_one_output_the_other_class_is_what_speaks_against_it():
    cam = GradCam(tiny_cam_model(1))
    assert cam.num_classes == 2
    for place, sign in ((1, 1.0), (0, -1.0)):
        got = cam(_IMAGE, np.array([place]))[0]
        np.testing.assert_allclose(got, map_by_hand(_DENSE[:, 0], sign), rtol=1e-5, atol=1e-6)


def test_one_output_of_a_run_of_findings_is_that_finding():
    cam = GradCam(tiny_cam_model(1), multilabel=True)
    assert cam.num_classes == 1
    got = cam(_IMAGE, np.array([0]))[0]
    np.testing.assert_allclose(got, map_by_hand(_DENSE[:, 0]), rtol=1e-5, atol=1e-6)


def test_a_map_that_is_positive_everywhere_sums_to_the_logit_less_its_bias(tiny_backbone):
    pytest.importorskip("tensorflow")
    from cxr_models.inference.logits import logits_model, predict_logits

    model = build_classifier(tiny_config().with_setting("model.weights", "none"), 3)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.01, 0.2, w.shape) for w in model.get_weights()])
    images = rng.integers(0, 256, (5, 32, 40, 1), np.uint8)
    classes = np.array([0, 1, 2, 1, 0])
    logits = predict_logits(logits_model(model), images, multilabel=False)[np.arange(5), classes]
    bias = model.get_layer("probabilities").get_weights()[1][classes]
    sums = GradCam(model)(images, classes).sum(axis=(1, 2))
    np.testing.assert_allclose(sums, logits - bias, rtol=1e-4)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_map_computed_by_hand(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    code = (
        "from tests.cxr_models.explain import test_gradcam as t\n"
        "t.test_the_map_of_a_class_is_the_one_computed_by_hand()\n"
        "t.test_with_one_output_the_other_class_is_what_speaks_against_it()\n"
        f"assert t.keras.backend.backend() == {backend!r}\n"
    )
    run_code(code, env={"KERAS_BACKEND": backend})


def test_wrong_arguments_are_refused_with_a_sentence():
    cam = GradCam(tiny_cam_model())
    with pytest.raises(ValueError, match=r"`classes` must have shape \(1,\)"):
        cam(_IMAGE, np.array([0, 1]))
    with pytest.raises(ValueError, match="`classes` must be from 0 to 2; got 3 to 3"):
        cam(_IMAGE, np.array([3]))
    np.testing.assert_array_equal(
        cam(_IMAGE[:0], np.array([], int)), np.zeros((0, 3, 6), np.float32), strict=True
    )
    with pytest.raises(TypeError, match="`image` must have dtype uint8; got uint16"):
        overlay(np.zeros((4, 4), np.uint16), np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="`heat` must have shape"):
        overlay(np.zeros((4, 4), np.uint8), np.full((2, 2), 1.5, np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.backend, "backend", lambda: "openvino")
        with pytest.raises(ValueError, match="`KERAS_BACKEND` must be tensorflow, jax or torch"):
            cam(_IMAGE, np.array([0]))
    inputs = keras.Input((3, 4, 5, 1))
    pooled = keras.layers.GlobalAveragePooling3D(name="features")(inputs)
    with pytest.raises(ValueError, match="`model` must pool a map"):
        GradCam(keras.Model(inputs, pooled))


def test_means_weigh_every_image_alike_and_count_them():
    maps = np.array([[[0, 2.0]], [[0.5, 0]], [[0, 0]], [[4.0, 4.0]]], np.float32)
    means = mean_maps(maps, np.array([0, 0, 2, 2]), 4)
    assert means.counts.tolist() == [2, 0, 2, 0]
    assert means.means.tolist() == [[[0.5, 0.5]], [[0, 0]], [[0.5, 0.5]], [[0, 0]]]
    assert normalised(maps).max() == 1


def test_an_overlay_shows_the_image_where_nothing_is_hot_and_colour_where_it_is():
    image = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))
    untouched = overlay(image, np.zeros((2, 3), np.float32))
    assert (untouched == image[..., None]).all()
    heat = np.zeros((2, 2), np.float32)
    heat[0, 1] = 1
    shown = overlay(image[..., None], heat)
    assert shown.shape == (48, 64, 3)
    assert (shown[-8:, :8] == image[-8:, :8, None]).all()
    red, _, blue = shown[0, -1].astype(int)
    assert red > blue  # hot is red, in RGB
    rgb = np.repeat(image[..., None], 3, axis=-1)
    assert (overlay(rgb, heat) == shown).all()
