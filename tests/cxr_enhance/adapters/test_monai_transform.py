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
            "`image` must have dtype uint8 or uint16; got int64. For values 0..255, use "
            "image.astype(np.uint8); for 0..65535, image.astype(np.uint16).",
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
    with pytest.raises(ValueError, match=r"`image` must lie in 0..1 where it is float; got 0..9"):
        adapter.Enhance()(np.array([[[0, 9]]], np.float32))
