"""Models made on the jax or torch backend are exported, loaded where only a runtime is, and agree.

Each model is made in a process of its own, with its backend, and run in another one.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_code

pytest.importorskip("keras", reason='needs pip install "cxr-enhance[tf]"')

MAKE = """
import warnings; warnings.simplefilter("ignore")  # the exporters', about themselves
import numpy as np, keras, cxr_enhance as cxe
from cxr_enhance.adapters.keras_layers import Enhance
def make(batch, kind, **options):
    params = cxe.EnhanceParams(tile_grid_size=(5, 3), **options)
    inputs = keras.Input((32, 48, 3), batch_size=batch, dtype=kind)
    model = keras.Model(inputs, Enhance(params)(inputs))
    images = np.random.default_rng(0).integers(0, 4096, (batch or 2, 32, 48, 3)).astype(kind)
    np.savez(sys.argv[1] + "/arrays", images=images, wanted=cxe.enhance_batch(images, params))
    model(images)
    return model
"""


def check(tmp_path, code, without):
    """Run `code`, which makes `result` of `images` and `folder`, and compare."""
    frame = f"""
import numpy as np
folder = sys.argv[1]
arrays = np.load(folder + "/arrays.npz")
images = arrays["images"]
{code}
np.save(folder + "/result.npy", np.asarray(result)[..., 0])
"""
    run_code(frame, tmp_path, without=["cxr_enhance", "numba", "keras", *without])
    wanted = np.load(tmp_path / "arrays.npz")["wanted"]
    assert_same_image(np.load(tmp_path / "result.npy"), wanted)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_saved_model_of_the_jax_backend_gives_the_same_bytes(tmp_path, kind):
    for package in ("jax", "tensorflow"):
        pytest.importorskip(package, reason=f"needs pip install {package}")
    export = (
        MAKE
        + f"""
model = make(None, {kind!r}, bit_shift=4 if {kind!r} == "uint16" else 0)
model.export(sys.argv[1] + "/model", format="tf_saved_model", verbose=False)
"""
    )
    run_code(export, tmp_path, env={"KERAS_BACKEND": "jax"})
    code = """
import tensorflow as tf
result = tf.saved_model.load(folder + "/model").serve(tf.constant(images))
"""
    check(tmp_path, code, without=["jax"])


def test_an_onnx_file_of_the_torch_backend_gives_the_same_bytes(tmp_path):
    for package in ("torch", "onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"needs pip install {package}")
    export = (
        MAKE
        + """
model = make(1, "uint8")
model.export(sys.argv[1] + "/model.onnx", format="onnx", opset_version=18, verbose=False)
"""
    )
    run_code(export, tmp_path, env={"KERAS_BACKEND": "torch"})
    code = """
import onnxruntime
session = onnxruntime.InferenceSession(folder + "/model.onnx")
result = session.run(None, {session.get_inputs()[0].name: images})[0]
"""
    check(tmp_path, code, without=["torch", "tensorflow"])
    assert np.load(tmp_path / "arrays.npz")["images"].shape == (1, 32, 48, 3)
