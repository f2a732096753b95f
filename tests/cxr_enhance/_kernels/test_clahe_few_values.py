"""CLAHE by bins of images with few values, and with one more: byte for byte their slow twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from cxr_enhance._engine.planning import plan_of
from cxr_enhance._kernels.clahe_few_values import find_few_values, has_few_values
from cxr_enhance._kernels.jit import kernel
from cxr_enhance._kernels.plan import Plan
from cxr_enhance.synthetic import synthetic_radiograph
from tests import reference
from tests.helpers.compare import assert_same_image
from tests.helpers.images import CONTENTS, hash_values, make_image

BINS = [2, 3, 255, 256, 1000, 4096, 65_535]


@kernel
def takes_the_few(n, *fields):
    return has_few_values(Plan(*fields), n)


def image_between(low, high, height, width):
    """Noise that reaches both values, so that the image has exactly these."""
    image = low + hash_values(height, width, 5) % np.uint64(high - low + 1)
    image[height // 2, width // 3], image[-1, 0] = low, high
    return image.astype(np.uint16)


def counted(image, **options):
    """Values of the image, and whether they are few."""
    plan = plan_of(image.shape, image.dtype, EnhanceParams(**options))
    n = int(image.max()) - int(image.min()) + 1
    return n, takes_the_few(n, *plan)


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.parametrize("grid", [(1, 1), (4, 3), (9, 2), (17, 1)])
def test_clahe_and_enhance_equal_their_twins_wherever_the_values_lie(bins, grid):
    for low, high, bits in ((0, 150, None), (60_000, 65_535, None), (900, 1_100, 12), (0, 99, 14)):
        high = min(high, low + 101 * 111 // (grid[0] * grid[1]) // 4 - 1)
        image = image_between(low, high, 101, 111)
        options = {"tile_grid_size": grid, "num_bins": bins, "bits": bits}
        assert counted(image, **options) == (high - low + 1, True)
        for clip in (0.0, 2.0):
            expected = reference.clahe(image, clip, grid, num_bins=bins, bits=bits)
            assert_same_image(cxe.clahe(image, clip_limit=clip, **options), expected)
        expected = reference.enhance(image, percentiles=(2, 97), **options)
        assert_same_image(
            cxe.enhance(image, EnhanceParams(percentiles=(2, 97), **options)), expected
        )


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3), (64, 96), (97, 131)])
def test_any_shape_and_content_of_few_values_equals_the_twin(content, size):
    image = make_image(content, *size, "uint16") >> 10  # 64 values
    for grid, bins in itertools.product([(1, 1), (2, 3), (8, 1)], (2, 256, 4096)):
        expected = reference.clahe(image, 3.0, grid, num_bins=bins, bits=6 if bins < 64 else 14)
        options = {"num_bins": bins, "bits": 6 if bins < 64 else 14}
        assert_same_image(
            cxe.clahe(image, clip_limit=3.0, tile_grid_size=grid, **options), expected
        )


@pytest.mark.parametrize("bins", [2, 256, 1000])
def test_one_value_more_than_few_gives_the_bytes_of_the_other_way(bins):
    """Tiles of 40 x 50 pixels: 500 values are few, 501 are not."""
    for n, few in ((499, True), (500, True), (501, False), (502, False)):
        image = image_between(3_000, 2_999 + n, 120, 200)
        options = {"tile_grid_size": (4, 3), "num_bins": bins}
        assert counted(image, **options) == (n, few)
        expected = reference.clahe(image, 2.0, (4, 3), num_bins=bins)
        assert_same_image(cxe.clahe(image, **options), expected)
        expected = reference.enhance(image, **options)
        assert_same_image(cxe.enhance(image, EnhanceParams(**options)), expected)


def test_many_values_are_never_few():
    """However large the tiles: 16,384 are, one more is not."""
    plan = plan_of((4096, 4096), np.dtype(np.uint16), EnhanceParams(tile_grid_size=(1, 1)))
    assert [takes_the_few(n, *plan) for n in (1, 16_384, 16_385, 65_536)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("bins", "bits", "grid"), [(7, 5, (1, 1)), (20, 9, (2, 1)), (2, 16, (1, 2))]
)
def test_small_images_equal_the_twin_with_and_without_compilation(bins, bits, grid):
    image = image_between(5, 19, 15, 23)
    options = {"tile_grid_size": grid, "num_bins": bins, "bits": bits}
    assert counted(image, **options) == (15, True)
    expected = reference.clahe(image, 2.0, grid, num_bins=bins, bits=bits)
    assert_same_image(cxe.clahe(image, **options), expected)
    expected = reference.enhance(image, **options)
    assert_same_image(cxe.enhance(image, EnhanceParams(**options)), expected)


@pytest.mark.parametrize("bits", [12, 14, 16])
def test_radiographs_equal_the_twin_alone_and_in_batches(bits):
    """Few values and many side by side in one stack, on one thread and on three."""
    image = synthetic_radiograph(480, 460, seed=2, bits=bits)
    few = (image >> (bits - 10)).astype(np.uint16)
    params = EnhanceParams(tile_grid_size=(4, 4))
    assert counted(few, tile_grid_size=(4, 4))[1]
    assert not counted(image, tile_grid_size=(4, 4))[1]
    stack = np.stack([few, image, few[::-1], image[:, ::-1]])
    expected = np.stack([reference.enhance(each, tile_grid_size=(4, 4)) for each in stack])
    for threads in (1, 3):
        assert_same_image(cxe.enhance_batch(stack, params, num_threads=threads), expected)
    assert_same_image(cxe.enhance(few, params), expected[0])
    alone = cxe.clahe(few, tile_grid_size=(4, 4), num_bins=256)
    assert_same_image(alone, reference.clahe(few, 2.0, (4, 4), num_bins=256))


def test_unequal_channels_are_mixed_first():
    image = np.stack([image_between(low, low + 300, 90, 120) for low in (0, 40, 99)], axis=-1)
    params = EnhanceParams(tile_grid_size=(2, 2), bits=9)
    expected = reference.enhance(image, tile_grid_size=(2, 2), bits=9)
    assert_same_image(cxe.enhance(image, params), expected)


@kernel
def range_and_few(image, *fields):
    return find_few_values(image, Plan(*fields))


@pytest.mark.parametrize("row", [0, 1, 15, 16, 17, 69])
def test_values_are_few_only_if_those_of_every_row_are(row):
    """Sixteen rows are looked at together: the one that holds the extremes may be any of them."""
    image = np.full((70, 200), 1000, np.uint16)
    plan = plan_of(image.shape, image.dtype, EnhanceParams(tile_grid_size=(1, 1), num_bins=256))
    image[row, 0], image[row, 199] = 990, 1010
    assert range_and_few(image, *plan) == (990, 1010, True)
    image[row, 0], image[row, 199] = 0, 65_535
    assert range_and_few(image, *plan) == (0, 65_535, False)
    params = EnhanceParams(tile_grid_size=(1, 1), num_bins=256)
    assert_same_image(
        cxe.enhance(image, params), reference.enhance(image, tile_grid_size=(1, 1), num_bins=256)
    )


@pytest.mark.parametrize("percentiles", [(0, 100), (0.05, 99.95), (50, 50.1), (10, 90)])
@pytest.mark.parametrize("bits", [None, 15])
def test_white_balance_of_every_value_equals_numpys(percentiles, bits):
    """Level by level in arithmetic, without a table."""
    image = np.arange(65_536, dtype=np.uint16).reshape(256, 256) >> (0 if bits is None else 1)
    balanced = cxe.white_balance(image, percentiles=percentiles, bits=bits)
    assert_same_image(balanced, reference.white_balance(image, percentiles, bits))
    constant = np.full((40, 30), 777, np.uint16)
    assert_same_image(cxe.white_balance(constant, percentiles=percentiles), constant)
