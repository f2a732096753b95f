"""Fixtures of every benchmark: contenders race by turns, each becomes an entry of the results.

`race` is the one most benchmarks use. It runs all contenders of a row by turns the first time it
is called for that row, and records the one that the test is about. `record` takes durations that
were measured elsewhere, in other processes for instance. In a smoke run (``--benchmark-disable``)
each contender runs once, on a smaller image; that outputs are equal is asserted all the same.

Fairness: one thread against ``cv2.setNumThreads(1)`` unless the row says otherwise; every
contender allocates its output; what OpenCV can prepare once (its CLAHE object, a thread pool) is
prepared before.
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
    """What contenders are compared at.

    Parameters
    ----------
    operation, image : str
        Together they name the group: ``"<operation>|<image>"``.
    nbytes, pixels : int
        Of all input images.
    threads, opencv_threads : int
        Threads above the kernels, and those within OpenCV.
    """

    operation: str
    image: str
    nbytes: int
    pixels: int
    threads: int = 1
    opencv_threads: int = 1

    @property
    def group(self) -> str:
        """The group of these contenders."""
        return f"{self.operation}|{self.image}"


def pytest_benchmark_update_machine_info(config: object, machine_info: dict[str, Any]) -> None:
    """Leave out what names the machine rather than describes it."""
    trim_machine(machine_info)


def pytest_benchmark_update_json(
    config: object, benchmarks: object, output_json: dict[str, Any]
) -> None:
    """Store medians and quartiles, not every duration."""
    trim(output_json)


@functools.cache
def cpu_name() -> str:
    """Name the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(packages: Collection[str] = ()) -> dict[str, str]:
    """Give the versions of what takes part."""
    return {
        "cxr_enhance": cxr_enhance.__version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        **{package: importlib.metadata.version(package) for package in packages},
    }


@pytest.fixture(autouse=True)
def one_opencv_thread() -> Iterator[None]:
    """Give OpenCV one thread, and back what it had."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile before anything is timed; ``bench_import.py`` alone measures compilation."""
    cxr_enhance.warmup()


@pytest.fixture(scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the directory where processes that benchmarks start keep their compiled kernels."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def replay_clock(request: pytest.FixtureRequest) -> ReplayClock:
    """Give the clock of this test's `benchmark`; must be requested before it."""
    clock = ReplayClock()
    request.node.add_marker(pytest.mark.benchmark(timer=clock))
    return clock


@pytest.fixture
def timing(benchmark: Any) -> bool:
    """Tell whether this run times anything; a smoke run does not."""
    return bool(benchmark.enabled)


@pytest.fixture
def sized(request: pytest.FixtureRequest) -> Callable[[Shape], Shape]:
    """Give the shape to use for a shape: itself, or a smaller one in a smoke run."""
    options = request.config.option
    smoke = options.benchmark_disable and not options.benchmark_enable
    return smaller if smoke else lambda shape: shape


@pytest.fixture
def record(replay_clock: ReplayClock, benchmark: Any) -> Callable[..., None]:
    """Store durations of one contender that were measured elsewhere."""

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
    """Keep the durations of all contenders of a row until each has been recorded."""
    return {}


@pytest.fixture
def race(
    request: pytest.FixtureRequest,
    record: Callable[..., None],
    timing: bool,
    laps_of_rows: dict[tuple[str, str], dict[str, Laps]],
) -> Callable[..., None]:
    """Time the contenders of a row by turns and store the one this test is about.

    Call it with the row, the name of that contender, and all contenders by name, ours first:
    functions without arguments. The outputs of those in `equal` (all, if it is None) are asserted
    to be the same before anything is timed. `clock` is `time.process_time` where CPU time is meant.
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
