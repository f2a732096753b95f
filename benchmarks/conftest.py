"""Fixtures of the benchmarks, which time contenders in turns and store an entry for each.

Most benchmarks use the fixture `race`. Its first call for a row times all contenders of the row in
turns; each call then records the contender of its test. The fixture `record` stores durations that
were measured elsewhere, for example in other processes. In a smoke run (``--benchmark-disable``)
each contender runs once, on a smaller image, and equal outputs are still asserted.

Rules for a fair comparison: our code uses one thread and OpenCV gets ``cv2.setNumThreads(1)``,
unless the row states other numbers. Every contender allocates its output. Objects that OpenCV can
reuse (its CLAHE object, a thread pool) are made before the clock starts.
"""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numba
import numpy as np
import pytest

import cxr_enhance
from benchmarks.harness.measuring import Laps, ReplayClock, interleave
from benchmarks.harness.shapes import Shape, smaller
from benchmarks.tables.results import trim, trim_machine
from benchmarks.tables.targets import targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping


@dataclass(frozen=True, kw_only=True)
class Row:
    """Description of the work that contenders are compared on.

    Parameters
    ----------
    operation, image : str
        Names of the operation and of the input. The group is named ``"<operation>|<image>"``.
    nbytes, pixels : int
        Number of bytes and of pixels of all input images together.
    threads, opencv_threads : int
        Number of threads above the kernels, and number of threads within OpenCV.
    """

    operation: str
    image: str
    nbytes: int
    pixels: int
    threads: int = 1
    opencv_threads: int = 1

    @property
    def group(self) -> str:
        """Name of the group of contenders."""
        return f"{self.operation}|{self.image}"


def pytest_benchmark_update_machine_info(config: object, machine_info: dict[str, Any]) -> None:
    """Remove fields that identify the machine, and keep fields that describe it."""
    trim_machine(machine_info)


def pytest_benchmark_update_json(
    config: object, benchmarks: object, output_json: dict[str, Any]
) -> None:
    """Keep medians and quartiles of the results, and remove the single durations."""
    trim(output_json)


@functools.cache
def cpu_name() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(packages: Collection[str] = ()) -> dict[str, str]:
    """Return the versions of cxr_enhance, Numba, NumPy, OpenCV and `packages`."""
    return {
        "cxr_enhance": cxr_enhance.__version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        **{package: importlib.metadata.version(package) for package in packages},
    }


@pytest.fixture(autouse=True)
def one_opencv_thread() -> Iterator[None]:
    """Set OpenCV to one thread, and restore its number of threads afterwards."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile the kernels before anything is timed; only ``bench_import.py`` times compilation."""
    cxr_enhance.warmup()


@pytest.fixture(scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache directory of compiled kernels for processes that benchmarks start."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def replay_clock(request: pytest.FixtureRequest) -> ReplayClock:
    """Return the clock of this test's `benchmark`; a test must request it before `benchmark`."""
    clock = ReplayClock()
    request.node.add_marker(pytest.mark.benchmark(timer=clock))
    return clock


@pytest.fixture
def timing(benchmark: Any) -> bool:
    """Return whether this run measures times; a smoke run does not."""
    return bool(benchmark.enabled)


@pytest.fixture
def sized(request: pytest.FixtureRequest) -> Callable[[Shape], Shape]:
    """Return a function that returns its shape unchanged, or a smaller shape in a smoke run."""
    options = request.config.option
    smoke = options.benchmark_disable and not options.benchmark_enable
    return smaller if smoke else lambda shape: shape


@pytest.fixture
def record(replay_clock: ReplayClock, benchmark: Any) -> Callable[..., None]:
    """Return a function that stores durations of one contender that were measured elsewhere."""

    def record(
        row: Row, contender: str, laps: Laps, packages: Collection[str] = (), **figures: object
    ) -> None:
        benchmark.group = row.group
        benchmark.extra_info.update(
            operation=row.operation,
            image=row.image,
            contender=contender,
            bytes=row.nbytes,
            pixels=row.pixels,
            threads=row.threads,
            opencv_threads=row.opencv_threads,
            versions=versions(packages),
            cpu=cpu_name(),
            targets=targets_of(row.group, contender),
            **figures,
        )
        replay_clock.load(laps.durations)
        benchmark.pedantic(int, rounds=len(laps.durations), iterations=laps.repeats)

    return record


@pytest.fixture(scope="session")
def laps_of_rows() -> dict[tuple[str, str], dict[str, Laps]]:
    """Return the store of the durations of a row's contenders, for the tests of the contenders."""
    return {}


@pytest.fixture
def race(
    request: pytest.FixtureRequest,
    record: Callable[..., None],
    timing: bool,
    laps_of_rows: dict[tuple[str, str], dict[str, Laps]],
) -> Callable[..., None]:
    """Return a function that times the contenders of a row in turns and stores one of them.

    Its arguments are the row, the name of the contender to store, and all contenders by name, ours
    first. Contenders are functions without arguments. Before anything is timed, the outputs of the
    contenders in `equal` (None means all) are asserted to equal our output. `clock` is
    `time.process_time` for CPU time.
    """

    def race(
        row: Row,
        contender: str,
        contenders: Mapping[str, Callable[[], object]],
        *,
        equal: Collection[str] | None = None,
        packages: Collection[str] = (),
        clock: Callable[[], float] = time.perf_counter,
        **figures: object,
    ) -> None:
        ours = next(iter(contenders))
        if contender != ours and (equal is None or contender in equal):
            np.testing.assert_array_equal(contenders[ours](), contenders[contender]())
        if not timing:
            contenders[contender]()
            record(row, contender, Laps(durations=[0.0]), packages, **figures)
            return
        key = (request.node.originalname, row.group)
        if key not in laps_of_rows:
            laps_of_rows.clear()
            laps_of_rows[key] = interleave(contenders, clock)
        record(row, contender, laps_of_rows[key][contender], packages, **figures)

    return race
