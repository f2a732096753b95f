import dataclasses

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

from cxr_enhance import EnhanceParams
from cxr_models import DataConfig, ModelConfig, RunConfig, TrainingConfig, backbones
from cxr_models.backbones import BACKBONES
from cxr_models.networks.classifier import (
    build_classifier,
    head_layers,
    momentum_for,
    set_backbone_trainable,
)
from tests.helpers.random_states import draws_around
from tests.helpers.tiny_backbone import (
    Block,
    application_with_block,
    tiny_application,
    tiny_config,
)

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (6, 32, 40, 1), dtype=np.uint8)


def model_config(config, **options):
    return dataclasses.replace(config, model=ModelConfig(**options))


def fit(model, images):
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", jit_compile=False)
    model.fit(images, np.arange(len(images)) % 3, verbose=0)


@pytest.mark.parametrize("frozen", [True, False])
def test_pretrained_statistics_do_not_move_in_either_phase(images, frozen):
    model = build_classifier(tiny_config(), 3)
    set_backbone_trainable(model, not frozen)
    norm = model.get_layer("stem_bn")
    before = [np.array(weight) for weight in norm.get_weights()]
    stem = np.array(model.get_layer("stem").get_weights()[0])
    fit(model, images)
    after = norm.get_weights()
    np.testing.assert_array_equal(before[2], after[2])  # moving mean
    np.testing.assert_array_equal(before[3], after[3])  # moving variance
    assert np.array_equal(before[0], after[0]) == frozen  # scale
    assert np.array_equal(stem, model.get_layer("stem").get_weights()[0]) == frozen


def test_from_scratch_statistics_move_with_a_momentum_fit_to_the_epoch(images):
    model = build_classifier(model_config(tiny_config(), weights="none"), 3, steps_per_epoch=100)
    norm = model.get_layer("stem_bn")
    assert norm.momentum == 0.95
    before = np.array(norm.get_weights()[2])
    fit(model, images)
    assert not np.array_equal(before, norm.get_weights()[2])


def test_batch_normalization_inside_of_a_layer_is_treated_like_any_other(images, monkeypatch):
    monkeypatch.setattr(keras.applications, "NASNetMobile", application_with_block)
    for weights, moves in (("imagenet", False), ("none", True)):
        config = model_config(tiny_config(), weights=weights)
        model = build_classifier(config, 3, steps_per_epoch=100)
        norm = next(layer for layer in model.layers if isinstance(layer, Block)).norm
        scale, _, *before = norm.get_weights()
        fit(model, images)
        trained_scale, _, *after = norm.get_weights()
        for old, new in zip(before, after, strict=True):
            assert np.array_equal(old, new) != moves
        assert not np.array_equal(scale, trained_scale)
        assert moves == (norm.momentum == 0.95)


def test_momentum_stays_from_09_to_099():
    assert [momentum_for(steps) for steps in (1, 50, 100, 10_000)] == [0.9, 0.9, 0.95, 0.99]


def test_head_is_the_studys():
    model = build_classifier(tiny_config(), 3)
    head = head_layers(model)
    assert [type(layer).__name__ for layer in head] == ["Dropout", "Dropout", "Dense"]
    assert [layer.rate for layer in head[:2]] == [0.2, 0.5]
    assert model.output.shape == (None, 3)
    assert head[2].activation is keras.activations.softmax


def test_binary_gives_one_sigmoid():
    model = build_classifier(model_config(tiny_config(), task="binary"), 3)
    assert model.output.shape == (None, 1)
    assert model.layers[-1].activation is keras.activations.sigmoid


def test_several_findings_give_one_sigmoid_each():
    config = model_config(tiny_config(), task="multilabel", findings=("Edema", "Mass", "Hernia"))
    model = build_classifier(config, 3)
    assert model.output.shape == (None, 3)
    assert model.layers[-1].activation is keras.activations.sigmoid
    one = model_config(tiny_config(), task="multilabel", findings=("Edema",))
    assert build_classifier(one, 1).output.shape == (None, 1)
    with pytest.raises(ValueError, match="`num_classes` must be the number of findings, 3; got 2"):
        build_classifier(config, 2)


def front_of(config, images):
    model = build_classifier(config, 3)
    front = keras.Model(model.input, model.get_layer("stem").input)
    return np.asarray(front(images, training=False))


def front_of_backbone(name, images, monkeypatch):
    monkeypatch.setattr(keras.applications, BACKBONES[name].application, tiny_application)
    config = tiny_config().with_setting("data.image_size", list(images.shape[1:3]))
    return front_of(config.with_setting("model.backbone", name), images)


@pytest.mark.parametrize("name", BACKBONES)
def test_corrected_recipe_gives_each_backbone_what_keras_would(rng, monkeypatch, name):
    images = rng.integers(0, 256, (3, 80, 90, 1), dtype=np.uint8)
    rgb = np.repeat(images, 3, axis=-1).astype(np.float32)
    expected = getattr(keras.applications, BACKBONES[name].module).preprocess_input(rgb.copy())
    np.testing.assert_allclose(front_of_backbone(name, images, monkeypatch), expected, atol=1e-4)


def test_densenet_gets_values_from_0_to_1_less_imagenets_mean_over_its_deviation(monkeypatch):
    white = np.full((1, 32, 40, 1), 255, np.uint8)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    got = front_of_backbone("densenet121", white, monkeypatch)
    np.testing.assert_allclose(got[0, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("field", ["application", "module"])
def test_a_row_of_what_keras_does_not_have_is_an_error(monkeypatch, field):
    row = dataclasses.replace(BACKBONES["nasnet_mobile"], **{field: "unheard_of"})
    monkeypatch.setattr(backbones, "BACKBONES", {"nasnet_mobile": row})
    with pytest.raises(ValueError, match=r"`backbone` must name a row of keras\.applications; got"):
        build_classifier(tiny_config(), 3)


def test_study_recipe_divides_only_what_was_not_enhanced(images):
    study = tiny_config(recipe="study")
    rgb = np.repeat(images, 3, axis=-1).astype(np.float32)
    np.testing.assert_array_equal(front_of(study, images), rgb)
    raw = dataclasses.replace(study, data=dataclasses.replace(study.data, enhance=None))
    np.testing.assert_allclose(front_of(raw, rgb.astype(np.uint8)), rgb / 255, rtol=1e-6)


def test_model_is_flat_and_survives_saving(images, tmp_path):
    model = build_classifier(tiny_config(), 3)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), again.predict(images, verbose=0)
    )


def test_same_seed_same_weights():
    one, other = (build_classifier(tiny_config(seed=4), 3).get_weights() for _ in range(2))
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_building_a_classifier_leaves_the_random_states_of_python_and_numpy_alone():
    drawn = draws_around(lambda: build_classifier(tiny_config(seed=4), 3))
    assert drawn["python and numpy"] == draws_around()["python and numpy"]


def test_says_what_does_not_fit():
    with pytest.raises(ValueError, match="`num_classes` must be at least 2; got 1"):
        build_classifier(tiny_config(), 1)
    config = RunConfig(
        data=DataConfig(image_size=(64, 64), enhance=EnhanceParams()),
        model=ModelConfig(backbone="inception_resnet_v2"),
        training=TrainingConfig(),
    )
    with pytest.raises(ValueError, match=r"`image_size` must be at least \(75, 75\) for Inception"):
        build_classifier(config, 3)
