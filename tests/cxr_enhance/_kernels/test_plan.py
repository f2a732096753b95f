"""A plan's fields cross into compiled code, and each is still called by its own name there."""

from __future__ import annotations

import pytest

from cxr_enhance._kernels.jit import kernel
from cxr_enhance._kernels.plan import Plan

DISTINCT = Plan(
    stretch=True,
    percentile_low=2.5,
    percentile_high=97.5,
    equalize=False,
    tiles_x=4,
    tiles_y=5,
    tile_width=6,
    tile_height=7,
    pad_y=8,
    limit=9,
    bit_shift=10,
    bits=11,
    num_bins=12,
)


@kernel
def by_name(*fields):
    """Last field first, so that no order of theirs survives by itself."""
    plan = Plan(*fields)
    return (
        (plan.num_bins, plan.bits, plan.bit_shift, plan.limit, plan.pad_y),
        (plan.tile_height, plan.tile_width, plan.tiles_y, plan.tiles_x),
        (plan.equalize, plan.percentile_high, plan.percentile_low, plan.stretch),
    )


@pytest.mark.nojit
def test_distinct_fields_keep_their_names_in_compiled_code():
    expected = ((12, 11, 10, 9, 8), (7, 6, 5, 4), (False, 97.5, 2.5, True))
    assert by_name(*DISTINCT) == expected
    assert len(set(DISTINCT)) == len(Plan._fields) == sum(map(len, expected))
