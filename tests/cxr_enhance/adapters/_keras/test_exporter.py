"""A model that holds a layer is exported, loaded where only its runtime is, and gives its bytes."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_code
from tests.helpers.images import make_image

keras = pytest.importorskip("keras", reason='needs pip install "cxr-enhance[tf]"')
layers = pytest.importorskip("cxr_enhance.adapters.keras_layers")
if keras.backend.backend() != "tensorflow":
    pytest.skip("exports are tested on the tensorflow backend", allow_module_level=True)

OURS = ("cxr_enhance", "numba")
CASES = {
    "uint8": ("uint8", 3, cxe.EnhanceParams(tile_grid_size=(5, 3), output="rgb")),
    "uint8-divides": ("uint8", 1, cxe.EnhanceParams(tile_grid_size=(8, 4))),
    "uint16": ("uint16", 1, cxe.EnhanceParams(tile_grid_size=(4, 2), bit_shift=4)),
    "float32": ("float32", 1, cxe.EnhanceParams(tile_grid_size=(4, 2))),
    "uint8-64-bins": ("uint8", 1, cxe.EnhanceParams(tile_grid_size=(5, 3), num_bins=64)),
    "uint16-256-bins": ("uint16", 1, cxe.EnhanceParams(tile_grid_size=(5, 3))),
    "uint16-12-bits": (
        "uint16",
        3,
        cxe.EnhanceParams(tile_grid_size=(4, 2), num_bins=300, bits=12),
    ),
}

pytestmark = pytest.mark.filterwarnings(
    # Of the exporters, about themselves: deprecations within TensorFlow and protobuf.
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore:.*:UserWarning:keras",
    "ignore:.*tf.lite.Interpreter is deprecated.*:UserWarning",
)


def make_model(case, sizes=(32, 48), **changes):
    """Give a model, two images, and what the library makes of them."""
    dtype, channels, params = CASES[case]
    params = cxe.EnhanceParams(**{**params.to_dict(), **changes})
    inputs = keras.Input((*sizes, channels), dtype=dtype)
    model = keras.Model(inputs, layers.Enhance(params)(inputs))
    kind = "uint16" if dtype == "uint16" else "uint8"
    kind = "uint16-12bit" if params.bits == 12 else kind
    images = np.stack([make_image("radiograph", 32, 48, kind, channels, seed=i) for i in range(2)])
    wanted = cxe.enhance_batch(images, params)
    wanted = wanted if wanted.ndim == 4 else wanted[..., None]
    model(images.astype(dtype))  # exporters want models that were called
    return model, images.astype(dtype), wanted.astype(dtype)


def check_in_a_fresh_process(tmp_path, models, code, without):
    """Run `code`, which makes `result` of `images` and `path`, for every model in one process."""
    for name, (_, images, _) in models.items():
        np.save(tmp_path / f"{name}-images.npy", images)
    loop = textwrap.indent(textwrap.dedent(code), "    ")
    frame = f"""
import numpy as np
for name in sys.argv[2:]:
    path = sys.argv[1] + "/" + name
    images = np.load(path + "-images.npy")
{loop}
    np.save(path + "-result.npy", np.asarray(result))
"""
    run_code(frame, tmp_path, *models, without=without)
    for name, (_, _, wanted) in models.items():
        assert_same_image(np.load(tmp_path / f"{name}-result.npy"), wanted)


def of_known_and_unknown_size():
    models = {case: make_model(case) for case in CASES}
    return models | {f"{case}-any-size": make_model(case, (None, None)) for case in CASES}


def test_a_keras_file_gives_the_same_bytes_in_a_fresh_process(tmp_path):
    models = of_known_and_unknown_size()
    for name, (model, *_) in models.items():
        model.save(tmp_path / f"{name}.keras")
    code = """
    import keras, cxr_enhance.adapters.keras_layers
    result = keras.models.load_model(path + ".keras")(images)
    """
    check_in_a_fresh_process(tmp_path, models, code, without=[])


def test_a_saved_model_gives_the_same_bytes_without_this_library(tmp_path):
    models = of_known_and_unknown_size()
    for name, (model, *_) in models.items():
        model.export(tmp_path / name, format="tf_saved_model", verbose=False)
    code = """
    import tensorflow as tf
    result = tf.saved_model.load(path).serve(tf.constant(images))
    """
    check_in_a_fresh_process(tmp_path, models, code, without=[*OURS, "keras"])


def test_an_onnx_file_gives_the_same_bytes_without_this_library(tmp_path):
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"needs pip install {package}")
    models = of_known_and_unknown_size()
    for name, (model, *_) in models.items():
        model.export(tmp_path / f"{name}.onnx", format="onnx", opset_version=18, verbose=False)
    code = """
    import onnxruntime
    session = onnxruntime.InferenceSession(path + ".onnx")
    result = session.run(None, {session.get_inputs()[0].name: images})[0]
    """
    check_in_a_fresh_process(tmp_path, models, code, without=[*OURS, "keras", "tensorflow"])


def test_onnx_with_too_old_an_operator_set_is_refused(tmp_path):
    pytest.importorskip("tf2onnx", reason="needs pip install tf2onnx")
    model, *_ = make_model("uint8")
    with pytest.raises(ValueError, match="`opset_version` must be at least 16"):
        model.export(tmp_path / "model.onnx", format="onnx", verbose=False)


def test_a_litert_file_gives_the_same_bytes_without_this_library(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="needs pip install ai-edge-litert")
    models = {case: make_model(case, percentiles=None) for case in CASES}
    for name, (model, *_) in models.items():
        model.export(tmp_path / f"{name}.tflite", format="litert", verbose=False)
    code = """
    from ai_edge_litert.interpreter import Interpreter
    model = Interpreter(path + ".tflite")
    place = model.get_input_details()[0]["index"]
    model.resize_tensor_input(place, images.shape)
    model.allocate_tensors()
    model.set_tensor(place, images)
    model.invoke()
    result = model.get_tensor(model.get_output_details()[0]["index"])
    """
    check_in_a_fresh_process(tmp_path, models, code, without=[*OURS, "keras", "tensorflow"])


def test_white_balance_in_litert_is_refused_with_the_way_round(tmp_path):
    model, *_ = make_model("uint8")
    with pytest.raises(NotImplementedError, match=r"no float64. Export Enhance\(EnhanceParams\("):
        model.export(tmp_path / "model.tflite", format="litert", verbose=False)
    assert not (tmp_path / "model.tflite").exists()


def test_a_saved_model_can_be_converted_to_litert(tmp_path):
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="needs pip install ai-edge-litert"
    )
    import tensorflow as tf

    model, images, wanted = make_model("uint8-divides", percentiles=None)
    model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "model")).convert()
    interpreter = litert.Interpreter(model_content=content)
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, images)
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert_same_image(result, wanted)
