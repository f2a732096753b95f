"""The plan as numbers in one array, for callers that are no Python."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance import EnhanceParams
from cxr_enhance._engine.c_entry import PLAN_SIZE, plan_fields, plan_numbers
from cxr_enhance._engine.planning import plan_of
from cxr_enhance._kernels.jit import kernel


@kernel
def taken_apart(numbers):
    return plan_fields(numbers)


@pytest.mark.nojit
def test_a_plan_s_numbers_come_back_as_its_fields():
    params = EnhanceParams(
        percentiles=(2.5, 97.5), clip_limit=400.0, tile_grid_size=(17, 9), bit_shift=3
    )
    plan = plan_of((124, 200), np.dtype(np.uint16), params)
    numbers = plan_numbers((124, 200), np.dtype(np.uint16), params)
    assert len(numbers) == len(set(numbers)) + 1 == PLAN_SIZE  # two are True, all others differ
    fields = taken_apart(np.array(numbers))
    assert type(fields) is tuple
    assert fields == tuple(plan)
