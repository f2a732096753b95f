"""albumentations: the library's bytes, random clip limits, floats through sixteen bits."""

from __future__ import annotations

import copy
import json
import pickle
from typing import ClassVar

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.adapter_contract import AdapterContract
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image

albumentations = pytest.importorskip(
    "albumentations",
    reason='needs pip install "cxr-enhance[albumentations]", in an environment of its own',
)
adapter = pytest.importorskip("cxr_enhance.adapters.albumentations_transform")


class TestContract(AdapterContract):
    adapter, framework, extra = "albumentations_transform", "albumentations", "albumentations"
    forms = ("image", "composed")
    channels = (None, 1, 3)
    sentences: ClassVar = {
        "dtype": (
            lambda: adapter.Enhance()(image=np.zeros((8, 8), np.float16)),
            "`image` must have dtype uint8, uint16, float32 or float64; got float16. Use "
            "image.astype(np.float32).",
        ),
        "shape": (
            lambda: adapter.Enhance()(image=np.zeros((8, 8, 4), np.uint8)),
            "`image` must have shape (H, W), (H, W, 1) or (H, W, 3); got (8, 8, 4). Drop the alpha "
            "channel with image[..., :3].",
        ),
        "params": (
            lambda: adapter.Enhance(clip_limit="2"),
            "`clip_limit` must be a number; got '2'.",
        ),
    }
    copies: ClassVar = {
        "pickle": lambda made: pickle.loads(pickle.dumps(made)),
        "deepcopy": copy.deepcopy,
        "dictionary": lambda made: albumentations.from_dict(albumentations.to_dict(made)),
    }

    def make(self, params, form):
        made = adapter.Enhance(**(params or cxe.EnhanceParams()).to_dict())
        return albumentations.Compose([made]) if form == "composed" else made

    def call(self, made, image, form):
        return made(image=image)["image"]

    def options_of(self, made):
        return albumentations.to_dict(made)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize(("channels", "output"), [(None, "gray"), (1, "gray"), (3, "rgb")])
def test_the_channels_stay_as_many_as_they_are_unless_said(kind, channels, output):
    image = make_image("radiograph", 33, 40, kind, channels)
    wanted = cxe.enhance(image, cxe.EnhanceParams(output=output))
    assert_same_image(adapter.Enhance()(image=image)["image"], wanted.reshape(image.shape))


def test_a_range_of_clip_limits_is_drawn_from_anew_each_time():
    image = make_image("radiograph", 64, 64)
    draws = []

    class Recording(adapter.Enhance):
        def apply(self, img, clip_limit, **params):
            draws.append((clip_limit, super().apply(img, clip_limit, **params)))
            return draws[-1][1]

    pipeline = albumentations.Compose([Recording(clip_limit=(1.5, 30))], seed=7)
    for _ in range(5):
        pipeline(image=image)
    assert len({limit for limit, _ in draws}) == 5
    for limit, result in draws:
        assert 1.5 <= limit <= 30
        assert_same_image(result, cxe.enhance(image, cxe.EnhanceParams(clip_limit=limit)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_the_result_for_their_sixteen_bits(dtype):
    levels = make_image("radiograph", 33, 40, "uint16", 3)
    image = (levels / 65535).astype(dtype)
    result = adapter.Enhance(tile_grid_size=(4, 4))(image=image)["image"]
    wanted = cxe.enhance(levels, cxe.EnhanceParams(tile_grid_size=(4, 4), output="rgb"))
    assert_same_image(result, (wanted / 65535).astype(dtype))


def test_floats_outside_of_the_unit_range_are_refused():
    image = np.array([[0, 255]], np.float32)
    with pytest.raises(
        ValueError, match=r"`image` must lie in 0\.\.1, .* Pass value_range=\(0, 255\)"
    ):
        adapter.Enhance()(image=image)
    adapter.Enhance(value_range=(0, 255))(image=image)


def test_a_range_is_kept_in_what_is_saved_and_may_be_missing_in_it():
    image = make_image("radiograph", 33, 40)
    made = adapter.Enhance(value_range=(0, 255))
    stored = json.loads(json.dumps(albumentations.to_dict(made)))
    result = albumentations.from_dict(stored)(image=image.astype(np.float32))["image"]
    assert_same_image(result, cxe.enhance(image).astype(np.float32))
    del stored["transform"]["value_range"]
    assert albumentations.from_dict(stored).value_range == (0, 1)


def test_options_of_numpy_can_be_written_to_files():
    options = {"clip_limit": (np.float32(1), np.int64(4)), "bit_shift": np.int64(1)}
    record = json.dumps(albumentations.to_dict(adapter.Enhance(**options)))
    assert albumentations.from_dict(json.loads(record)).clip_limit == (1, 4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"clip_limit": (3, 1)}, r"with low <= high; got \(3, 1\)"),
        ({"clip_limit": (3,)}, r"a number, None or a range \(low, high\); got \(3,\)"),
        ({"clip_limit": (None, 3)}, r"a number, None or a range \(low, high\); got \(None, 3\)"),
        ({"clip_limit": -1}, "`clip_limit` must be finite and at least 0"),
        ({"tile_grid_size": (0, 1)}, "two positive ints"),
        ({"output": "bgr"}, "`output` must be 'same', 'gray' or 'rgb'"),
    ],
)
def test_wrong_options_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        adapter.Enhance(**options)
