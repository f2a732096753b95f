"""Maps lie where the network looked, however the image was prepared."""

import numpy as np
import pytest

import cxr_enhance
from cxr_models._heat import over_source, overlay


def transform_of(shape, **options):
    preparation = cxr_enhance.Preparation(params=None, **options)
    return cxr_enhance.prepare(np.zeros(shape, np.uint8), preparation).transform


def bilinear(heat, x, y):
    """Read a map between the centres of its cells, x and y from 0 to 1."""
    height, width = heat.shape
    row = np.clip(y * height - 0.5, 0, height - 1)
    column = np.clip(x * width - 0.5, 0, width - 1)
    top, left = int(row), int(column)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = row - top, column - left
    upper = heat[top, left] * (1 - across) + heat[top, right] * across
    lower = heat[bottom, left] * (1 - across) + heat[bottom, right] * across
    return upper * (1 - down) + lower * down


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("shape", [(60, 90), (90, 31), (1, 40)])
@pytest.mark.parametrize("picture", [(30, 45), (60, 90)])
def test_each_place_of_a_picture_has_the_heat_of_its_place_before_the_network(
    fit, shape, picture, rng
):
    transform = transform_of(shape, size=(32, 32), fit=fit)
    heat = rng.random((4, 5)).astype(np.float32)
    drawn = over_source(heat, transform, picture)
    top, left, height, width = transform.crop
    expected = np.zeros(picture)
    for row in range(picture[0]):
        for column in range(picture[1]):
            x = (column + 0.5) * shape[1] / picture[1]
            y = (row + 0.5) * shape[0] / picture[0]
            if left <= x <= left + width and top <= y <= top + height:
                across, down = cxr_enhance.map_points((x, y), transform) / 32
                expected[row, column] = bilinear(heat, across, down)
    np.testing.assert_allclose(drawn, expected, atol=1e-6)


def test_what_was_cropped_off_has_no_heat():
    transform = transform_of((100, 50), size=(10, 10), fit="crop")
    drawn = over_source(np.ones((2, 2), np.float32), transform, (100, 50))
    assert (drawn[25:75] == 1).all()
    assert not drawn[:25].any()
    assert not drawn[75:].any()


def test_a_map_over_a_stretched_image_stays_as_it_is(rng):
    transform = transform_of((100, 50), size=(10, 10))
    heat = rng.random((4, 4)).astype(np.float32)
    assert over_source(heat, transform, (20, 10)) is heat


def test_a_mark_in_the_padded_picture_is_drawn_on_the_same_mark_of_the_image():
    image = np.zeros((80, 160), np.uint8)
    image[20:40, 100:120] = 255
    preparation = cxr_enhance.Preparation(params=None, size=(64, 64), fit="pad")
    seen, transform = cxr_enhance.prepare(image, preparation)
    heat = seen.astype(np.float32) / 255  # as if the network looked at the mark
    drawn = overlay(np.zeros_like(image), over_source(heat, transform, image.shape))
    rows, columns = np.nonzero(drawn.sum(axis=-1) > drawn.sum(axis=-1).max() / 2)
    np.testing.assert_allclose([rows.min(), rows.max() + 1], [20, 40], atol=2)
    np.testing.assert_allclose([columns.min(), columns.max() + 1], [100, 120], atol=2)
