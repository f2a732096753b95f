"""The uint8 kernels without the checks around them, and the stages of CLAHE one by one.

Each stage runs over the whole image in a loop like that of the kernel, on the output of the stage
before. They are compared with yardsticks: a copy, which reads and writes every pixel once; counting
(``cv2.calcHist``); a look-up in one table for the whole image (``cv2.LUT``); and counting, table
and look-up together (``cv2.equalizeHist``), which is CLAHE without tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from benchmarks.conftest import Row
from benchmarks.harness import images, shapes
from benchmarks.harness.baselines import CLIP_LIMIT, PERCENTILES, opencv_clahe
from benchmarks.harness.compiled import callable_kernel, compiled
from benchmarks.tables.targets import OPENCV
from cxr_enhance import EnhanceParams
from cxr_enhance._engine.planning import plan_of
from cxr_enhance._kernels import blend_registers
from cxr_enhance._kernels.blend_loads import blend_row, gather_words, pack_words
from cxr_enhance._kernels.clahe_u8 import make_lut_row
from cxr_enhance._kernels.entries import enhance_u8
from cxr_enhance._kernels.geometry import place_axis
from cxr_enhance._kernels.histogram import count_all_tiles
from cxr_enhance._kernels.lanes import LANES
from cxr_enhance._kernels.registers import can_look_up, empty_aligned

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from benchmarks.harness.shapes import Shape
    from cxr_enhance._kernels.plan import Plan
    from cxr_enhance._types import ImageU8

VALUES = 256
SHAPE = shapes.SQUARE

CLAHE, CHAIN = "clahe, whole kernel", "enhance, whole kernel"
COUNT, TABLES, PACK = "count tiles", "make tables", "pack tables"
GATHER, BLEND = "gather words", "blend"
REGISTERS = "look up and blend, in registers"  # replaces `PACK`, `GATHER` and `BLEND`
CONTENDERS = (
    CLAHE,
    CHAIN,
    COUNT,
    TABLES,
    PACK,
    GATHER,
    BLEND,
    *((REGISTERS,) if can_look_up() else ()),
    OPENCV,
    "cv2.equalizeHist",
    "cv2.calcHist",
    "cv2.LUT",
    "np.copyto",
)


# Loops around the stages, equal to the loops of `equalize_u8`.


@compiled
def make_all_tables(
    counts: npt.NDArray[np.int32],
    bins: npt.NDArray[np.int32],
    plan: Plan,
    moved: npt.NDArray[np.int32],
    levels: npt.NDArray[np.uint8],
    luts: npt.NDArray[np.uint8],
) -> None:
    """Make the tables of every row of tiles."""
    for tile_row in range(plan.tiles_y):
        make_lut_row(counts[tile_row], bins, plan, moved, levels, luts[tile_row])


@compiled
def pack_all_tables(
    luts: npt.NDArray[np.uint8],
    words: npt.NDArray[np.uint32],
) -> None:
    """Pack the tables of every row of cells."""
    tiles_y = luts.shape[0]
    cells = words.size // VALUES
    for band in range(tiles_y + 1):
        above, below = luts[max(band - 1, 0)], luts[min(band, tiles_y - 1)]
        pack_words(above, below, 0, cells, words)


@compiled
def gather_all_words(
    src: npt.NDArray[np.uint8],
    cell_starts: npt.NDArray[np.int64],
    words: npt.NDArray[np.uint32],
    gathered: npt.NDArray[np.uint32],
) -> None:
    """Look up the word of every pixel."""
    cells = cell_starts.size - 1
    for y in range(src.shape[0]):
        gather_words(src[y], cell_starts, 0, cells, words, gathered)


@compiled
def blend_all_rows(
    gathered: npt.NDArray[np.uint32],
    right: npt.NDArray[np.float32],
    left: npt.NDArray[np.float32],
    out: npt.NDArray[np.uint8],
) -> None:
    """Blend a gathered row into every row of the output."""
    below = np.float32(0.25)
    above = np.float32(0.75)
    for y in range(out.shape[0]):
        blend_row(gathered, 0, out.shape[1], right, left, below, above, out[y])


arrange_weights = blend_registers.arrange_weights
blend_band = blend_registers.blend_band


@compiled
def blend_in_registers(
    src: npt.NDArray[np.uint8],
    luts: npt.NDArray[np.uint8],
    cell_starts: npt.NDArray[np.int64],
    right: npt.NDArray[np.float32],
    left: npt.NDArray[np.float32],
    out: npt.NDArray[np.uint8],
) -> None:
    """Look up and blend every row, between the first two rows of tiles."""
    rows = src.shape[0]
    below, above = np.full(rows, np.float32(0.25)), np.full(rows, np.float32(0.75))
    weights = arrange_weights(cell_starts, right, left)
    blend_band(src, out, 0, rows, luts[0], luts[1], cell_starts, weights, below, above)


def stages(image: ImageU8, params: EnhanceParams) -> dict[str, Callable[[], object]]:
    """Prepare the inputs of each stage, and return the stages as functions."""
    width = image.shape[1]
    plan = plan_of(image.shape, image.dtype, params)
    cells = plan.tiles_x + 1
    groups = -(-plan.tiles_x // LANES)
    counts = np.empty((plan.tiles_y, groups * LANES * VALUES), np.int32)
    image_counts = np.empty(VALUES, np.int64)
    own_bins = np.empty(0, np.int32)
    moved = np.empty(LANES * VALUES, np.int32)
    levels = np.empty(2 * LANES * VALUES, np.uint8)
    room = callable_kernel(empty_aligned)(plan.tiles_y * (groups * LANES + 2) * VALUES)
    luts = room.reshape(plan.tiles_y, -1)
    words = np.empty(cells * VALUES, np.uint32)
    gathered = np.empty(width, np.uint32)
    cell_starts = np.empty(cells + 1, np.int64)
    right, left = np.empty(width, np.float32), np.empty(width, np.float32)
    callable_kernel(place_axis)(plan.tile_width, plan.tiles_x, cell_starts, right, left)
    out = np.empty_like(image)
    in_order: dict[str, Callable[[], object]] = {
        COUNT: lambda: count_all_tiles(image, plan, counts, image_counts),
        TABLES: lambda: make_all_tables(counts, own_bins, plan, moved, levels, luts),
        PACK: lambda: pack_all_tables(luts, words),
        GATHER: lambda: gather_all_words(image, cell_starts, words, gathered),
        BLEND: lambda: blend_all_rows(gathered, right, left, out),
    }
    if can_look_up():
        in_order[REGISTERS] = lambda: blend_in_registers(image, luts, cell_starts, right, left, out)
    for stage in in_order.values():
        stage()
    return in_order


def yardsticks(image: ImageU8) -> dict[str, Callable[[], object]]:
    """Return OpenCV's and NumPy's functions for parts of the work; their outputs are reused."""
    out = np.empty_like(image)
    table = np.arange(256, dtype=np.uint8)[::-1].copy()
    return {
        "cv2.equalizeHist": lambda: cv2.equalizeHist(image, out),
        "cv2.calcHist": lambda: cv2.calcHist([image], [0], None, [256], [0, 256]),
        "cv2.LUT": lambda: cv2.LUT(image, table, out),
        "np.copyto": lambda: np.copyto(out, image),
    }


@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("grid", [(8, 8), (16, 16)], ids=["grid8x8", "grid16x16"])
def bench_kernels(
    race: Callable[..., None],
    sized: Callable[[Shape], Shape],
    grid: tuple[int, int],
    contender: str,
) -> None:
    image = images.radiograph(sized(SHAPE)).copy()
    chain = EnhanceParams(percentiles=PERCENTILES, clip_limit=CLIP_LIMIT, tile_grid_size=grid)
    clahe = EnhanceParams(percentiles=None, clip_limit=CLIP_LIMIT, tile_grid_size=grid)
    opencv = opencv_clahe(grid)
    out = np.empty_like(image)

    def whole(params: EnhanceParams) -> Callable[[], ImageU8]:
        plan = plan_of(image.shape, image.dtype, params)

        def run() -> ImageU8:
            enhance_u8(image[np.newaxis], out[np.newaxis], *plan)
            return out

        return run

    race(
        Row(
            operation="kernels",
            image=f"{shapes.name(SHAPE, np.uint8)}, {shapes.grid_name(grid)}",
            nbytes=image.nbytes,
            pixels=image.size,
        ),
        contender,
        {
            CLAHE: whole(clahe),
            CHAIN: whole(chain),
            **stages(image, clahe),
            OPENCV: lambda: opencv.apply(image, np.empty_like(image)),
            **yardsticks(image),
        },
        equal=(OPENCV,),
    )
