"""The plan of an image: known numbers, each under its own name."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance import EnhanceParams
from cxr_enhance._engine.planning import plan_of
from cxr_enhance._kernels.plan import Plan

U8, U16 = np.dtype(np.uint8), np.dtype(np.uint16)


@pytest.mark.nojit
def test_each_option_and_each_side_of_a_tile_reaches_its_own_field():
    """Every number differs, so that two that were exchanged would show."""
    params = EnhanceParams(
        percentiles=(2.5, 97.5), clip_limit=5.0, tile_grid_size=(7, 5), num_bins=33, bits=13
    )
    # 61 rows gain 4 to be 65, 13 a tile; 136 columns gain 4 to be 140, 20 a tile.
    assert plan_of((61, 136), U16, params)._asdict() == {
        "stretch": True,
        "percentile_low": 2.5,
        "percentile_high": 97.5,
        "equalize": True,
        "tiles_x": 7,
        "tiles_y": 5,
        "tile_width": 20,
        "tile_height": 13,
        "pad_y": 4,
        "limit": 39,  # int(5 * 20 * 13 / 33)
        "bit_shift": 0,
        "bits": 13,
        "num_bins": 33,
    }


@pytest.mark.nojit
def test_a_bit_shift_leaves_fewer_values_and_no_percentiles_mean_no_stretch():
    params = EnhanceParams(percentiles=None, clip_limit=3.0, tile_grid_size=(2, 3), bit_shift=4)
    plan = plan_of((60, 40), U16, params)
    assert (plan.stretch, plan.equalize, plan.bit_shift) == (False, True, 4)
    assert (plan.bits, plan.num_bins, plan.all_values) == (16, 4096, True)
    assert (plan.tile_width, plan.tile_height, plan.pad_y, plan.limit) == (20, 20, 0, 1)


@pytest.mark.nojit
def test_without_a_clip_limit_nothing_is_equalized():
    params = EnhanceParams(percentiles=(1, 98), clip_limit=None, bits=6)
    assert plan_of((60, 40), U8, params) == Plan(
        stretch=True,
        percentile_low=1.0,
        percentile_high=98.0,
        equalize=False,
        tiles_x=1,
        tiles_y=1,
        tile_width=1,
        tile_height=1,
        pad_y=0,
        limit=0,
        bit_shift=0,
        bits=6,
        num_bins=0,
    )
