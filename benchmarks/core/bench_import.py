"""Waiting times of a short process: import, first image, compilation.

Everything runs in new processes with a private cache directory. Imports and `warmup` are timed
within the process; "import and enhance" is timed from the start of the process to its end. "Nothing
compiled" uses an empty cache in each round and has few rounds, because a round takes seconds.
"Packed" uses the machine code of a wheel and no cache.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

import pytest

from benchmarks.conftest import Row
from benchmarks.harness.measuring import MIN_ROUNDS, Laps, take_turns
from benchmarks.harness.packed import packed_copy
from benchmarks.harness.processes import seconds_of_process, seconds_within
from benchmarks.tables.targets import OPENCV, OURS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLD_ROUNDS = 3
COLD_WARMUP_ROUNDS = 2
IMPORTS = {OURS: "cxr_enhance", "Numba": "numba", "NumPy": "numpy", OPENCV: "cv2"}
IMAGE = "import numpy as np; image = np.tile(np.arange(256, dtype=np.uint8), (1024, 4))"
FIRST_IMAGE = {
    OURS: f"{IMAGE}; import cxr_enhance; cxr_enhance.enhance(image)",
    OPENCV: f"{IMAGE}; from benchmarks.harness.baselines import opencv_clahe, opencv_chain; "
    "opencv_chain(image, opencv_clahe())",
}
PIXELS = 1024 * 1024
_RAMP = "np.tile(np.arange(256, dtype=np.uint8), (1024, 4))"
PACKED_IMAGES = {
    "uint8": _RAMP,
    "uint16": f"{_RAMP}.astype(np.uint16) * 257",
    "colour": f"np.stack([{_RAMP}, {_RAMP} // 2, {_RAMP}[:, ::-1]], axis=-1)",
}


def row_of(operation: str, what: str, pixels: int = PIXELS) -> Row:
    """Return the row of a race of processes."""
    return Row(operation=operation, image=what, nbytes=pixels, pixels=pixels)


@pytest.fixture(scope="session")
def cache(private_cache: Path) -> Path:
    """Return a cache directory with the compiled code that one enhanced image needs."""
    seconds_of_process(private_cache, FIRST_IMAGE[OURS])
    return private_cache


@pytest.fixture
def new_cache(tmp_path: Path, private_cache: Path, timing: bool) -> Callable[[], Path]:
    """Return a function that returns a new empty cache directory; in a smoke run, a filled one."""
    numbers = itertools.count()
    return lambda: tmp_path / str(next(numbers)) if timing else private_cache


@pytest.fixture(scope="session")
def laps_of_processes() -> dict[str, dict[str, list[float]]]:
    """Return the store of the durations of all races, for the tests of their contenders."""
    return {}


@pytest.fixture
def race_processes(
    record: Callable[..., None],
    timing: bool,
    laps_of_processes: dict[str, dict[str, list[float]]],
) -> Callable[..., None]:
    """Return a function that races processes and records one contender.

    Contenders are functions that start a process and return its seconds.
    """

    def race_processes(
        row: Row,
        contender: str,
        contenders: dict[str, Callable[[], float]],
        rounds: int = MIN_ROUNDS,
    ) -> None:
        if not timing:
            record(row, contender, Laps(durations=[contenders[contender]()]))
            return
        if row.group not in laps_of_processes:
            laps_of_processes[row.group] = take_turns(contenders, min_rounds=rounds, seconds=0)
        record(row, contender, Laps(durations=laps_of_processes[row.group][contender]))

    return race_processes


@pytest.mark.parametrize("contender", IMPORTS)
def bench_import(race_processes: Callable[..., None], cache: Path, contender: str) -> None:
    def importing(module: str) -> Callable[[], float]:
        return lambda: seconds_within(cache, f"import {module}")

    contenders = {name: importing(module) for name, module in IMPORTS.items()}
    race_processes(row_of("import", "nothing called", 0), contender, contenders)


@pytest.mark.parametrize("contender", FIRST_IMAGE)
def bench_first_image_compiled_before(
    race_processes: Callable[..., None], cache: Path, contender: str
) -> None:
    def running(code: str) -> Callable[[], float]:
        return lambda: seconds_of_process(cache, code)

    race_processes(
        row_of("import and enhance", "one uint8 1024x1024, compiled before"),
        contender,
        {name: running(code) for name, code in FIRST_IMAGE.items()},
    )


def bench_first_image_nothing_compiled(
    race_processes: Callable[..., None], new_cache: Callable[[], Path]
) -> None:
    race_processes(
        row_of("import and enhance", "one uint8 1024x1024, nothing compiled"),
        OURS,
        {OURS: lambda: seconds_of_process(new_cache(), FIRST_IMAGE[OURS])},
        COLD_ROUNDS,
    )


@pytest.fixture(scope="session")
def make_packed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Return a function that copies the package with packed code; it makes one copy only."""
    return functools.cache(lambda: packed_copy(tmp_path_factory.mktemp("packed")))


@pytest.fixture
def packed(make_packed: Callable[[], str], timing: bool) -> str:
    """Return Python code that imports a packed copy; in a smoke run there is no copy."""
    return make_packed() if timing else "pass"


@pytest.mark.parametrize("kind", PACKED_IMAGES)
def bench_first_image_packed(
    race_processes: Callable[..., None], cache: Path, packed: str, kind: str
) -> None:
    code = f"{packed}; import numpy as np; image = {PACKED_IMAGES[kind]}"
    code += "; import cxr_enhance; cxr_enhance.enhance(image)"
    code += "; import sys; assert 'numba' not in sys.modules" if packed != "pass" else ""
    race_processes(
        row_of("import and enhance", f"one {kind} 1024x1024, packed"),
        OURS,
        {OURS: lambda: seconds_of_process(cache, code)},
    )


def bench_import_packed(race_processes: Callable[..., None], cache: Path, packed: str) -> None:
    race_processes(
        row_of("import", "packed", 0),
        OURS,
        {OURS: lambda: seconds_within(cache, "import cxr_enhance", packed)},
    )


@pytest.mark.parametrize("dtypes", ["np.uint8,", "np.uint8, np.uint16"])
def bench_warmup(
    race_processes: Callable[..., None], new_cache: Callable[[], Path], timing: bool, dtypes: str
) -> None:
    if not timing:
        pytest.skip("a smoke run compiles once, for the first image")
    setup = "import numpy as np, cxr_enhance"
    statement = f"cxr_enhance.warmup(({dtypes}))"
    what = dtypes.replace("np.", "").strip(",").replace(", ", " and ")
    race_processes(
        row_of("warmup", f"{what}, nothing compiled", 0),
        OURS,
        {OURS: lambda: seconds_within(new_cache(), statement, setup)},
        COLD_WARMUP_ROUNDS,
    )


def bench_warmup_compiled_before(
    race_processes: Callable[..., None], new_cache: Callable[[], Path], timing: bool
) -> None:
    if not timing:
        pytest.skip("a smoke run compiles once, for the first image")
    setup, statement = "import cxr_enhance", "cxr_enhance.warmup()"
    cache = new_cache()
    seconds_within(cache, statement, setup)
    race_processes(
        row_of("warmup", "uint8 and uint16, compiled before", 0),
        OURS,
        {OURS: lambda: seconds_within(cache, statement, setup)},
    )
