"""Floats go through levels between black and white; what lies outside is refused with a cure."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from cxr_enhance.adapters import _value_range as value_range
from cxr_enhance.adapters._value_range import check_value_range, through_levels
from tests.helpers.compare import assert_same_image

UNIT, EIGHT_BITS, SIXTEEN_BITS = (0.0, 1.0), (0.0, 255.0), (0.0, 65535.0)


def inverted(image):
    """Return what a function of 8 or 16 bits may make of an image."""
    return np.iinfo(image.dtype).max - image


def test_each_framework_has_its_default():
    assert value_range.DEFAULTS == {
        "albumentations": (0, 1),
        "keras": (0, 255),
        "monai": (0, 1),
        "torch": (0, 1),
    }


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_ints_are_given_to_the_function_as_they_are(dtype):
    image = np.array([[0, 1, 200]], dtype)
    assert_same_image(through_levels(inverted, image, UNIT), inverted(image))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_are_rounded_to_levels_and_come_back_in_their_dtype(dtype):
    image = np.array([[0, 0.4 / 65535, 0.6 / 65535, 0.5, 1]], dtype)  # half a level goes to even
    wanted = np.array([[65535, 65535, 65534, 65535 - 32768, 0]]) / 65535
    assert_same_image(through_levels(inverted, image, UNIT), wanted.astype(dtype))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_floats_of_the_range_of_eight_bits_have_256_levels(dtype):
    if dtype == "bfloat16":
        reason = "needs ml_dtypes, which TensorFlow and JAX bring"
        dtype = pytest.importorskip("ml_dtypes", reason=reason).bfloat16
    dtype = np.dtype(dtype)
    levels = np.arange(256).reshape(16, 16)
    result = through_levels(inverted, levels.astype(dtype), EIGHT_BITS)
    assert result.dtype == dtype
    assert (result.astype(np.float64) == 255 - levels).all()


@pytest.mark.parametrize(
    "limits", [UNIT, (-1.0, 1.0), (-1024.0, 1024.0), (0.0, 4095.0), SIXTEEN_BITS, (3.0, 3.5)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_level_of_any_range_comes_back_as_its_own_value(limits, dtype):
    levels = np.arange(65536).reshape(256, 256)
    image = value_range.values_of(levels, limits, 16).astype(dtype)
    seen = []
    result = through_levels(lambda image: seen.append(image) or image, image, limits)
    assert_same_image(seen[0], levels.astype(np.uint16))
    assert_same_image(result, image)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_of_foreign_byte_order_come_back_in_this_machines(dtype):
    image = np.array([[0, 0.25, 1]], dtype)
    foreign = image.astype(image.dtype.newbyteorder("S"))
    result = through_levels(inverted, foreign, UNIT)
    assert_same_image(result, through_levels(inverted, image, UNIT))


def test_half_precision_which_cannot_hold_the_levels_is_refused_and_its_cure_works():
    image = np.zeros((8, 8), np.float16)
    sentence = (
        "`image` must have dtype uint8, uint16, float32 or float64; got float16. Use "
        "image.astype(np.float32)."
    )
    with pytest.raises(TypeError) as caught:
        through_levels(inverted, image, UNIT)
    assert str(caught.value) == sentence
    result = through_levels(inverted, cured(caught, image=image), UNIT)
    assert_same_image(result, np.ones((8, 8), np.float32))


def cured(caught, **names):
    """Do what the sentence says: what stands between "use" or "with" and the end of the cure."""
    cure = re.search(r"\b(?:[Uu]se|with) (.+?)(?:;|\.$)", str(caught.value))[1]
    return eval(cure, {"np": np, **names})


@pytest.mark.parametrize("limits", [UNIT, EIGHT_BITS, (-1.0, 1.0)])
def test_values_beyond_the_range_by_rounding_are_clipped(limits):
    low, high = limits
    image = np.array([[low - (high - low) * 2**-20, (low + high) / 2, high]], np.float32)
    image[0, 2] = np.nextafter(np.float32(high), np.float32(2 * high))
    result = through_levels(lambda image: image, image, limits)
    assert (result[0, 0], result[0, 2]) == (low, high)


@pytest.mark.parametrize(
    ("image", "limits", "got", "cure"),
    [
        ([[0, 255]], UNIT, "0..255", "Pass value_range=(0, 255), or"),
        ([[0, 4093]], UNIT, "0..4093", "Pass value_range=(0, 65535), or"),
        ([[-1, 1]], UNIT, "-1..1", "Pass value_range=(-1, 1), or"),
        ([[-1, 1]], EIGHT_BITS, "-1..1", "Pass value_range=(-1, 1), or"),
        ([[0, 0.5]], EIGHT_BITS, "0..0.5", "Pass value_range=(0, 1), or"),
        ([[0, 0.5]], SIXTEEN_BITS, "0..0.5", "Pass value_range=(0, 1), or"),
        ([[-0.25, 1.25]], UNIT, "-0.25..1.25", "If resizing or noise took values beyond, use"),
        ([[-3, 250]], EIGHT_BITS, "-3..250", "If resizing or noise took values beyond, use"),
        ([[-1024, 3071]], UNIT, "-1024..3071", "Pass the values of black and white as"),
        ([[np.inf, 1]], UNIT, "1..inf", "Pass the values of black and white as"),
        ([[np.nan, 1]], UNIT, "nan..nan", "Make NaN black with"),
    ],
)
def test_values_outside_of_the_range_are_refused_with_what_to_pass(image, limits, got, cure):
    black, white = (int(limit) for limit in limits)
    with pytest.raises(ValueError, match=r"`image` must lie in") as caught:
        through_levels(inverted, np.array(image, np.float32), limits)
    assert str(caught.value).startswith(
        f"`image` must lie in {black}..{white}, its value range, where it is float; got {got}. "
        f"{cure}"
    )


def test_values_out_of_range_that_overshoot_are_clipped_by_the_cure():
    image = np.array([[-0.18, 0.25, 1.2]], np.float32)
    with pytest.raises(ValueError, match="resizing") as caught:
        through_levels(inverted, image, UNIT)
    assert_same_image(cured(caught, image=image), np.array([[0, 0.25, 1]], np.float32))


def test_no_number_is_made_black_by_the_cure():
    image = np.array([[np.nan, 0.25, 1]], np.float32)
    with pytest.raises(ValueError, match="NaN") as caught:
        through_levels(inverted, image, UNIT)
    assert_same_image(cured(caught, image=image), np.array([[0, 0.25, 1]], np.float32))


@pytest.mark.parametrize("limits", [EIGHT_BITS, SIXTEEN_BITS])
def test_a_black_image_is_black_in_every_range(limits):
    image = np.zeros((2, 3), np.float32)
    assert_same_image(through_levels(lambda image: image, image, limits), image)


def test_values_are_clipped_and_no_number_is_black_where_values_cannot_be_refused():
    image = np.array([[-2, np.nan, 0.5, np.inf, -np.inf]], np.float32)
    result = through_levels(lambda image: image, image, (-1.0, 1.0), clip=True)
    half = np.float32(np.rint(0.75 * 65535) * 2 / 65535 - 1)
    assert_same_image(result, np.array([[-1, -1, half, 1, -1]], np.float32))


def test_an_empty_image_is_the_functions_to_refuse():
    image = np.zeros((0, 3), np.float32)
    assert_same_image(through_levels(inverted, image, UNIT), image)


@pytest.mark.parametrize("given", [(0, 255), [0, 255], (np.float32(0), np.int64(255)), (-0.0, 255)])
def test_a_range_is_two_numbers(given):
    black, white = check_value_range(given, UNIT)
    assert (black, white) == (0, 255)
    assert math.copysign(1, black) == 1
    assert all(type(number) is float for number in (black, white))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (255, TypeError),
        ("01", TypeError),
        ((0, "1"), TypeError),
        ((False, True), TypeError),
        ((0, 1, 2), ValueError),
        ((1, 0), ValueError),
        ((0, math.nan), ValueError),
        ((0, math.inf), ValueError),
        ((2.0**60, 2.0**60 + 512), ValueError),
    ],
)
def test_what_is_no_range_is_refused(given, error):
    with pytest.raises(error, match=r"`value_range` must be .*; got .*\."):
        check_value_range(given, UNIT)


def test_the_range_0_to_1_is_told_though_rounding_has_left_it():
    image = np.linspace(0, 1 + 2**-23, 64, dtype=np.float32).reshape(8, 8)
    with pytest.raises(ValueError, match=r"Pass value_range=\(0, 1\), or"):
        through_levels(inverted, image, EIGHT_BITS)


def test_no_cure_names_a_range_in_which_the_image_would_be_black():
    image = np.linspace(0, 1.5, 64).reshape(8, 8)
    with pytest.raises(ValueError, match=r"value_range=\(black, white\)\.$"):
        through_levels(inverted, image, UNIT)
