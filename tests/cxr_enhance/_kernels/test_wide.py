"""Sixteen pixels side by side: each operation gives what it says, compiled or not."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance._kernels.jit import kernel
from cxr_enhance._kernels.wide import (
    WIDE,
    gather_words_wide,
    high_half,
    load_wide,
    low_half,
    spread_wide,
    step_four,
    store_wide,
)

pytestmark = pytest.mark.nojit


@kernel
def looked_up(table, places, x, out):
    """Write the halves of the four words of sixteen pixels, row by row."""
    first, second, third, fourth = gather_words_wide(table, places, np.uintp(x))
    store_wide(out[0], np.uintp(1), low_half(first))
    store_wide(out[1], np.uintp(1), high_half(first))
    store_wide(out[2], np.uintp(1), low_half(second))
    store_wide(out[3], np.uintp(1), high_half(second))
    store_wide(out[4], np.uintp(1), low_half(third))
    store_wide(out[5], np.uintp(1), high_half(third))
    store_wide(out[6], np.uintp(1), low_half(fourth))
    store_wide(out[7], np.uintp(1), high_half(fourth))


@pytest.mark.parametrize("x", [0, 3])
def test_each_pixel_gets_the_four_words_from_its_place_on(x):
    levels = np.random.default_rng(0).integers(0, 65_536, (90, 8)).astype(np.uint16)
    table = levels.view(np.uint32).ravel()
    bins = np.random.default_rng(1).integers(0, 90, WIDE + x)
    out = np.full((8, WIDE + 2), 7, np.uint16)
    looked_up(table, (4 * bins).astype(np.uint32), x, out)
    np.testing.assert_array_equal(out[:, 1:-1], levels[bins[x:]].T)
    assert (out[:, [0, -1]] == 7).all()  # nothing beside the sixteen is written


@kernel
def on_a_line(a, b, factor, out):
    first, second = load_wide(a, np.uintp(2)), load_wide(b, np.uintp(0))
    store_wide(out, np.uintp(0), first * spread_wide(factor) + second)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arithmetic_is_rounded_to_float32_and_stored_truncated(dtype):
    a = np.linspace(0, 9, WIDE + 2, dtype=np.float32)
    b = np.linspace(200, 3, WIDE, dtype=np.float32)
    out = np.zeros(WIDE, dtype)
    on_a_line(a, b, np.float32(1.1), out)
    np.testing.assert_array_equal(out, (a[2:] * np.float32(1.1) + b).astype(dtype))


@kernel
def stepped(table, start, rise, way, out, at):
    step_four(table, np.uintp(start), np.uintp(rise), way, out, np.uintp(at))


def test_four_numbers_step_towards_the_next():
    table = np.linspace(-3, 7.7, 20, dtype=np.float32)
    out = np.zeros(9, np.float32)
    way = np.float32(0.3)
    stepped(table, 1, 9, way, out, 4)
    np.testing.assert_array_equal(out[4:8], table[1:5] + way * table[9:13])
    assert not out[[0, 1, 2, 3, 8]].any()
