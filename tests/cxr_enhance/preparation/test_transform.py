"""Points go to where their pixels went, and come back."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxr_enhance as cxe
from cxr_enhance import Transform

LETTERBOX = {
    "source_size": (100, 50),
    "crop": (10, 5, 80, 40),
    "scaled_size": (20, 10),
    "pad": (0, 0, 5, 6),
}


@st.composite
def transforms(draw):
    side = st.integers(1, 5000)
    height, width = draw(side), draw(side)
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return Transform(
        source_size=(height, width),
        crop=(top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left))),
        scaled_size=(draw(side), draw(side)),
        pad=tuple(draw(st.integers(0, 300)) for _ in range(4)),
    )


@given(transforms(), st.lists(st.tuples(*[st.floats(-1e4, 1e4)] * 2), min_size=1))
def test_points_come_back_within_a_millionth_of_a_pixel(transform, points):
    there = cxe.map_points(points, transform)
    back = cxe.map_points(there, transform, inverse=True)
    np.testing.assert_allclose(back, points, rtol=0, atol=1e-6)


@given(transforms())
def test_corners_of_the_crop_become_corners_of_what_is_not_padded(transform):
    top, left, height, width = transform.crop
    box = [(left, top), (left + width, top + height)]
    pad, (high, wide) = transform.pad, transform.scaled_size
    expected = [(pad.left, pad.top), (pad.left + wide, pad.top + high)]
    np.testing.assert_allclose(cxe.map_points(box, transform), expected, rtol=0, atol=1e-9)
    assert transform.output_size == (pad.top + high + pad.bottom, pad.left + wide + pad.right)


def test_any_number_of_axes_and_kinds_of_numbers_are_taken():
    transform = Transform(**LETTERBOX)
    boxes = np.arange(24).reshape(3, 2, 2, 2)
    mapped = cxe.map_points(boxes, transform)
    assert mapped.dtype == np.float64
    assert mapped.shape == boxes.shape
    np.testing.assert_array_equal(mapped[1, 0, 1], cxe.map_points(boxes[1, 0, 1], transform))
    assert cxe.map_points((5, 10), transform).tolist() == [5.0, 0.0]


@given(transforms())
def test_a_transform_survives_json_and_the_row_of_a_manifest(transform):
    row = {"input": "a.png", **transform.to_dict(), "seconds": 0.1}
    assert Transform.from_dict(row) == transform


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"source_size": (0, 5)}, ValueError, "`source_size` must be 2 ints of at least 1; got"),
        ({"scaled_size": (3.0, 5)}, TypeError, "`scaled_size` must be 2 ints of at least 1; got"),
        ({"crop": (0, 0, 101, 50)}, ValueError, "`crop` must be top, left, height and width of a"),
        ({"crop": (0, 10, 100, 41)}, ValueError, "`crop` must be top, left, height and width of a"),
        ({"crop": (0, 0, 0, 5)}, ValueError, "`crop` must be top, left, height and width of a"),
        ({"pad": (0, 0, 0, -1)}, ValueError, "`pad` must be 4 ints of at least 0; got"),
        ({"pad": (0, 0, True, 1)}, TypeError, "`pad` must be 4 ints of at least 0; got"),
    ],
)
def test_a_transform_that_none_can_be_is_refused(changed, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        Transform(**{**LETTERBOX, **changed})


def test_a_row_of_a_time_without_transforms_is_refused():
    with pytest.raises(ValueError, match="source_size, crop, scaled_size, pad missing"):
        Transform.from_dict({"input": "a.png", "crop": None})
    with pytest.raises(TypeError, match="`values` must be a dict; got list"):
        Transform.from_dict([1, 2])


@pytest.mark.parametrize(
    ("points", "transform", "error", "sentence"),
    [
        ([1, 2, 3], Transform(**LETTERBOX), ValueError, "`points` must have shape (..., 2)"),
        (3.0, Transform(**LETTERBOX), ValueError, "`points` must have shape (..., 2)"),
        (["a", "b"], Transform(**LETTERBOX), TypeError, "`points` must be numbers; got dtype"),
        ([1, 2], {"crop": ()}, TypeError, "`transform` must be a Transform; got dict."),
    ],
)
def test_what_are_no_points_is_refused(points, transform, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        cxe.map_points(points, transform)
