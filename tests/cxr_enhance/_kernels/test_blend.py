"""Look-up and blend of uint8 rows: by loads and in registers, with the same bytes."""

from __future__ import annotations

import functools
import hashlib

import numba
import numpy as np
import pytest
from llvmlite import binding

import cxr_enhance as cxe
from cxr_enhance._kernels import blend_loads, blend_registers, registers
from tests.helpers.fresh_process import run_code
from tests.helpers.images import make_image

needs_registers = pytest.mark.skipif(
    not numba.config.DISABLE_JIT and not registers.can_look_up(),
    reason="this processor has no AVX-512 VBMI",
)
WAYS = [
    pytest.param(blend_loads, id="loads"),
    pytest.param(blend_registers, id="registers", marks=needs_registers),
]
# Shorter than a piece of sixteen pixels, one piece, pieces that overlap, cells of every length.
CELLS = [[0, 1], [0, 3, 5], [0, 15], [0, 16], [0, 8, 17], [0, 0, 20, 20, 37], [0, 33, 64, 99, 112]]

pytestmark = pytest.mark.nojit


@functools.cache
def in_band(way):
    """Give a function of arrays that arranges weights and blends a band, as `equalize_u8` does."""

    arrange, band = way.arrange_weights, way.blend_band

    def blend(src, dst, start, stop, upper, lower, starts, right, left, below, above):
        arranged = arrange(starts, right, left)
        band(src, dst, start, stop, upper, lower, starts, arranged, below, above)

    return numba.njit(blend)


def weights(rng, size):
    after = rng.random(size, np.float32)
    after[::5] = 0
    return after, np.float32(1) - after


def expected_band(src, upper, lower, cell_starts, right, left, below, above):
    """Blend every row in float32, operation by operation as OpenCV does."""
    cell = np.searchsorted(cell_starts, np.arange(src.shape[1]), side="right") - 1
    tables = [table.reshape(-1, 256) for table in (upper, lower)]
    levels = [[table[cell + side, src].astype(np.float32) for side in (0, 1)] for table in tables]
    rows = [pair[0] * left + pair[1] * right for pair in levels]
    return np.rint(rows[0] * above[:, None] + rows[1] * below[:, None]).astype(np.uint8)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cells", CELLS, ids=str)
@pytest.mark.parametrize("in_place", [False, True], ids=["beside", "in place"])
def test_a_band_is_blended_as_opencv_does(way, cells, in_place):
    rng = np.random.default_rng(len(cells) + cells[-1])
    width, start = cells[-1], 2
    blend = in_band(way)
    for stop in (3, 6, 7, 9):
        src = rng.integers(0, 256, (11, width), dtype=np.uint8)
        upper, lower = rng.integers(0, 256, (2, 256 * (len(cells) + 1)), dtype=np.uint8)
        (right, left), (below, above) = weights(rng, width), weights(rng, 11)
        starts = np.array(cells)
        expected = np.full_like(src, 77)
        if in_place:
            expected[:] = src
        band = expected_band(src, upper, lower, starts, right, left, below, above)
        expected[start:stop] = band[start:stop]
        dst = src if in_place else np.full_like(src, 77)
        blend(src, dst, start, stop, upper, lower, starts, right, left, below, above)
        np.testing.assert_array_equal(dst, expected)


def test_registers_are_used_where_the_code_is_compiled_for_them(monkeypatch):
    needed = "+avx512f,+avx512bw,+avx512vl,+avx512vbmi"
    for features, usable in ((needed, True), ("", False), (needed.replace("vbmi", "vnni"), False)):
        monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
        assert registers.can_look_up() == (usable and not numba.config.DISABLE_JIT)


DIGEST = """
    import hashlib
    import cxr_enhance as cxe
    from cxr_enhance._kernels import clahe_u8
    from tests.helpers.images import make_image

    print(clahe_u8.blend_band.__module__.rpartition(".")[2])
    digest = hashlib.sha256()
    for size in ((224, 224), (67, 71), (129, 9)):
        digest.update(cxe.enhance(make_image("radiograph", *size, "uint8")).tobytes())
    print(digest.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not registers.can_look_up(), reason="this processor has no AVX-512 VBMI, or nothing is compiled"
)
def test_code_for_other_processors_gives_the_same_bytes():
    features = binding.get_host_cpu_features()
    features["avx512vbmi"] = False
    plain = run_code(DIGEST, env={"NUMBA_CPU_FEATURES": features.flatten()})
    assert plain.stdout.split()[0] == "blend_loads"
    digest = hashlib.sha256()
    for size in ((224, 224), (67, 71), (129, 9)):
        digest.update(cxe.enhance(make_image("radiograph", *size, "uint8")).tobytes())
    assert plain.stdout.split()[1] == digest.hexdigest()
