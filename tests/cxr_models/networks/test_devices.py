import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras
import tensorflow as tf

from cxr_models.networks.devices import device_names, has_gpu


def jax_with(*devices):
    return SimpleNamespace(
        devices=lambda: [
            SimpleNamespace(platform=platform, device_kind=kind) for platform, kind in devices
        ]
    )


def torch_with(*, cuda, mps=False):
    return SimpleNamespace(
        cuda=SimpleNamespace(is_available=lambda: cuda, get_device_name=lambda: "NVIDIA A100"),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
    )


@pytest.fixture
def gpu_of_tensorflow(monkeypatch):
    device = SimpleNamespace(name="/physical_device:GPU:0", device_type="GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [device])
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda _: {"device_name": "NVIDIA H100"}
    )


@pytest.mark.usefixtures("gpu_of_tensorflow")
def test_tensorflow_computes_on_its_gpus():
    assert (device_names(), has_gpu()) == (["NVIDIA H100"], True)


@pytest.mark.usefixtures("gpu_of_tensorflow")
@pytest.mark.parametrize(
    ("backend", "module", "names", "is_gpu"),
    [
        ("jax", jax_with(("cpu", "cpu")), [], False),
        ("jax", jax_with(("gpu", "NVIDIA A100")), ["NVIDIA A100"], True),
        ("jax", jax_with(("tpu", "TPU v4")), ["TPU v4"], False),
        ("torch", torch_with(cuda=False), [], False),
        ("torch", torch_with(cuda=False, mps=True), ["MPS"], False),
        ("torch", torch_with(cuda=True), ["NVIDIA A100"], True),
    ],
)
def test_another_backend_is_asked_for_its_own_devices_and_not_for_those_of_tensorflow(
    monkeypatch, backend, module, names, is_gpu
):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setitem(sys.modules, backend, module)
    assert (device_names(), has_gpu()) == (names, is_gpu)
