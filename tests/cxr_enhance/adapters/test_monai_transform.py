"""MONAI: the library's bytes for channel-first arrays and tensors, alone and in dictionaries."""

from __future__ import annotations

import copy
import pickle
from typing import ClassVar

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.adapter_contract import AdapterContract
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image

monai = pytest.importorskip("monai", reason='needs pip install "cxr-enhance[monai]"')
adapter = pytest.importorskip("cxr_enhance.adapters.monai_transform")
import torch  # noqa: E402 - after the skips

PARAMS = cxe.EnhanceParams(tile_grid_size=(8, 4), channel_order="bgr")
FORMS = {
    "array": lambda array: array,
    "tensor": torch.from_numpy,
    "meta tensor": lambda array: monai.data.MetaTensor(
        torch.from_numpy(array), meta={"filename_or_obj": "scan.png"}
    ),
}


class TestContract(AdapterContract):
    adapter, framework, extra = "monai_transform", "monai", "monai"
    forms = (*FORMS, "dictionary")
    channels = (1, 3)
    sentences: ClassVar = {
        "dtype": (
            lambda: adapter.Enhance()(np.zeros((1, 8, 8), np.int64)),
            "`img` must have dtype uint8, uint16, float32 or float64; got int64. For values "
            "0..255, use CastToType(np.uint8); for 0..65535, CastToType(np.uint16).",
        ),
        "shape": (
            lambda: adapter.Enhance()(np.zeros((8, 8), np.uint8)),
            "`img` must have shape (1, H, W) or (3, H, W); got (8, 8).",
        ),
        "params": (
            lambda: adapter.Enhanced("image", {}),
            "`params` must be EnhanceParams or None; got dict. Use EnhanceParams.from_dict.",
        ),
    }
    copies: ClassVar = {
        "pickle": lambda made: pickle.loads(pickle.dumps(made)),
        "deepcopy": copy.deepcopy,
    }

    def make(self, params, form):
        return (
            adapter.Enhanced("image", params) if form == "dictionary" else adapter.Enhance(params)
        )

    def call(self, made, image, form):
        given = np.moveaxis(image, -1, 0)
        if form == "dictionary":
            result = made({"image": given})["image"]
        else:
            given = FORMS[form](given)
            result = made(given)
            assert type(result) is type(given)
        if form == "meta tensor":
            assert result.meta["filename_or_obj"] == "scan.png"
        return np.ascontiguousarray(np.moveaxis(np.asarray(result), 0, -1))

    def options_of(self, made):
        return getattr(made, "enhance", made).params


@pytest.mark.parametrize("form", FORMS)
def test_floats_are_the_result_for_their_sixteen_bits(form):
    levels = make_image("radiograph", 33, 40, "uint16")
    image = (levels[None] / 65535).astype(np.float32)
    result = adapter.Enhance(PARAMS)(FORMS[form](image))
    wanted = cxe.enhance(levels, PARAMS)[None]
    assert_same_image(np.asarray(result), (wanted / 65535).astype(np.float32))


def test_other_entries_of_a_dictionary_and_the_dictionary_are_left_as_they_are():
    image = make_image("radiograph", 33, 40)[None]
    data = {"image": image.copy(), "label": 3}
    result = monai.transforms.Compose([adapter.Enhanced("image", PARAMS)])(data)
    assert_same_image(result["image"], cxe.enhance(image[0], PARAMS)[None])
    assert result["label"] == 3
    assert_same_image(data["image"], image)


def test_missing_entries_are_an_error_unless_allowed():
    with pytest.raises(KeyError):
        adapter.Enhanced("image")({"label": 3})
    assert adapter.Enhanced("image", allow_missing_keys=True)({"label": 3}) == {"label": 3}


def test_what_is_no_image_or_out_of_the_unit_range_is_refused():
    with pytest.raises(TypeError, match=r"`img` must be an array or a tensor; got str. Use LoadIm"):
        adapter.Enhance()("scan.png")
    with pytest.raises(
        ValueError, match=r"`img` must lie in 0\.\.1, its value range, .* got 0\.\.9\."
    ):
        adapter.Enhance()(np.array([[[0, 9]]], np.float32))


@pytest.mark.parametrize("dtype", [np.uint16, None, np.float32, np.float64])
# MONAI tries its readers in turn and tells of each that is not installed.
@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")
def test_a_png_of_sixteen_bits_as_loaded_gives_the_bytes_of_enhance(dtype, tmp_path):
    pytest.importorskip("cv2", reason="needs OpenCV to write the file")
    pytest.importorskip("PIL", reason="needs pillow, with which MONAI reads PNG")
    levels = make_image("radiograph", 33, 40, "uint16")
    cxe.write_image(tmp_path / "scan.png", levels)
    load = monai.transforms.Compose(
        [
            monai.transforms.LoadImaged("image", dtype=dtype),
            monai.transforms.EnsureChannelFirstd("image"),
            adapter.Enhanced("image", value_range=(0, 65535)),
        ]
    )
    result = load({"image": str(tmp_path / "scan.png")})["image"]
    wanted = cxe.enhance(np.ascontiguousarray(levels.T))  # MONAI reads (C, W, H)
    assert type(result) is monai.data.MetaTensor
    assert result.meta["filename_or_obj"] == str(tmp_path / "scan.png")
    assert_same_image(np.asarray(result).astype(np.uint16)[0], wanted)
    if dtype in (np.uint16, None):
        assert result.dtype == torch.int32


def test_values_of_int32_beyond_sixteen_bits_are_refused_and_the_cure_takes_them():
    levels = make_image("radiograph", 33, 40, "uint16")
    image = monai.data.MetaTensor(torch.from_numpy(levels.astype(np.int32) - 20000)[None])
    with pytest.raises(
        ValueError, match=r"`img` must lie in 0\.\.65535 .* Use CastToType\(np.floa"
    ):
        adapter.Enhance()(image)
    cured = monai.transforms.CastToType(np.float32)(image)
    result = adapter.Enhance(value_range=(-20000, 65535 - 20000))(cured)
    assert type(result) is monai.data.MetaTensor
    assert_same_image(np.asarray(result)[0] + 20000, cxe.enhance(levels).astype(np.float32))


def test_a_mask_of_bool_is_refused_and_the_cure_makes_it_black_and_white():
    mask = make_image("radiograph", 33, 40, "uint8") > 99
    img = torch.from_numpy(mask)[None]
    with pytest.raises(
        TypeError, match=r"got bool\. Make a mask .* img\.to\(torch\.uint8\) \* 255"
    ):
        adapter.Enhance()(img)
    result = adapter.Enhance()(img.to(torch.uint8) * 255)
    assert_same_image(np.asarray(result)[0], cxe.enhance(mask.astype(np.uint8) * 255))


@pytest.mark.parametrize("dtype", ["int16", "int64"])
@pytest.mark.parametrize("kind", ["uint8", "uint16-12bit"])
def test_other_ints_are_refused_and_the_cure_keeps_values_and_meta_data(dtype, kind):
    image = make_image("radiograph", 33, 40, kind)
    given = monai.data.MetaTensor(torch.from_numpy(image.astype(dtype))[None], meta={"name": "a"})
    with pytest.raises(TypeError, match="`img` must have dtype uint8, uint16") as caught:
        adapter.Enhance()(given)
    cure = f"CastToType(np.{image.dtype})"
    assert cure in str(caught.value)
    cured = eval(cure, {"np": np, "CastToType": monai.transforms.CastToType})(given)
    result = adapter.Enhance()(cured)
    assert result.meta["name"] == "a"
    assert_same_image(np.asarray(result).astype(image.dtype)[0], cxe.enhance(image))


@pytest.mark.parametrize("channels", [2, 4])
def test_an_alpha_channel_is_dropped_by_the_cure(channels):
    img = np.repeat(make_image("radiograph", 33, 40)[None], channels, axis=0)
    with pytest.raises(ValueError, match="Drop the alpha channel with") as caught:
        adapter.Enhance()(img)
    cured = eval(str(caught.value).rsplit("with ", 1)[1].rstrip("."), {"img": img})
    assert_same_image(adapter.Enhance()(cured)[0], cxe.enhance(img[0]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_where_it_holds_the_levels(dtype):
    image = make_image("radiograph", 33, 40)
    given = torch.from_numpy(image)[None].to(dtype)
    result = adapter.Enhance(value_range=(0, 255))(given)
    assert result.dtype == dtype
    assert_same_image(result.float().numpy()[0], cxe.enhance(image).astype(np.float32))
    with pytest.raises(TypeError, match=r"Use img.to\(torch.float32\)\.$"):
        adapter.Enhance()(given / 255)
    unit = (given / 255).to(torch.float32)
    assert_same_image(adapter.Enhance()(unit)[0].numpy(), enhanced_of_sixteen_bits(unit))


def test_half_precision_holds_eight_bits_of_the_unit_range():
    image = make_image("radiograph", 33, 40)
    given = torch.from_numpy(image)[None].to(torch.float16) / 255
    result = adapter.Enhance(cxe.EnhanceParams(bits=8))(given)
    assert result.dtype == torch.float16
    wanted = (cxe.enhance(image, cxe.EnhanceParams(bits=8)) / 255).astype(np.float16)
    np.testing.assert_array_equal(result[0].numpy(), wanted)


def enhanced_of_sixteen_bits(image):
    """Enhance values of 0..1 as the levels of 16 bits that they stand for."""
    levels = np.rint(np.asarray(image, np.float64)[0] * 65535).astype(np.uint16)
    return (cxe.enhance(levels) / 65535).astype(np.float32)


def test_overshoot_is_clipped_by_the_cure_and_keeps_its_kind():
    img = monai.data.MetaTensor(torch.linspace(-0.1, 1.1, 1320).reshape(1, 33, 40))
    with pytest.raises(ValueError, match=r"use img.clip\(0, 1\);"):
        adapter.Enhance()(img)
    cured = img.clip(0, 1)
    result = adapter.Enhance()(cured)
    assert type(result) is monai.data.MetaTensor
    assert_same_image(np.asarray(result)[0], enhanced_of_sixteen_bits(cured))
    img[0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"Make NaN black with img.nan_to_num\(0\)\."):
        adapter.Enhance()(img)
    cured = img.nan_to_num(0).clip(0, 1)
    result = adapter.Enhance()(cured)
    assert type(result) is monai.data.MetaTensor
    assert_same_image(np.asarray(result)[0], enhanced_of_sixteen_bits(cured))


@pytest.mark.parametrize(
    ("dtype", "cure"),
    [("object", "np.array(img.tolist())"), ("bool", "img.astype(np.uint8) * 255"),
     ("uint32", "CastToType(np.uint8)"), ("complex64", None)],
)  # fmt: skip
def test_sentences_about_arrays_name_what_the_user_passed_and_their_cures_work(dtype, cure):
    levels = make_image("noise", 12, 12)[None]
    img = (levels > 127 if dtype == "bool" else levels).astype(dtype)
    with pytest.raises(TypeError, match=f"`img` must have dtype .*; got {dtype}") as caught:
        adapter.Enhance()(img)
    assert "image" not in str(caught.value)
    if cure is None:
        return
    assert cure in str(caught.value)
    names = {"np": np, "img": img, "CastToType": monai.transforms.CastToType}
    cured = eval(cure, names)
    if callable(cured):
        cured = cured(img)
    shown = adapter.Enhance()(np.asarray(cured).astype(np.uint8))
    expected = np.where(levels > 127, np.uint8(255), np.uint8(0)) if dtype == "bool" else levels
    assert_same_image(shown[0], cxe.enhance(expected[0]))


def test_an_image_without_pixels_is_named_as_the_user_named_it():
    with pytest.raises(ValueError, match=r"`img` must have at least one pixel; got .*\(1, 0, 4\)"):
        adapter.Enhance()(np.zeros((1, 0, 4), np.uint8))
