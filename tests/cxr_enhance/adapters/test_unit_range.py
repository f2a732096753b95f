"""Floats of range 0..1 go through the 65,536 levels of sixteen bits, and images of ints do not."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance.adapters._unit_range import through_16_bits
from tests.helpers.compare import assert_same_image


def inverted(image):
    """Return what a function of 8 or 16 bits may make of an image."""
    return np.iinfo(image.dtype).max - image


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_ints_are_given_to_the_function_as_they_are(dtype):
    image = np.array([[0, 1, 200]], dtype)
    assert_same_image(through_16_bits(inverted, image), inverted(image))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_are_rounded_to_levels_and_come_back_in_their_dtype(dtype):
    image = np.array([[0, 0.4 / 65535, 0.6 / 65535, 0.5, 1]], dtype)  # half a level goes to even
    wanted = np.array([[65535, 65535, 65534, 65535 - 32768, 0]]) / 65535
    assert_same_image(through_16_bits(inverted, image), wanted.astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_of_foreign_byte_order_come_back_in_this_machines(dtype):
    image = np.array([[0, 0.25, 1]], dtype)
    foreign = image.astype(image.dtype.newbyteorder("S"))
    assert_same_image(through_16_bits(inverted, foreign), through_16_bits(inverted, image))


def test_half_precision_which_cannot_hold_the_levels_is_refused():
    sentence = (
        "`image` must have dtype uint8, uint16, float32 or float64; got float16. Use "
        "image.astype(np.float32)."
    )
    with pytest.raises(TypeError) as caught:
        through_16_bits(inverted, np.zeros((8, 8), np.float16))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("image", "got"),
    [
        ([[0, 255]], "0..255"),
        ([[-0.5, 1]], "-0.5..1"),
        ([[np.nan, 1]], "nan..nan"),
        ([[np.nextafter(np.float32(1), np.float32(2))]], "1.00000012..1.00000012"),
    ],
)
def test_floats_outside_of_the_unit_range_are_refused(image, got):
    with pytest.raises(ValueError, match=r"`image` must lie in 0\.\.1") as caught:
        through_16_bits(inverted, np.array(image, np.float32))
    assert str(caught.value) == (
        f"`image` must lie in 0..1 where it is float; got {got}. Scale it first."
    )


def test_an_empty_image_is_the_functions_to_refuse():
    empty = np.zeros((0, 3), np.float32)
    assert_same_image(through_16_bits(inverted, empty), empty)
