"""What is cropped, how it is scaled and what is padded, against exact fractions."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxr_enhance as cxe
from cxr_enhance.preparation.sizing import fitted
from cxr_enhance.preparation.transform import Box

pytest.importorskip("cv2", reason='needs pip install "cxr-enhance[cli]"')

SIDE = st.one_of(st.integers(1, 12), st.integers(1, 65_535))


def transform_of(shape, **options):
    image = np.zeros(shape, np.uint8)
    spacing = options.pop("pixel_spacing", None)
    preparation = cxe.Preparation(params=None, interpolation="nearest", **options)
    return cxe.prepare(image, preparation, pixel_spacing=spacing).transform


@given(SIDE, SIDE, SIDE, SIDE)
def test_pad_keeps_the_aspect_to_half_a_pixel_and_adds_equal_margins(height, width, high, wide):
    kept, scaled, pad = fitted(Box(0, 0, height, width), (high, wide), "pad")
    assert kept == (0, 0, height, width)
    assert (pad.top + scaled[0] + pad.bottom, pad.left + scaled[1] + pad.right) == (high, wide)
    assert 0 <= pad.bottom - pad.top <= 1
    assert 0 <= pad.right - pad.left <= 1
    assert scaled[0] == high or scaled[1] == wide
    scale = min(Fraction(high, height), Fraction(wide, width))
    for side, size in ((height, scaled[0]), (width, scaled[1])):
        assert abs(side * scale - size) <= Fraction(1, 2) or size == 1


@given(SIDE, SIDE, SIDE, SIDE)
def test_crop_keeps_the_aspect_to_half_a_pixel_and_cuts_equal_margins(height, width, high, wide):
    kept, scaled, pad = fitted(Box(7, 9, height, width), (high, wide), "crop")
    assert scaled == (high, wide)
    assert not any(pad)
    assert kept.height == height or kept.width == width
    above, below = kept.top - 7, 7 + height - kept.top - kept.height
    left, right = kept.left - 9, 9 + width - kept.left - kept.width
    assert 0 <= below - above <= 1
    assert 0 <= right - left <= 1
    scale = max(Fraction(high, height), Fraction(wide, width))
    for size, side in ((high, kept.height), (wide, kept.width)):
        assert abs(size / scale - side) <= Fraction(1, 2) or side == 1


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((100, 50), {"size": (20, 20)}, ((0, 0, 100, 50), (20, 20), (0, 0, 0, 0))),
        (
            (100, 50),
            {"size": (20, 20), "fit": "pad"},
            ((0, 0, 100, 50), (20, 10), (0, 0, 5, 5)),
        ),
        (
            (100, 50),
            {"size": (20, 20), "fit": "crop"},
            ((25, 0, 50, 50), (20, 20), (0, 0, 0, 0)),
        ),
        ((1, 1), {"size": (7, 3), "fit": "pad"}, ((0, 0, 1, 1), (3, 3), (2, 2, 0, 0))),
        ((1, 900), {"size": (8, 8), "fit": "pad"}, ((0, 0, 1, 900), (1, 8), (3, 4, 0, 0))),
        ((1, 900), {"size": (8, 8), "fit": "crop"}, ((0, 449, 1, 1), (8, 8), (0, 0, 0, 0))),
        ((100, 50), {"long_side": 30}, ((0, 0, 100, 50), (30, 15), (0, 0, 0, 0))),
        ((100, 50), {}, ((0, 0, 100, 50), (100, 50), (0, 0, 0, 0))),
        (
            (100, 50),
            {"spacing": 0.5, "pixel_spacing": (0.2, 0.1)},
            ((0, 0, 100, 50), (40, 10), (0, 0, 0, 0)),
        ),
        (
            (3, 2),
            {"spacing": 10, "pixel_spacing": (0.1, 0.1)},
            ((0, 0, 3, 2), (1, 1), (0, 0, 0, 0)),
        ),
    ],
)
def test_sizes_are_those_of_the_options(shape, options, expected):
    transform = transform_of(shape, **options)
    assert transform.source_size == shape
    assert (transform.crop, transform.scaled_size, transform.pad) == expected


def test_one_pixel_of_the_result_is_as_many_millimetres_as_asked_for():
    transform = transform_of((2000, 1500), spacing=0.25, pixel_spacing=(0.143, 0.139))
    down, across = transform.scale
    assert 0.143 / down == pytest.approx(0.25, rel=1e-3)
    assert 0.139 / across == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize(
    ("pixel_spacing", "error", "sentence"),
    [
        (None, ValueError, "`spacing` is only allowed for images whose pixels have a size in"),
        ((0.1, 0.0), ValueError, "`pixel_spacing` must be two positive numbers of millimetres"),
        ((0.1,), ValueError, "`pixel_spacing` must be two positive numbers of millimetres"),
        (0.1, TypeError, "`pixel_spacing` must be two positive numbers of millimetres"),
        ((1e6, 1e6), ValueError, "`spacing` must give at most 268435456 pixels; got 0.2 mm for"),
    ],
)
def test_millimetres_that_cannot_be_are_refused(pixel_spacing, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        transform_of((20, 20), spacing=0.2, pixel_spacing=pixel_spacing)
