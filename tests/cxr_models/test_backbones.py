"""Backbones registered from Python, from the settings to an export."""

import functools

import numpy as np
import pytest

from cxr_models import ModelConfig, RunConfig, backbones, register_backbone
from tests.helpers.fresh_process import run_code


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(backbones, "_registered", {})


def none(**_):
    raise AssertionError


def test_settings_take_a_name_once_it_is_registered():
    with pytest.raises(ValueError, match=r"got 'small'\. Register a network .*register_backbone\."):
        ModelConfig(backbone="small")
    register_backbone("small", none, none)
    config = RunConfig(model=ModelConfig(backbone="small"))
    assert RunConfig.from_json(config.to_json()) == config
    with pytest.raises(ValueError, match=r"must be one of .*'densenet121', 'small'; got 'smal'"):
        ModelConfig(backbone="smal")


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ((3, none, none), TypeError, "`name` must be a str; got 3"),
        (("Small-1", none, none), ValueError, "`name` must be lower-case letters, digits"),
        (("resnet101", none, none), ValueError, "`name` must be none of nasnet_mobile, resnet101"),
        (("small", "net", none), TypeError, "`build` must be callable; got 'net'"),
        (("small", none, None), TypeError, "`preprocess` must be callable; got None"),
    ],
)
def test_what_cannot_be_registered_is_told(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        register_backbone(*arguments)
    assert backbones.backbone_names() == tuple(backbones.BACKBONES)


def test_a_name_and_its_network_need_no_framework():
    run_code(
        """
        from cxr_models import ModelConfig, register_backbone
        register_backbone("small", print, print)
        ModelConfig(backbone="small")
        """,
        without=("tensorflow", "keras", "jax", "torch"),
    )


# --- with Keras ----------------------------------------------------------------------------------

keras = pytest.importorskip("keras", reason="keras is not installed", exc_type=ImportError)


def small(*, weights=None, input_tensor=None, input_shape=None):
    """Build a network of two convolutions, as `keras.applications` would."""
    assert weights is None
    inputs = keras.Input(input_shape) if input_tensor is None else input_tensor
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(5, 3, strides=2, activation="relu")(x)
    return keras.Model(keras.utils.get_source_inputs(x)[0], x)


def blue_first_about_a_half(images):
    """Tell colours apart, and differ from what any row of `keras.applications` does."""
    return images[..., ::-1] / 255.0 - np.float32([0.5, 0.4, 0.3])


_REGISTERED = """
from cxr_models import register_backbone
from tests.cxr_models.test_backbones import blue_first_about_a_half, small
register_backbone("small", small, blue_first_about_a_half)
"""


def config_of(name, **settings):
    from tests.helpers.tiny_backbone import tiny_config

    config = tiny_config(epochs_head=1, epochs_fine_tune=1)
    for setting, value in {"model.backbone": name, "model.weights": "none", **settings}.items():
        config = config.with_setting(setting, value)
    return config


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # Keras has a metadata.json too
def test_a_small_network_is_trained_loaded_and_exported_with_its_preprocessing(tmp_path, rng):
    from cxr_models.inference.calibrated_run import read_served_run
    from cxr_models.inference.export import export
    from tests.helpers.runs import write_small_split
    from tests.helpers.trained import trained_model

    register_backbone("small", small, blue_first_about_a_half)
    split = write_small_split(tmp_path / "images")
    model = trained_model(split, config_of("small", **{"data.enhance": None}), tmp_path / "run")
    images = rng.integers(0, 256, (3, 32, 40, 3), dtype=np.uint8)
    # By hand: the layers one after the other on what the images are by NumPy.
    x = images[..., ::-1].astype(np.float32) / 255 - np.float32([0.5, 0.4, 0.3])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.BatchNormalization):
            x = layer(x, training=False)
    expected = np.asarray(model.layers[-1](np.asarray(x).mean(axis=(1, 2))))
    served = read_served_run(tmp_path / "run")
    got = np.asarray(served.load()(images, training=False))
    np.testing.assert_allclose(got, expected, atol=1e-6)
    export(served, tmp_path / "run.keras", "keras")
    exported = keras.models.load_model(tmp_path / "run.keras")  # safe mode: no code of its own
    np.testing.assert_allclose(exported.predict(images, verbose=0), expected, atol=1e-6)
    words = ("export", tmp_path / "run", "--format", "keras", "--out", tmp_path / "again.keras")
    command = "from cxr_models.cli import main; sys.exit(main(sys.argv[1:]))"
    refused = run_code(command, *words, status=2)
    assert (
        "got 'small'. Register a network of your own first, in the same process" in refused.stderr
    )
    assert "Traceback" not in refused.stderr
    run_code(f"{_REGISTERED}\n{command}", *words)
    again = keras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(again.predict(images, verbose=0), expected, atol=1e-6)


@pytest.mark.slow
def test_a_network_of_keras_applications_is_registered_with_its_own_preprocessing(
    small_split, tmp_path
):
    from cxr_models.networks.load import load_classifier
    from cxr_models.runs.finished import FinishedRun
    from cxr_models.runs.folder import RunFolder
    from cxr_models.training.train import train

    applications = keras.applications
    register_backbone(
        "mobilenet_v2",
        functools.partial(applications.MobileNetV2, include_top=False, alpha=0.35),
        applications.mobilenet_v2.preprocess_input,
    )
    file = tmp_path / "backbone.weights.h5"
    bare = applications.MobileNetV2(
        include_top=False, alpha=0.35, weights=None, input_shape=(32, 40, 3)
    )
    bare.save_weights(file)
    config = config_of("mobilenet_v2", **{"model.weights": str(file)})
    config = config.with_setting("training.epochs_fine_tune", 0)
    train(small_split, config, tmp_path / "run")  # the head alone: the backbone stays as it was
    run = FinishedRun(
        folder=RunFolder(path=tmp_path / "run"),
        config=config,
        labels=small_split.class_names(),
        split=small_split,
        weights_sha256="",
    )
    model = load_classifier(run)
    images = np.random.default_rng(3).integers(0, 256, (2, 32, 40, 1), dtype=np.uint8)
    rgb = images.repeat(3, axis=-1).astype(np.float32)
    features = keras.Model(model.input, model.get_layer("features").output)
    expected = bare(applications.mobilenet_v2.preprocess_input(rgb), training=False)
    np.testing.assert_allclose(
        features(images, training=False), np.asarray(expected).mean(axis=(1, 2)), rtol=1e-4
    )


def from_elsewhere(*, input_tensor, weights):
    inputs = keras.Input((32, 40, 3))
    return keras.Model(inputs, keras.layers.Conv2D(3, 3)(inputs))


def nested(*, input_tensor, weights):
    x = keras.Sequential([keras.layers.Conv2D(3, 3)], name="inner")(input_tensor)
    return keras.Model(keras.utils.get_source_inputs(x)[0], x)


def flat(*, input_tensor, weights):
    x = keras.layers.Flatten()(input_tensor)
    return keras.Model(keras.utils.get_source_inputs(x)[0], x)


@pytest.mark.parametrize(
    ("build", "preprocess", "error", "sentence"),
    [
        (lambda **_: 3, lambda x: x, TypeError, "'odd' must return a keras.Model; got 3"),
        (nested, lambda x: x, ValueError, "without models inside; got inner in it"),
        (from_elsewhere, lambda x: x, ValueError, "got other inputs or outputs"),
        (flat, lambda x: x, ValueError, r"features of shape \(N, H, W, C\); got \(None, 3840\)"),
        (small, lambda x: np.zeros(3), TypeError, "`preprocess` of the backbone 'odd' must return"),
        (
            small,
            np.asarray,
            TypeError,
            r"`preprocess` .*'odd' must take .*\. Write it in keras\.ops",
        ),
        (lambda: None, lambda x: x, TypeError, "'odd' must take weights and input_tensor, as"),
    ],
)
def test_functions_that_do_not_do_what_is_asked_are_told(build, preprocess, error, sentence):
    from cxr_models.networks.classifier import build_classifier

    register_backbone("odd", build, preprocess)
    with pytest.raises(error, match=sentence):
        build_classifier(config_of("odd"), 3)


def test_imagenet_weights_that_a_registered_network_does_not_have_are_told():
    from cxr_models.networks.classifier import build_classifier

    register_backbone("small", small, blue_first_about_a_half)
    with pytest.raises(
        OSError, match=r"`build` of the backbone 'small' gave none\. Pass --weights"
    ):
        build_classifier(config_of("small", **{"model.weights": "imagenet"}), 3)


@pytest.mark.filterwarnings(
    # Of the exporter, about itself.
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore:.*:UserWarning:keras",
)
@pytest.mark.parametrize("name", ["nasnet_mobile", "resnet101", "densenet121", "own"])
def test_an_onnx_file_holds_the_preprocessing(name, monkeypatch, tmp_path, rng):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    from cxr_models.networks.classifier import build_classifier
    from tests.helpers.tiny_backbone import tiny_application

    register_backbone("own", small, blue_first_about_a_half)
    if name in backbones.BACKBONES:
        application = backbones.BACKBONES[name].application
        monkeypatch.setattr(keras.applications, application, tiny_application)
    config = config_of(name, **{"data.flip": False, "data.rotation": 0})
    model = build_classifier(config, 3)
    images = rng.integers(0, 256, (2, 32, 40, 1), dtype=np.uint8)
    expected = np.asarray(model(images, training=False))
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    (given,) = session.get_inputs()
    np.testing.assert_allclose(session.run(None, {given.name: images})[0], expected, atol=1e-5)
