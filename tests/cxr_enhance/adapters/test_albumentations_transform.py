"""albumentations: the library's bytes, random clip limits, floats through sixteen bits."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxr_enhance as cxe
from tests.helpers import strategies
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image

albumentations = pytest.importorskip(
    "albumentations",
    reason='needs pip install "cxr-enhance[albumentations]", in an environment of its own',
)
adapter = pytest.importorskip("cxr_enhance.adapters.albumentations_transform")


def enhanced(image, output="same", **options):
    if output == "same":
        output = "rgb" if image.ndim == 3 and image.shape[2] == 3 else "gray"
    result = cxe.enhance(image, cxe.EnhanceParams(output=output, **options))
    return result[..., None] if image.ndim == 3 and result.ndim == 2 else result


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("output", ["same", "gray", "rgb"])
def test_images_give_the_bytes_of_enhance(kind, channels, output):
    image = make_image("radiograph", 33, 40, kind, channels)
    options = {"clip_limit": 3.0, "tile_grid_size": (5, 3), "channel_order": "bgr", "bit_shift": 2}
    transform = adapter.Enhance(output=output, **options)
    before = image.copy()
    assert_same_image(transform(image=image)["image"], enhanced(image, output, **options))
    assert_same_image(image, before)


@pytest.mark.parametrize("without", ["percentiles", "clip_limit"])
def test_a_step_can_be_left_out(without):
    image = make_image("radiograph", 33, 40)
    result = adapter.Enhance(**{without: None})(image=image)["image"]
    assert_same_image(result, enhanced(image, **{without: None}))


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
        assert_same_image(result, enhanced(image, clip_limit=limit))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_the_result_for_their_sixteen_bits(dtype):
    levels = make_image("radiograph", 33, 40, "uint16", 3)
    image = (levels / 65535).astype(dtype)
    result = adapter.Enhance(tile_grid_size=(4, 4))(image=image)["image"]
    wanted = enhanced(levels, tile_grid_size=(4, 4))
    assert_same_image(result, (wanted / 65535).astype(dtype))


def test_floats_outside_of_the_unit_range_are_refused():
    with pytest.raises(ValueError, match=r"`image` must lie in 0..1 where it is float; got 0..255"):
        adapter.Enhance()(image=np.array([[0, 255]], np.float32))
    with pytest.raises(ValueError, match="got nan"):
        adapter.Enhance()(image=np.full((4, 4), np.nan, np.float32))


def test_transforms_survive_pickling_and_serialization():
    image = make_image("radiograph", 33, 40)
    transform = adapter.Enhance(clip_limit=4, tile_grid_size=(3, 7), percentiles=(1, 97))
    record = albumentations.to_dict(transform)
    for again in (pickle.loads(pickle.dumps(transform)), albumentations.from_dict(record)):
        assert_same_image(again(image=image)["image"], transform(image=image)["image"])


def test_options_of_numpy_can_be_written_to_files():
    options = {"clip_limit": (np.float32(1), np.int64(4)), "bit_shift": np.int64(1)}
    record = json.dumps(albumentations.to_dict(adapter.Enhance(**options)))
    assert albumentations.from_dict(json.loads(record)).clip_limit == (1, 4)


def test_half_precision_is_refused():
    with pytest.raises(TypeError, match="uint16, float32 or float64; got float16"):
        adapter.Enhance()(image=np.zeros((8, 8), np.float16))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_image_and_options_give_the_bytes_of_enhance(data):
    image = data.draw(strategies.images())
    options = data.draw(strategies.options(image.dtype))
    output = options.pop("output")
    result = adapter.Enhance(**options, output=output)(image=image)["image"]
    assert_same_image(result, enhanced(image, output, **options))


def test_defaults_are_those_of_the_library():
    image = make_image("radiograph", 33, 40)
    assert_same_image(adapter.Enhance()(image=image)["image"], cxe.enhance(image))


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
