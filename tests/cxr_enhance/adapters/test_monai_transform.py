"""MONAI: the library's bytes for channel-first arrays and tensors, alone and in dictionaries."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxr_enhance as cxe
from tests.helpers import strategies
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image

monai = pytest.importorskip("monai", reason='needs pip install "cxr-enhance[monai]"')
adapter = pytest.importorskip("cxr_enhance.adapters.monai_transform")
import torch  # noqa: E402 - after the skips

PARAMS = cxe.EnhanceParams(tile_grid_size=(8, 4), channel_order="bgr")
RGB = cxe.EnhanceParams(tile_grid_size=(8, 4), output="rgb")
FORMS = {
    "array": lambda array: array,
    "tensor": torch.from_numpy,
    "meta tensor": lambda array: monai.data.MetaTensor(
        torch.from_numpy(array), meta={"filename_or_obj": "scan.png"}
    ),
}


def first(image, params):
    """The library's result, channels first."""
    result = cxe.enhance(image, params)
    result = result if result.ndim == 3 else result[..., None]
    return np.ascontiguousarray(np.moveaxis(result, -1, 0))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("params", [None, PARAMS, RGB], ids=["study", "grid", "rgb"])
def test_images_of_every_form_give_the_bytes_of_enhance(form, kind, channels, params):
    image = make_image("radiograph", 33, 40, kind, channels)
    given = FORMS[form](np.ascontiguousarray(np.moveaxis(image, -1, 0)))
    result = adapter.Enhance(params)(given)
    assert type(result) is type(given)
    assert_same_image(np.asarray(result), first(image, params))
    if form == "meta tensor":
        assert result.meta["filename_or_obj"] == "scan.png"


@pytest.mark.parametrize("form", FORMS)
def test_floats_are_the_result_for_their_sixteen_bits(form):
    levels = make_image("radiograph", 33, 40, "uint16", 1)
    image = (np.moveaxis(levels, -1, 0) / 65535).astype(np.float32)
    result = adapter.Enhance(PARAMS)(FORMS[form](image))
    assert_same_image(np.asarray(result), (first(levels, PARAMS) / 65535).astype(np.float32))


def test_entries_of_a_dictionary_are_enhanced_and_others_left():
    image = make_image("radiograph", 33, 40, channels=1)
    data = {"image": np.moveaxis(image, -1, 0), "label": 3}
    pipeline = monai.transforms.Compose([adapter.Enhanced("image", PARAMS)])
    result = pipeline(data)
    assert_same_image(result["image"], first(image, PARAMS))
    assert result["label"] == 3
    assert_same_image(data["image"], np.moveaxis(image, -1, 0))


def test_missing_entries_are_an_error_unless_allowed():
    with pytest.raises(KeyError):
        adapter.Enhanced("image")({"label": 3})
    assert adapter.Enhanced("image", allow_missing_keys=True)({"label": 3}) == {"label": 3}


def test_transforms_survive_pickling():
    image = np.moveaxis(make_image("radiograph", 33, 40, channels=1), -1, 0)
    transform = adapter.Enhanced("image", PARAMS)
    again = pickle.loads(pickle.dumps(transform))
    assert_same_image(again({"image": image})["image"], transform({"image": image})["image"])


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_image_and_options_give_the_bytes_of_enhance(data):
    image = data.draw(strategies.images(channels=(1, 3)))
    params = cxe.EnhanceParams(**data.draw(strategies.options(image.dtype)))
    given_image = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    assert_same_image(adapter.Enhance(params)(given_image), first(image, params))


def test_wrong_images_and_options_are_refused():
    with pytest.raises(TypeError, match=r"`img` must be an array or a tensor; got str. Use LoadIm"):
        adapter.Enhance()("scan.png")
    with pytest.raises(TypeError, match="uint16, float32 or float64; got float16"):
        adapter.Enhance()(np.zeros((1, 8, 8), np.float16))
    with pytest.raises(ValueError, match=r"float; got 1.00000012..1.00000012. Scale"):
        adapter.Enhance()(np.full((1, 2, 2), np.nextafter(np.float32(1), np.float32(2))))
    with pytest.raises(ValueError, match=r"`img` must have shape \(1, H, W\) or \(3, H, W\)"):
        adapter.Enhance()(np.zeros((8, 8), np.uint8))
    with pytest.raises(ValueError, match=r"`image` must lie in 0..1 where it is float; got 0..9"):
        adapter.Enhance()(np.array([[[0, 9]]], np.float32))
    with pytest.raises(TypeError, match="dtype uint8 or uint16; got int64"):
        adapter.Enhance()(np.zeros((1, 8, 8), np.int64))
    with pytest.raises(TypeError, match="`params` must be EnhanceParams or None; got dict"):
        adapter.Enhanced("image", {})
