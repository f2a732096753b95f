"""Filtered rows of PNG: byte for byte their slow twin, whatever the image's form."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance._engine.png_rows import filtered_rows
from tests import reference
from tests.helpers import strategies
from tests.helpers.images import CONTENTS, KINDS, make_image

pytestmark = pytest.mark.nojit
SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (13, 37)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_rows_equal_their_twin(size, channels, kind):
    for content in CONTENTS:
        image = make_image(content, *size, kind, channels)
        np.testing.assert_array_equal(filtered_rows(image), reference.png_rows(image))


@pytest.mark.parametrize("layout", strategies.LAYOUTS)
@pytest.mark.parametrize("channels", [None, 3])
def test_any_layout_and_order_gives_the_same_rows_and_is_left_alone(layout, channels):
    image = layout(make_image("noise", 9, 11, "uint16", channels))
    before = image.copy()
    np.testing.assert_array_equal(filtered_rows(image), reference.png_rows(image))
    np.testing.assert_array_equal(image, before)


def test_each_byte_of_a_word_is_subtracted_by_itself():
    image = np.array([[0x0100, 0xFFFF], [0x00FF, 0x0000]], np.uint16)
    expected = [[2, 0x01, 0x00, 0xFF, 0xFF], [2, 0xFF, 0xFF, 0x01, 0x01]]
    assert filtered_rows(image).tolist() == expected
