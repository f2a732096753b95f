import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

from cxr_enhance import Preparation, prepare
from cxr_models.inference.export_layers import ResizeLinear, ToEightBits
from cxr_models.inputs.loader import ImageLoader, _opencvs_own_code
from tests.helpers.tiny_backbone import tiny_config

cv2 = pytest.importorskip("cv2")

SIZES = [  # of the source; the result has 64 x 48 pixels
    (64, 48),
    (128, 96),
    (32, 24),
    (256, 192),
    (101, 77),
    (63, 49),
    (1, 5),
    (7, 1),
    (300, 20),
    (481, 333),
]
IDS = [f"{h}x{w}" for h, w in SIZES]


def noise(height, width, dtype, channels=3):
    rng = np.random.default_rng(height * 1000 + width)
    high = np.iinfo(dtype).max
    return rng.integers(0, high, (2, height, width, channels), dtype, endpoint=True)


def resized(images, size=(64, 48), known=True, fit="squash"):
    shape = images.shape[1:] if known else (None, None, images.shape[-1])
    inputs = keras.Input(shape, dtype=images.dtype.name)
    return np.asarray(keras.Model(inputs, ResizeLinear(size, fit)(inputs))(images))


def prepared(images, fit="squash"):
    preparation = Preparation(params=None, size=(64, 48), fit=fit, interpolation="linear")
    with _opencvs_own_code():
        return [prepare(image, preparation).image for image in images]


@pytest.mark.opencv
@pytest.mark.parametrize("known", [True, False], ids=["size-known", "any-size"])
@pytest.mark.parametrize("size", SIZES, ids=IDS)
def test_eight_bits_are_resized_to_opencvs_bytes(size, known):
    images = noise(*size, np.uint8)
    wanted = [cv2.resize(image, (48, 64), interpolation=cv2.INTER_LINEAR) for image in images]
    np.testing.assert_array_equal(resized(images, known=known), wanted)


@pytest.mark.opencv
@pytest.mark.parametrize("known", [True, False], ids=["size-known", "any-size"])
@pytest.mark.parametrize("size", SIZES, ids=IDS)
def test_sixteen_bits_are_resized_as_in_the_pipeline(size, known):
    images = noise(*size, np.uint16)
    off = np.abs(resized(images, known=known).astype(int) - prepared(images)).max()
    assert off <= (1 if size == (128, 96) else 0)  # halves


@pytest.mark.opencv
@pytest.mark.parametrize("known", [True, False], ids=["size-known", "any-size"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("size", [*SIZES, (1, 1), (1, 900), (65, 64), (64, 47)], ids=str)
def test_images_of_another_aspect_are_padded_and_cropped_as_in_the_pipeline(
    size, fit, dtype, known
):
    images = noise(*size, dtype)
    off = np.abs(resized(images, known=known, fit=fit).astype(int) - prepared(images, fit)).max()
    is_halved = dtype == np.uint16 and size == (128, 96)
    assert off <= (1 if is_halved else 0)


@pytest.mark.opencv
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_one_graph_for_any_size_gives_the_bytes_of_the_public_step(fit):
    inputs = keras.Input((None, None, 1), dtype="uint8")
    model = keras.Model(inputs, ResizeLinear((64, 48), fit)(inputs))
    rng = np.random.default_rng(7)
    for height, width in rng.integers(1, 200, (40, 2)):
        images = noise(height, width, np.uint8, channels=1)
        np.testing.assert_array_equal(np.asarray(model(images)), prepared(images, fit))


def test_a_layer_of_before_there_was_a_fit_squashes():
    config = ResizeLinear((64, 48), "pad").get_config()
    assert ResizeLinear.from_config(config).fit == "pad"
    del config["fit"]
    assert ResizeLinear.from_config(config).fit == "squash"


def test_sixteen_bits_become_eight_as_in_the_pipeline():
    config = tiny_config().with_setting("data.enhance.percentiles", None)
    config = config.with_setting("data.enhance.clip_limit", None).data
    values = np.arange(65536).astype(np.uint16)[: 32 * 40 * 51].reshape(51, 32, 40)
    wanted = [ImageLoader(config).prepare(image) for image in values]
    np.testing.assert_array_equal(np.asarray(ToEightBits()(values[..., None])), wanted)
    same = noise(4, 5, np.uint8)
    np.testing.assert_array_equal(np.asarray(ToEightBits()(same)), same)


def test_fewer_bits_become_eight_as_the_loader_makes_them():
    values = np.arange(4096, dtype=np.uint16).reshape(1, 64, 64, 1)
    wanted = (values.astype(int) * 255 + 2047) // 4095
    layer = ToEightBits(bits=12)
    np.testing.assert_array_equal(np.asarray(layer(values)), wanted)
    assert ToEightBits.from_config(layer.get_config()).bits == 12
    assert ToEightBits.from_config({}).bits is None  # as stored before there were bits


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="`inputs` must have dtype uint8 or uint16; got float32"):
        ResizeLinear((4, 4))(np.zeros((1, 5, 5, 1), np.float32))
