import numpy as np
import pytest

from cxr_enhance.tuner.shown import full_scale, gray_levels, shown


def test_eight_bits_are_shown_as_they_are():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(shown(image, full_scale(image)), image)


@pytest.mark.parametrize(("most", "full"), [(200, 255), (256, 511), (4095, 4095), (40_000, 65_535)])
def test_white_of_sixteen_bits_is_the_least_power_that_holds_the_image(most, full):
    image = np.array([[0, 1, most // 2, most]], np.uint16)
    assert full_scale(image) == full
    expected = [[int(value) * 255 // full for value in image[0]]]
    assert shown(image, full).tolist() == expected
    assert shown(image, full).dtype == np.uint8


def test_gray_levels_are_counted_in_all_channels_together():
    levels = gray_levels(np.array([[[0, 255, 255], [7, 0, 255]]], np.uint8))
    assert (levels[0], levels[7], levels[255], sum(levels), len(levels)) == (2, 1, 3, 6, 256)
