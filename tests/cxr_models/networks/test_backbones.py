import functools
import http.server
import shutil
import socket
import threading

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras
from keras.src.utils import file_utils

from cxr_models.backbones import BACKBONES
from cxr_models.networks.backbones import find_backbone_builder
from cxr_models.networks.classifier import build_classifier, set_backbone_trainable
from cxr_models.networks.weights import load_pretrained
from tests.helpers import keras_files
from tests.helpers.fresh_process import run_module
from tests.helpers.tiny_backbone import tiny_config

pytestmark = pytest.mark.slow


def classifier(name, side, weights):
    config = tiny_config(recipe="study").with_setting("model.backbone", name)
    config = config.with_setting("model.weights", weights)
    return build_classifier(config.with_setting("data.image_size", [side, side]), 3)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_classifier_of_the_smallest_images_stands_on_the_network_of_its_row(name):
    spec = BACKBONES[name]
    model = classifier(name, spec.min_size, "none")
    features = model.get_layer("features").output.shape[-1]
    assert model.count_params() == spec.parameters + 3 * (features + 1)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    set_backbone_trainable(model, False)
    assert [tuple(weight.shape) for weight in model.trainable_weights] == [(features, 3), (3,)]
    images = np.zeros((2, spec.min_size, spec.min_size, 1), np.uint8)
    shares = np.asarray(model(images, training=False))
    np.testing.assert_allclose(shares.sum(axis=1), [1, 1], rtol=1e-6)


@pytest.fixture(scope="module", params=BACKBONES)
def written(request, tmp_path_factory):
    """Write files of a backbone in another process; give its name and their folder."""
    folder = tmp_path_factory.mktemp(request.param)
    application = BACKBONES[request.param].application
    run_module("tests.helpers.keras_files", application, folder)
    yield request.param, folder
    shutil.rmtree(folder)  # a gigabyte


def assert_features_are_those_of_keras(model, folder):
    """Compare with Keras's own model; the study's recipe gives the backbone 0..255 as they are."""
    features = keras.Model(model.input, model.get_layer("features").output)
    got = np.asarray(features(np.load(folder / "images.npy"), training=False))
    expected = np.load(folder / "features.npy")
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6 * expected.max())


def test_files_that_keras_wrote_in_another_process_give_its_features(written):
    name, folder = written
    model = classifier(name, keras_files.SIDE, "none")
    size = (keras_files.SIDE, keras_files.SIDE)
    # One test for all files: they are written once, whatever workers share the tests.
    for file in ("bare.h5", "bare.weights.h5", "bare.keras", "top.h5"):
        model.set_weights([np.zeros_like(weights) for weights in model.get_weights()])
        load_pretrained(model, str(folder / file), find_backbone_builder(name), size)
        assert_features_are_those_of_keras(model, folder)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Write nothing."""


def fetch_from(port, cache, monkeypatch):
    """Let Keras fetch from here, into an empty cache, what it would fetch from its own server.

    Return a list that grows by the name and the MD5 of each file that Keras asks for.
    """
    asked = []
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    get_file = file_utils.get_file

    def from_here(fname, origin, *, file_hash, **options):
        del origin
        asked.append((fname, file_hash))  # the hash is that of the real file
        return get_file(fname, f"http://127.0.0.1:{port}/{fname}", cache_dir=cache, **options)

    monkeypatch.setattr(file_utils, "get_file", from_here)
    return asked


@pytest.fixture
def served(monkeypatch, tmp_path):
    """Give a folder that stands for Keras's server, and a list of what Keras asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield folder, fetch_from(server.server_port, tmp_path, monkeypatch)
        server.shutdown()
    for path in (folder, tmp_path / "models"):
        shutil.rmtree(path)


def test_imagenet_weights_are_downloaded_and_give_the_features_of_keras(written, served):
    (name, folder), (server, asked) = written, served
    spec = BACKBONES[name]
    (folder / "as_shipped.h5").rename(server / spec.weights_file)
    model = classifier(name, keras_files.SIDE, "imagenet")
    assert_features_are_those_of_keras(model, folder)
    assert asked == [(spec.weights_file, spec.weights_md5)]


def test_without_a_network_the_file_that_keras_wanted_is_named(monkeypatch, tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        fetch_from(silent.getsockname()[1], tmp_path, monkeypatch)
        with pytest.raises(OSError, match=r"resnet101_.*_notop\.h5 \(MD5 88cf7a1.*refused"):
            classifier("resnet101", 32, "imagenet")
