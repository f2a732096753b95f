import numpy as np
import pytest

from cxr_enhance import EnhanceParams
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_enhance.tuner.tiles import clipped_shares, tile_size
from tests import reference

GRAY = synthetic_radiograph(90, 70)
COLOUR = np.dstack([GRAY, GRAY // 2, 255 - GRAY])
DEEP = synthetic_radiograph(90, 70, bits=12)


def shares_of(image, params):
    """Count as tests/reference.py does, tile by tile."""
    if params.percentiles is not None:
        image = reference.white_balance(image, params.percentiles, params.bits)
    if image.ndim == 3:
        image = reference.rgb_to_gray(image)
    full = reference.highest(image.dtype, params.bits)
    bins = (full + 1) >> params.bit_shift
    levels = image.astype(np.int64) >> params.bit_shift
    if params.num_bins is not None and params.num_bins < bins:
        bins = params.num_bins
        levels = (2 * image.astype(np.int64) * (bins - 1) + full) // (2 * full)
    tiles = reference.split_into_tiles(levels, params.tile_grid_size)
    area = tiles.shape[2] * tiles.shape[3]
    limit = reference.bin_limit(params.clip_limit, area, bins)
    if limit == 0:
        return np.zeros(tiles.shape[:2])
    return np.array([
        [np.maximum(np.bincount(tile.ravel()) - limit, 0).sum() / area for tile in row]
        for row in tiles
    ])  # fmt: skip


@pytest.mark.opencv
@pytest.mark.parametrize("image", [GRAY, COLOUR, DEEP], ids=["gray", "colour", "sixteen-bits"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clip_limit": 0.0},
        {"clip_limit": 3.5, "tile_grid_size": (5, 9)},
        {"clip_limit": 40.0, "tile_grid_size": (3, 2), "percentiles": None},
        {"num_bins": 32, "tile_grid_size": (2, 2)},
        {"num_bins": None, "tile_grid_size": (2, 2)},
        {"bit_shift": 3, "tile_grid_size": (4, 4)},
    ],
)
def test_shares_are_those_of_the_reference(image, options):
    params = EnhanceParams(**options)
    shares = clipped_shares(image, params)
    assert shares.shape == params.tile_grid_size[::-1]
    np.testing.assert_array_equal(shares, shares_of(image, params))


def test_a_flat_tile_loses_all_but_the_limit_and_a_full_spread_nothing():
    image = np.zeros((16, 32), np.uint8)
    image[:, 16:] = np.arange(256).reshape(16, 16)
    params = EnhanceParams(percentiles=None, clip_limit=2.0, tile_grid_size=(2, 1))
    assert clipped_shares(image, params).tolist() == [[(256 - 2) / 256, 0.0]]
    assert tile_size(image, params) == (16, 16)


def test_tiles_that_do_not_divide_the_image_are_those_of_the_extended_one():
    assert tile_size(GRAY, EnhanceParams(tile_grid_size=(16, 16))) == (5, 6)


def test_without_clahe_there_are_no_tiles():
    assert clipped_shares(GRAY, EnhanceParams(clip_limit=None)) is None
