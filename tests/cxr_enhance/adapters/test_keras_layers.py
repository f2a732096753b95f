"""Keras layers: the library's bytes from a graph, on whatever backend KERAS_BACKEND names."""

from __future__ import annotations

import sys
import tempfile
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxr_enhance as cxe
from tests.helpers import strategies
from tests.helpers.adapter_contract import AdapterContract, StaticShapeContract
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_code
from tests.helpers.images import make_image

keras = pytest.importorskip("keras", reason='needs pip install "cxr-enhance[tf]"')
layers = pytest.importorskip("cxr_enhance.adapters.keras_layers")
from keras import ops  # noqa: E402 - after the skips

BACKEND = keras.backend.backend()
tensorflow_only = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="a matter of the tensorflow backend"
)
# Keras asks torch's tensors for arrays in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
GRIDS = [(16, 4), (8, 8), (3, 5)]
SIZES = [(67, 71), (64, 96), (5, 7), (1, 30)]


def numpy_of(tensor, dtype):
    result = ops.convert_to_numpy(tensor)
    if BACKEND == "torch" and dtype == np.uint16:
        assert result.dtype == np.int32
        result = result.astype(np.uint16)  # Keras on torch holds uint16 as int32
    return result


def expected(image, params):
    result = cxe.enhance(image, params)
    return result if result.ndim == 3 else result[..., None]


def compiled(layer):
    """Wrap `layer` as the backend compiles: tf.function and XLA, jax.jit; nothing on torch."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return [tf.function(layer), tf.function(layer, jit_compile=True)]
    if BACKEND == "jax":
        import jax

        return [jax.jit(lambda images: layer(images))]
    return []


def saved_and_loaded(layer):
    """Write a .keras file of a model that holds the layer, read it, and give its layer."""
    inputs = keras.Input((33, 40, 1), dtype="uint8")
    with tempfile.TemporaryDirectory() as folder:
        keras.Model(inputs, layer(inputs)).save(f"{folder}/model.keras")
        return keras.models.load_model(f"{folder}/model.keras").layers[-1]


class TestContract(AdapterContract, StaticShapeContract):
    adapter, framework, extra = "keras_layers", "keras", "tf"
    forms = ("array", "batch of tensors")
    channels = (1, 3)
    sentences: ClassVar = {
        "dtype": (
            lambda: layers.Enhance()(keras.KerasTensor((8, 8, 1), "int64")),
            "`inputs` must have dtype uint8 or uint16, or be floats whose black and white are "
            "value_range=(0, 255); got int64. Cast them with keras.ops.cast.",
        ),
        "shape": (
            lambda: layers.Enhance()(keras.KerasTensor((8, 8), "uint8")),
            "`inputs` must have shape (N, H, W, C) or (H, W, C); got (8, 8).",
        ),
        "params": (
            lambda: layers.Enhance({"clip_limit": 2}),
            "`params` must be EnhanceParams or None; got dict. Use EnhanceParams.from_dict.",
        ),
    }
    copies: ClassVar = {
        "configuration": lambda layer: type(layer).from_config(layer.get_config()),
        "serialized": lambda layer: keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        ),
        "file": saved_and_loaded,
    }
    copied_forms = ("batch of tensors",)

    def make(self, params, form):
        return layers.Enhance(params)

    def make_for_floats(self, params, form):
        return layers.Enhance(params, value_range=(0, 1), bit_depth=16)

    def call(self, made, image, form):
        dtype = image.dtype.newbyteorder("=")
        if form == "array":
            return numpy_of(made(image), dtype)
        images = ops.convert_to_tensor(np.stack([image[::-1], image]))
        return numpy_of(made(images), dtype)[1]

    def options_of(self, made):
        return made.get_config()

    def static(self, shape, dtype, params):
        result = layers.Enhance(params)(keras.KerasTensor(shape, dtype))
        return result.shape, result.dtype

    @settings(max_examples=15, deadline=None)  # each draws a shape or options to compile for
    @given(data=st.data())
    def test_any_image_and_options_give_the_bytes_of_enhance(self, data):
        self.check_any_image(data, strategies.images(self.channels, dtypes=(np.uint8,)))


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_enhance_gives_the_bytes_of_the_library(kind, channels, grid, size):
    params = cxe.EnhanceParams(
        tile_grid_size=grid,
        bit_shift=5 if kind == "uint16" else 0,
        channel_order="bgr",
        output="rgb" if channels == 3 else "gray",
        clip_limit=0 if grid == (3, 5) else 2.5,
    )
    image = make_image("radiograph", *size, kind, channels)
    result = layers.Enhance(params)(ops.convert_to_tensor(image))
    assert_same_image(numpy_of(result, image.dtype), expected(image, params))


@pytest.mark.parametrize("kind", ["uint8", "uint16-12bit"])
@pytest.mark.parametrize("content", ["noise", "constant", "two-valued", "saturated"])
def test_batches_of_any_content_give_the_bytes_of_the_library(kind, content):
    images = np.stack([make_image(content, 30, 44, kind, 3, seed=i) for i in range(3)])
    params = cxe.EnhanceParams(tile_grid_size=(4, 4), percentiles=(1.3, 98.9), bit_shift=2)
    result = layers.Enhance(params)(ops.convert_to_tensor(images))
    wanted = np.stack([expected(image, params) for image in images])
    assert_same_image(numpy_of(result, images.dtype), wanted)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_compiled_layers_give_the_same_bytes(kind):
    image = make_image("radiograph", 67, 71, kind, 3)
    params = cxe.EnhanceParams(tile_grid_size=(16, 4), bit_shift=4 if kind == "uint16" else 0)
    for function in compiled(layers.Enhance(params)):
        result = function(ops.convert_to_tensor(image))
        assert_same_image(numpy_of(result, image.dtype), expected(image, params))


def test_full_uint16_tables_give_the_same_bytes():
    images = np.stack([make_image("noise", 20, 31, "uint16", 1, seed=i) for i in range(2)])
    params = cxe.EnhanceParams(tile_grid_size=(3, 2))
    for function in [layers.Enhance(params), *compiled(layers.Enhance(params))]:
        result = numpy_of(function(ops.convert_to_tensor(images)), images.dtype)
        assert_same_image(result, np.stack([expected(image, params) for image in images]))


SHAPES = [(32, 40, 1), (32, 40, 3), (33, 41, 3), (2, 33, 41, 1), (5, 20, 41, 3), (20, 20, 1)]


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_one_layer_takes_images_of_any_rank_size_and_channels_in_turn(kind):
    params = cxe.EnhanceParams(tile_grid_size=(4, 3), bit_shift=4, percentiles=(2, 97))
    enhance, balance = layers.Enhance(params), layers.WhiteBalance((2, 97))
    for shape in SHAPES:
        images = np.random.default_rng(0).integers(0, 256, shape).astype(kind)
        batch = images if images.ndim == 4 else images[None]
        for layer, one in (
            (enhance, lambda image: expected(image, params)),
            (balance, lambda image: cxe.white_balance(image, percentiles=(2, 97))),
        ):
            result = numpy_of(layer(ops.convert_to_tensor(images)), images.dtype)
            wanted = np.stack([one(image) for image in batch])
            assert_same_image(result, wanted if images.ndim == 4 else wanted[0])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("make", [layers.Enhance, layers.WhiteBalance, layers.OpenCVCLAHE])
def test_empty_batches_stay_empty(make, dtype):
    images = np.zeros((0, 20, 31, 1), dtype)
    assert_same_image(numpy_of(make()(ops.convert_to_tensor(images)), images.dtype), images)


@tensorflow_only
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_batches_whose_size_is_unknown_may_be_empty(dtype):
    import tensorflow as tf

    spec = tf.TensorSpec((None, None, None, 1), dtype)
    function = tf.function(layers.Enhance(), input_signature=[spec])
    images = np.zeros((0, 20, 31, 1), dtype)
    assert_same_image(function(images).numpy(), images)
    image = make_image("radiograph", 20, 31, dtype, 1)
    assert_same_image(function(image[None]).numpy()[0], expected(image, None))


def test_values_out_of_range_are_clipped_and_no_number_is_black_in_graphs():
    levels = np.linspace(-50, 300, 33 * 40, dtype=np.float32).reshape(33, 40, 1)
    levels[3, 4], levels[5, 6], levels[7, 8] = np.nan, np.inf, -np.inf
    image = np.rint(np.clip(np.nan_to_num(levels, nan=0), 0, 255)).astype(np.uint8)
    wanted = expected(image, None).astype(np.float32)
    for function in compiled(layers.Enhance()):
        assert_same_image(ops.convert_to_numpy(function(ops.convert_to_tensor(levels))), wanted)
    tf = pytest.importorskip("tensorflow", reason="needs pip install tensorflow")
    data = tf.data.Dataset.from_tensors(levels).map(layers.Enhance())
    assert_same_image(next(data.as_numpy_iterator()), wanted)


@pytest.mark.parametrize(
    ("low", "high", "cure"),
    [
        (0.1, 0.9, "Pass value_range=(0, 1), or what black and white are in your images."),
        (-1, 1, "Pass value_range=(-1, 1), or what black and white are in your images."),
        (0, 4095, "Pass value_range=(0, 65535), or what black and white are in your images."),
        (-9, 260, "use keras.ops.clip(inputs, 0, 255);"),
        (np.nan, 255, "Make NaN black with keras.ops.nan_to_num(inputs, nan=0)."),
    ],
)
def test_values_out_of_range_are_refused_where_they_can_be_seen(low, high, cure):
    values = np.linspace(0, high, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    values[0, 0, 0] = low
    inputs = ops.convert_to_tensor(values)
    for call in (layers.Enhance(), layers.WhiteBalance(), layers.OpenCVCLAHE()):
        with pytest.raises(
            ValueError, match=r"`inputs` must lie in 0\.\.255, its value range"
        ) as e:
            call(inputs)
        assert cure in str(e.value)
    cured = {
        "use": lambda: ops.clip(inputs, 0, 255),
        "Make": lambda: ops.nan_to_num(inputs, nan=0),
    }.get(cure.split()[0])
    if cured is not None:
        layers.Enhance()(cured())


def test_values_beyond_the_range_by_rounding_are_clipped():
    image = np.full((8, 8, 1), 255.0001, np.float32)
    image[:4] = -0.0001
    wanted = expected(np.clip(image, 0, 255).astype(np.uint8), None).astype(np.float32)
    result = layers.Enhance()(ops.convert_to_tensor(image))
    assert_same_image(ops.convert_to_numpy(result), wanted)


@pytest.mark.parametrize("limits", [(0, 1), (-1, 1), (0.5, 2), (-1024, 1024)])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_in_a_range_have_the_levels_of_the_library(limits, bits, dtype):
    if BACKEND == "jax" and dtype == "float64":
        pytest.skip("JAX has no float64 unless told to")
    low, high = map(float, limits)
    levels = make_image("radiograph", 33, 40, f"uint{bits}", 1)
    values = (levels * ((high - low) / (2**bits - 1)) + low).astype(dtype)
    wanted = expected(levels, None) * (high - low) / np.float64(2**bits - 1) + low
    layer = layers.Enhance(value_range=limits, bit_depth=bits)
    for function in [layer, *compiled(layer)]:
        result = ops.convert_to_numpy(function(ops.convert_to_tensor(values)))
        assert_same_image(result, wanted.astype(dtype))
    tf = pytest.importorskip("tensorflow", reason="needs pip install tensorflow")
    data = tf.data.Dataset.from_tensors(values).map(layer)
    assert_same_image(next(data.as_numpy_iterator()), wanted.astype(dtype))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("limits", [(0, 1), (0, 255)])
def test_half_precision_holds_eight_bits(dtype, limits):
    levels = make_image("radiograph", 33, 40, channels=1)
    values = ops.cast(ops.convert_to_tensor(levels * np.float32(limits[1] / 255)), dtype)
    result = layers.Enhance(value_range=limits)(values)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    values = ops.convert_to_numpy(ops.cast(result, "float32"))
    again = np.rint(values * np.float32(255 / limits[1])).astype(np.uint8)
    assert_same_image(again, expected(levels, None))


def test_images_after_a_rescaling_have_the_bytes_of_images_before():
    image = make_image("radiograph", 33, 40, channels=1)[None]
    model = keras.Sequential([keras.layers.Rescaling(1 / 255), layers.Enhance(value_range=(0, 1))])
    result = ops.convert_to_numpy(model(ops.convert_to_tensor(image)))
    wanted = expected(image[0], None) / np.float64(255)
    assert_same_image(result[0], wanted.astype(np.float32))


def test_the_range_is_eight_bits_or_sixteen_unless_another_is_said():
    for options, wanted in [
        ({}, [0, 255]),
        ({"bit_depth": 16}, [0, 65535]),
        ({"value_range": (-1, 1)}, [-1, 1]),
    ]:
        layer = layers.Enhance(**options)
        assert layer.get_config()["value_range"] == wanted
        assert layers.Enhance.from_config(layer.get_config()).value_range == tuple(wanted)


def test_a_layer_stored_before_ranges_were_has_the_range_that_it_had():
    config = layers.Enhance(bit_depth=16).get_config()
    del config["value_range"]
    assert layers.Enhance.from_config(config).value_range == (0, 65535)


def test_a_layer_stored_before_bins_were_counts_every_value():
    image = make_image("radiograph", 33, 40, "uint16", 1)
    before = cxe.EnhanceParams(tile_grid_size=(2, 2), num_bins=None)
    made = [
        (layers.Enhance(before), cxe.enhance(image, before)),
        (
            layers.OpenCVCLAHE(tile_grid_size=(2, 2)),
            cxe.clahe(image, tile_grid_size=(2, 2)),
        ),
        (layers.WhiteBalance(), cxe.white_balance(image)),
    ]
    for layer, wanted in made:
        config = layer.get_config()
        for names in (config, config.get("params", {})):
            names.pop("num_bins", None)
            names.pop("bits", None)
        result = type(layer).from_config(config)(ops.convert_to_tensor(image))
        assert_same_image(numpy_of(result, np.uint16), wanted)


@pytest.mark.parametrize("limits", [(0, 255), (0, 1), (0, 4095)])
def test_floats_have_as_many_levels_as_the_bits_of_the_options_say(limits):
    levels = make_image("radiograph", 33, 40, "uint16-12bit", 1)
    params = cxe.EnhanceParams(tile_grid_size=(2, 2), bits=12)
    values = (levels * (limits[1] / np.float64(4095))).astype(np.float32)
    layer = layers.Enhance(params, value_range=limits)
    result = ops.convert_to_numpy(layer(ops.convert_to_tensor(values)))
    wanted = expected(levels, params) * (limits[1] / np.float64(4095))
    np.testing.assert_allclose(result, wanted, rtol=1e-6)
    with pytest.raises(ValueError, match="`bits` must be from 1 to 8 for uint8 images; got 12"):
        layers.Enhance(params, value_range=limits, bit_depth=8)(ops.convert_to_tensor(values))


def test_a_saved_model_keeps_its_range(tmp_path):
    inputs = keras.Input((33, 40, 1))
    model = keras.Model(inputs, layers.Enhance(value_range=(0, 1))(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    image = make_image("radiograph", 33, 40, channels=1)[None] / np.float32(255)
    assert again.layers[-1].value_range == (0, 1)
    assert_same_image(again.predict(image, verbose=0), model.predict(image, verbose=0))


def test_a_model_names_the_module_to_import_and_older_names_load():
    for layer in (layers.Enhance(), layers.WhiteBalance(), layers.OpenCVCLAHE()):
        stored = keras.saving.serialize_keras_object(layer)
        name = type(layer).__name__
        assert stored["registered_name"] == f"cxr_enhance.adapters.keras_layers>{name}"
        older = {**stored, "registered_name": f"cxr_enhance>{name}"}
        assert type(keras.saving.deserialize_keras_object(older)) is type(layer)


def test_a_process_without_the_import_is_told_of_it(tmp_path):
    inputs = keras.Input((24, 24, 1))
    keras.Model(inputs, layers.Enhance()(inputs)).save(tmp_path / "model.keras")
    done = run_code(
        """
        import keras
        try:
            keras.saving.load_model(sys.argv[1])
        except TypeError as error:
            print("cxr_enhance.adapters.keras_layers>Enhance" in str(error))
        import cxr_enhance.adapters.keras_layers
        print(keras.saving.load_model(sys.argv[1]).layers[-1].value_range)
        """,
        tmp_path / "model.keras",
    )
    assert done.stdout == "True\n(0.0, 255.0)\n"


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_global_settings_do_not_touch_the_levels(policy):
    image = make_image("radiograph", 33, 40, channels=1).astype(np.float32)
    before = keras.mixed_precision.dtype_policy(), keras.config.image_data_format()
    try:
        keras.mixed_precision.set_global_policy(policy)
        keras.config.set_image_data_format("channels_first")
        layer = layers.Enhance()
        result = ops.convert_to_numpy(layer(ops.convert_to_tensor(image, "float32")))
    finally:
        keras.mixed_precision.set_global_policy(before[0])
        keras.config.set_image_data_format(before[1])
    assert layer.data_format == "channels_last"
    assert_same_image(result, expected(image.astype(np.uint8), None).astype(np.float32))


def test_layers_that_are_not_trainable_come_back_as_such():
    for layer in [layers.Enhance(trainable=False), layers.OpenCVCLAHE(trainable=False)]:
        again = type(layer).from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        assert not again.trainable


def test_several_tensors_are_refused_with_what_to_pass():
    image = ops.convert_to_tensor(np.zeros((8, 8, 1), np.uint8))
    with pytest.raises(TypeError, match=r"one dense tensor or array; got list. Pass np.stack"):
        layers.Enhance()([image, image])
    tf = pytest.importorskip("tensorflow", reason="needs pip install tensorflow")
    ragged = tf.RaggedTensor.from_tensor(tf.zeros((2, 8, 8, 1)))
    with pytest.raises(TypeError, match=r"got RaggedTensor. Pass inputs.to_tensor\(\)"):
        layers.Enhance()(ragged)
    with pytest.raises(TypeError, match=r"got SparseTensor. Pass tf.sparse.to_dense\(inputs\)"):
        layers.Enhance()(tf.sparse.from_dense(tf.zeros((8, 8, 1))))


def test_white_balance_treats_each_channel():
    images = np.stack([make_image("radiograph", 33, 40, channels=3, seed=i) for i in range(2)])
    result = layers.WhiteBalance((2, 97))(ops.convert_to_tensor(images))
    wanted = np.stack([cxe.white_balance(image, percentiles=(2, 97)) for image in images])
    assert_same_image(numpy_of(result, images.dtype), wanted)


def test_clahe_treats_each_channel_of_any_number():
    images = np.stack([make_image("radiograph", 33, 40, channels=4, seed=i) for i in range(2)])
    result = layers.OpenCVCLAHE(3.0, (5, 3))(ops.convert_to_tensor(images))
    wanted = np.empty_like(images)
    for n, c in np.ndindex(2, 4):
        wanted[n, ..., c] = cxe.clahe(images[n, ..., c], clip_limit=3.0, tile_grid_size=(5, 3))
    assert_same_image(numpy_of(result, images.dtype), wanted)


def test_floats_are_rounded_and_keep_their_dtype():
    image = make_image("radiograph", 33, 40, channels=1)
    result = layers.Enhance()(ops.convert_to_tensor(image.astype(np.float32) + 0.25))
    assert_same_image(ops.convert_to_numpy(result), expected(image, None).astype(np.float32))


def test_floats_of_sixteen_bits_need_to_be_said():
    image = make_image("radiograph", 33, 40, "uint16", 1)
    params = cxe.EnhanceParams(tile_grid_size=(2, 2))
    result = layers.Enhance(params, bit_depth=16)(ops.convert_to_tensor(image.astype(np.float32)))
    assert_same_image(ops.convert_to_numpy(result), expected(image, params).astype(np.float32))


def test_mixed_precision_does_not_touch_the_levels():
    image = make_image("radiograph", 33, 40, channels=1)
    layer = layers.Enhance(dtype="mixed_float16")
    result = layer(ops.convert_to_tensor(image.astype(np.float32)))
    assert_same_image(ops.convert_to_numpy(result), expected(image, None).astype(np.float32))


@tensorflow_only
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_unknown_sizes_give_the_same_bytes(kind):
    dtype = kind
    params = cxe.EnhanceParams(tile_grid_size=(5, 3), bit_shift=1)
    inputs = keras.Input((None, None, 3), dtype=dtype)
    model = keras.Model(inputs, layers.Enhance(params)(inputs))
    for size in [(30, 45), (31, 44), (1, 9), (40, 40)]:
        images = make_image("radiograph", *size, kind, 3)[None]
        result = model.predict_on_batch(images)
        assert_same_image(np.asarray(result)[0], expected(images[0], params))


def test_every_layer_comes_back_from_its_configuration_with_every_option():
    params = cxe.EnhanceParams(clip_limit=3, tile_grid_size=(4, 2), output="rgb")
    for layer in [
        layers.Enhance(params, bit_depth=8, name="a"),
        layers.WhiteBalance((1, 98)),
        layers.OpenCVCLAHE(3.5, (4, 2), bit_shift=1),
    ]:
        config = layer.get_config()
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert again.get_config() == config
        assert again._params == layer._params
    assert layers.Enhance(params).get_config()["params"] == params.to_dict()


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: layers.Enhance(bit_depth=12), ValueError, "`bit_depth` must be 8, 16 or None"),
        (
            lambda: layers.Enhance(data_format="channels_first"),
            ValueError,
            "`data_format` must be 'channels_last'; got 'channels_first'. Use keras.layers.Permute",
        ),
        (
            lambda: layers.WhiteBalance(value_range=(1, 0)),
            ValueError,
            r"`value_range` must be two finite numbers \(black, white\), black < white; got",
        ),
        (lambda: layers.OpenCVCLAHE(None), TypeError, "`clip_limit` must be a number"),
        (lambda: layers.OpenCVCLAHE(2.0, (0, 3)), ValueError, "two positive ints"),
        (lambda: layers.OpenCVCLAHE(float("inf")), ValueError, "`clip_limit` must be finite"),
        (lambda: layers.OpenCVCLAHE(bit_shift=-1), ValueError, "`bit_shift` must be from 0"),
        (lambda: layers.WhiteBalance(None), TypeError, "`percentiles` must be two numbers"),
        (lambda: layers.WhiteBalance((9, 3)), ValueError, "0 <= low < high <= 100"),
    ],
)
def test_wrong_options_are_refused(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()


@pytest.mark.parametrize(
    ("shape", "dtype", "error", "sentence"),
    [
        ((8, 8, 2), "uint8", ValueError, "their number 1 or 3"),
        (
            (2, 0, 8, 1),
            "uint8",
            ValueError,
            r"at least one pixel an image; got shape \(2, 0, 8, 1\)",
        ),
        ((8, 8, 1), "int8", TypeError, "got int8. Cast them with keras.ops.cast."),
    ],
)
def test_wrong_inputs_are_refused(shape, dtype, error, sentence):
    with pytest.raises(error, match=sentence):
        layers.Enhance()(keras.KerasTensor(shape, dtype))


def test_a_bit_depth_that_does_not_fit_the_dtype_is_refused():
    layer = layers.Enhance(bit_depth=16)
    with pytest.raises(ValueError, match="`bit_depth` must be 8 or None for uint8"):
        layer(keras.KerasTensor((8, 8, 1), "uint8"))
    with pytest.raises(TypeError, match="uint8, uint16, float32 or float64; got float16"):
        layer(keras.KerasTensor((8, 8, 1), "float16"))


def test_a_bit_shift_too_large_for_the_dtype_is_refused():
    with pytest.raises(ValueError, match="`bit_shift` must be from 0 to 7 for uint8"):
        layers.Enhance(cxe.EnhanceParams(bit_shift=9))(keras.KerasTensor((8, 8, 1), "uint8"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_layers_work_inside_tf_data_on_every_backend(dtype):
    tf = pytest.importorskip("tensorflow", reason="needs pip install tensorflow")
    kind = "uint16" if dtype == "uint16" else "uint8"
    images = np.stack([make_image("radiograph", 30, 44, kind, 3, seed=i) for i in range(4)])
    params = cxe.EnhanceParams(tile_grid_size=(4, 2), bit_shift=3)
    every_layer = [layers.Enhance(params), layers.WhiteBalance(), layers.OpenCVCLAHE(2.0, (4, 2))]
    wanted = [
        [expected(image, params) for image in images],
        [cxe.white_balance(image) for image in images],
        [
            np.stack([cxe.clahe(image[..., c], tile_grid_size=(4, 2)) for c in range(3)], -1)
            for image in images
        ],
    ]
    data = tf.data.Dataset.from_tensor_slices(images.astype(dtype))
    for layer, results in zip(every_layer, wanted, strict=True):
        for mapped in (data.map(layer), data.batch(2).map(layer).unbatch()):
            assert mapped.element_spec.shape.as_list() == list(results[0].shape)
            done = np.stack(list(mapped.as_numpy_iterator()))
            assert_same_image(done, np.stack(results).astype(dtype))


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux reports it")
@tensorflow_only
def test_memory_at_1024_is_bounded():
    done = run_code(
        """
        import resource
        import numpy as np, tensorflow as tf
        from cxr_enhance.adapters.keras_layers import OpenCVCLAHE
        def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        layer = OpenCVCLAHE()
        run = tf.function(layer)
        run(tf.zeros((1, 64, 64, 1), tf.uint8))
        image = tf.constant(np.random.default_rng(0).integers(0, 256, (1, 1024, 1024, 1), np.uint8))
        before = peak()
        run(image)
        print(peak() - before)
        """
    )
    assert float(done.stdout) < 128, done.stdout
