"""Frames are cut off to the pixel; tissue, letters and what is in doubt stay."""

from __future__ import annotations

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.preparation.border import find_border
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_enhance.synthetic._anatomy import draw_chest
from cxr_enhance.synthetic._drawing import RandomBits
from tests.helpers.images import make_image

FRAME = (9, 4, 0, 17)  # top, bottom, left, right


def inner(dtype=np.uint8, channels=None):
    """An image without a dark or an even line."""
    rng = np.random.default_rng(5)
    shape = (60, 80) if channels is None else (60, 80, channels)
    high = np.iinfo(dtype).max
    return rng.integers(high // 3, high, shape, dtype, endpoint=True)


def framed(image, level, frame=FRAME):
    top, bottom, left, right = frame
    pad = [(top, bottom), (left, right)] + [(0, 0)] * (image.ndim - 2)
    return np.pad(image, pad, constant_values=level)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 1.0])
def test_a_frame_of_any_gray_is_cut_off_to_the_pixel(dtype, channels, share):
    image = inner(dtype, channels)
    if share == 0.4:
        image[image < np.iinfo(dtype).max * 0.6] = 0  # most of what lies behind is other than that
    if share == 1.0:
        image //= 2
    level = int(share * np.iinfo(dtype).max)
    assert find_border(framed(image, level)) == (9, 0, 60, 80)
    assert find_border(image) == (0, 0, 60, 80)


def test_frames_within_frames_are_cut_off():
    image = framed(framed(inner() // 2, 255), 0, (3, 3, 3, 3))
    assert find_border(image) == (12, 3, 60, 80)


def test_a_letter_on_a_frame_keeps_its_lines():
    image = framed(inner(), 0, (40, 0, 0, 0))
    image[20:25, 30:33] = 255
    assert find_border(image) == (20, 0, 80, 80)


def test_a_saturated_abdomen_is_no_frame():
    ramp = np.clip(np.arange(120)[:, None] * 4, 0, 255).astype(np.uint8)
    image = np.repeat(ramp, 50, axis=1)
    image[:5, ::2] = 200
    assert find_border(image) == (0, 0, 120, 50)


def test_a_slanted_edge_is_cut_to_its_first_corner():
    image = inner()
    rows, columns = np.mgrid[:60, :80]
    image[rows < 5 + columns // 8] = 0
    assert find_border(image).top == 5


def test_where_little_would_be_left_nothing_is_cut_off():
    image = np.zeros((100, 100), np.uint8)
    image[45:55, 10:90] = 255
    assert find_border(image) == (0, 10, 100, 80)


@pytest.mark.parametrize("level", [0, 7, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (40, 30), (40, 30, 3)])
def test_an_image_of_one_level_stays(level, shape):
    assert find_border(np.full(shape, level, np.uint8)) == (0, 0, *shape[:2])


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (2, 2)])
def test_lines_of_a_pixel_are_looked_at_too(shape):
    image = np.full(shape, 200, np.uint8)
    image.reshape(-1)[0] = 0
    box = find_border(image)
    assert box.area in (image.size, image.size - 1)


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("seed", range(12))
def test_of_drawn_radiographs_only_what_blades_shade_and_air_are_cut_off(seed, bits):
    height, width = 384, 320
    image = synthetic_radiograph(height, width, seed=seed, bits=bits)
    box = find_border(image)
    assert box.area < height * width
    assert box.area > 0.85 * height * width
    chest = draw_chest(height, width, RandomBits(seed, 0)).density
    cut = np.ones(image.shape, bool)
    box.of(cut)[...] = False
    is_tissue = chest > 0.25
    shown = image / (2**bits - 1)
    assert (shown[cut & is_tissue] < 0.3 * chest[cut & is_tissue]).all()


def test_the_border_is_cut_off_before_anything_else():
    image = make_image("radiograph", 60, 80)
    box = find_border(image)
    prepared = cxe.prepare(framed(image, 0), cxe.Preparation(crop_border=True))
    expected = cxe.enhance(np.ascontiguousarray(box.of(image)))
    np.testing.assert_array_equal(prepared.image, expected)
    crop = prepared.transform.crop
    assert (crop.top, crop.left) == (box.top + FRAME[0], box.left + FRAME[2])
