"""The kernels' inner steps beside other ways to write them, which were tried and lost.

Each alternative gives the same output. They stand here so that the choice can be made anew on
another processor or compiler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.conftest import Row
from benchmarks.harness import images, shapes
from benchmarks.harness.compiled import callable_kernel, compiled
from benchmarks.tables.targets import OURS
from cxr_enhance import EnhanceParams
from cxr_enhance._engine.planning import plan_of
from cxr_enhance._kernels.clahe_u8 import blend_row, gather_words, make_lut_row
from cxr_enhance._kernels.clahe_u16 import clip_and_cumulate, scale_to_lut
from cxr_enhance._kernels.geometry import place_axis
from cxr_enhance._kernels.gray import BLUE, GREEN, RED, mix_gray, take_equal_channels
from cxr_enhance._kernels.histogram import count_lanes, count_stretch, count_stretch_u16
from cxr_enhance._kernels.loads import load_word

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from benchmarks.harness.shapes import Shape

TILES, VALUES = 8, 256
SHAPE = shapes.SQUARE
_U, _I32, _U32, _F32 = np.uintp, np.int32, np.uint32, np.float32
_ROUND = _F32(12582912.0)


@compiled
def count_in_turn(src, counts):
    counts[:] = 0
    for y in range(src.shape[0]):
        count_lanes(src[y], 0, src.shape[1] // TILES, counts, 0)


@compiled
def count_tile_after_tile(src, counts):
    counts[:] = 0
    width = src.shape[1] // TILES
    for y in range(src.shape[0]):
        for tile in range(TILES):
            count_stretch(src[y], tile * width, (tile + 1) * width, counts, tile, TILES)


@compiled
def count_eight_a_load(src, counts):
    counts[:] = 0
    width = _U(src.shape[1] // TILES)
    for y in range(src.shape[0]):
        row = src[y]
        for x in range(_U(0), width, _U(8)):
            for tile in range(_U(TILES)):
                pixels = load_word(row, tile * width + x)
                for k in range(_U(8)):
                    value = (pixels >> (_U(8) * k)) & _U(255)
                    counts[value * _U(TILES) + tile] += _I32(1)


@compiled
def tables_side_by_side(counts, plan, moved, levels, own_bins, padded_luts, luts):
    make_lut_row(counts, own_bins, plan, moved, levels, padded_luts)
    for i in range(luts.size):
        luts[i] = padded_luts[VALUES + i]


@compiled
def tables_tile_after_tile(counts, plan, sums, bins, luts):
    area = plan.tile_width * plan.tile_height
    for tile in range(TILES):
        for value in range(VALUES):
            sums[value] = counts[value * TILES + tile]
        excess = area - int(clip_and_cumulate(sums, _I32(plan.limit)))
        lut = luts[tile * VALUES : (tile + 1) * VALUES]
        scale_to_lut(sums, bins, excess, VALUES, _F32(VALUES - 1) / _F32(area), lut)


@compiled
def gather_eight_a_load(src, cell_starts, words, gathered):
    for y in range(src.shape[0]):
        gather_words(src[y], cell_starts, 0, cell_starts.size - 1, words, gathered)


@compiled
def gather_one_a_load(src, cell_starts, words, gathered):
    for y in range(src.shape[0]):
        row = src[y]
        for cell in range(cell_starts.size - 1):
            offset = _U(cell * VALUES)
            for x in range(_U(cell_starts[cell]), _U(cell_starts[cell + 1])):
                gathered[x] = words[_U(row[x]) + offset]


@compiled
def gather_with_signed_indices(src, cell_starts, words, gathered):
    for y in range(src.shape[0]):
        row = src[y]
        for cell in range(cell_starts.size - 1):
            for x in range(cell_starts[cell], cell_starts[cell + 1]):
                gathered[x] = words[np.intp(row[x]) + cell * VALUES]


@compiled
def gather_cells_side_by_side(src, cell_starts, words_by_value, gathered):
    for y in range(src.shape[0]):
        row = src[y]
        for cell in range(cell_starts.size - 1):
            offset = _U(cell // 8 * 8 * VALUES + cell % 8)
            x = _U(cell_starts[cell])
            for _ in range((cell_starts[cell + 1] - cell_starts[cell]) // 8):
                pixels = load_word(row, x)
                for k in range(_U(8)):
                    value = (pixels >> (_U(8) * k)) & _U(255)
                    gathered[x + k] = words_by_value[value * _U(8) + offset]
                x += _U(8)
            for rest in range(x, _U(cell_starts[cell + 1])):
                gathered[rest] = words_by_value[_U(row[rest]) * _U(8) + offset]


@compiled
def blend_unsigned(gathered, right, left, out):
    for y in range(out.shape[0]):
        blend_row(gathered, 0, out.shape[1], right, left, _F32(0.25), _F32(0.75), out[y])


@compiled
def blend_signed(signed, right, left, out):
    byte = _I32(255)
    for y in range(out.shape[0]):
        row = out[y]
        for x in range(_U(row.size)):
            word = signed[x]
            upper = _F32(word & byte) * left[x] + _F32((word >> _I32(8)) & byte) * right[x]
            lower = (
                _F32((word >> _I32(16)) & byte) * left[x]
                + _F32((word >> _I32(24)) & byte) * right[x]
            )
            level = upper * _F32(0.75) + lower * _F32(0.25)
            row[x] = _I32((level + _ROUND) - _ROUND)


@compiled
def take_equal_by_difference(src, dst):
    for y in range(src.shape[0]):
        row, out = src[y], dst[y]
        different = row[_U(0), _U(0)] ^ row[_U(0), _U(0)]
        for x in range(_U(src.shape[1])):
            first = row[x, _U(0)]
            different |= (first ^ row[x, _U(1)]) | (first ^ row[x, _U(2)])
            out[x] = first
        if different:
            return False
    return True


@compiled
def mix_gray_weighing_red(src, dst):
    mix_gray(src, RED, dst)


@compiled
def mix_gray_by_two_indices(src, dst):
    for y in range(src.shape[0]):
        row, out = src[y], dst[y]
        for x in range(_U(src.shape[1])):
            level = (
                _U32(RED) * _U32(row[x, _U(0)])
                + _U32(GREEN) * _U32(row[x, _U(1)])
                + _U32(BLUE) * _U32(row[x, _U(2)])
                + _U32(1 << 14)
            )
            out[x] = _U32(level) >> _U32(15)


@compiled
def count_u16_four_a_load(src, bins, counts):
    counts[:] = 0
    width = src.shape[1] // TILES
    for y in range(src.shape[0]):
        for tile in range(TILES):
            count_stretch_u16(src[y], tile * width, (tile + 1) * width, 0, counts, tile * bins)


@compiled
def count_u16_one_a_load(src, bins, counts):
    counts[:] = 0
    width = _U(src.shape[1] // TILES)
    for y in range(src.shape[0]):
        row = src[y]
        for tile in range(_U(TILES)):
            base = tile * _U(bins)
            for x in range(tile * width, tile * width + width):
                counts[base + _U(row[x])] += _I32(1)


def on(kernel: Callable[..., object], *arrays: object) -> Callable[[], object]:
    """Run `kernel` on `arrays` and give the last, its output."""

    def run() -> object:
        kernel(*arrays)
        return arrays[-1]

    return run


def contenders_by_step(shape: Shape) -> dict[str, dict[str, Callable[[], object]]]:
    """Give, for each step, how it is done and how it was tried."""
    gray = images.radiograph(shape).copy()
    deep = images.radiograph(shape).astype(np.uint16) << 4
    colour = np.repeat(gray[..., np.newaxis], 3, axis=2)
    width = shape[1]
    cell_starts = np.empty(TILES + 2, np.int64)
    right, left = np.empty(width, np.float32), np.empty(width, np.float32)
    callable_kernel(place_axis)(width // TILES, TILES, cell_starts, right, left)
    by_cell = np.random.default_rng(0).integers(0, 2**32, (16, VALUES), np.uint32)
    by_value = by_cell.reshape(2, 8, VALUES).transpose(0, 2, 1).ravel()
    words = by_cell.ravel()
    gathered = by_cell.ravel()[np.arange(width) % words.size]

    plan = plan_of(
        shape, gray.dtype, EnhanceParams(percentiles=None, tile_grid_size=(TILES, TILES))
    )
    tile_counts = np.empty(TILES * VALUES, np.int32)
    count_in_turn(gray[: plan.tile_height], tile_counts)
    group = (np.empty(TILES * VALUES, np.int32), np.empty(2 * TILES * VALUES, np.uint8))
    own_bins, padded_luts = np.empty(0, np.int32), np.empty((TILES + 2) * VALUES, np.uint8)
    one_tile = (np.empty(VALUES, np.int32), np.arange(VALUES, dtype=np.int32))

    def luts() -> npt.NDArray[np.uint8]:
        return np.empty(TILES * VALUES, np.uint8)

    def counts(bins: int = VALUES) -> npt.NDArray[np.int32]:
        return np.empty(TILES * bins, np.int32)

    def row() -> npt.NDArray[np.uint32]:
        return np.empty(width, np.uint32)

    def plane() -> npt.NDArray[np.uint8]:
        return np.empty_like(gray)

    return {
        "count eight tiles": {
            OURS: on(count_in_turn, gray, counts()),
            "tile after tile": on(count_tile_after_tile, gray, counts()),
            "eight pixels a load": on(count_eight_a_load, gray, counts()),
        },
        "make eight tables": {
            OURS: on(tables_side_by_side, tile_counts, plan, *group, own_bins, padded_luts, luts()),
            "tile after tile": on(tables_tile_after_tile, tile_counts, plan, *one_tile, luts()),
        },
        "look up words": {
            OURS: on(gather_eight_a_load, gray, cell_starts, words, row()),
            "one pixel a load": on(gather_one_a_load, gray, cell_starts, words, row()),
            "signed indices": on(gather_with_signed_indices, gray, cell_starts, words, row()),
            "cells side by side": on(gather_cells_side_by_side, gray, cell_starts, by_value, row()),
        },
        "blend": {
            OURS: on(blend_unsigned, gathered, right, left, plane()),
            "signed words": on(blend_signed, gathered.view(np.int32), right, left, plane()),
        },
        "take one of three equal channels": {
            OURS: on(callable_kernel(take_equal_channels), colour, plane()),
            "differences or-ed as integers": on(take_equal_by_difference, colour, plane()),
        },
        "mix gray": {
            OURS: on(mix_gray_weighing_red, colour, plane()),
            "two indices a channel": on(mix_gray_by_two_indices, colour, plane()),
        },
        "count 12-bit uint16": {
            OURS: on(count_u16_four_a_load, deep, 4096, counts(4096)),
            "one pixel a load": on(count_u16_one_a_load, deep, 4096, counts(4096)),
        },
    }


_NAMES = {step: tuple(names) for step, names in contenders_by_step((64, 64)).items()}


@pytest.mark.parametrize(
    ("step", "contender"), [(step, name) for step, names in _NAMES.items() for name in names]
)
def bench_alternatives(
    race: Callable[..., None], sized: Callable[[Shape], Shape], step: str, contender: str
) -> None:
    shape = sized(SHAPE)
    pixels = shape[0] * shape[1]
    row = Row(operation=step, image="1024x1024", nbytes=pixels, pixels=pixels)
    race(row, contender, contenders_by_step(shape)[step])
