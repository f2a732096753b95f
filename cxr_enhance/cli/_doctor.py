"""`cxr-enhance doctor`: list the installed parts, and check that results have the right bytes."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance._kernels import entries
from cxr_enhance._kernels.code_directory import choose_cache
from cxr_enhance._kernels.code_files import damaged_files, packed_directory, why_not_packed
from cxr_enhance._self_check import run_self_check
from cxr_enhance._version import __version__
from cxr_enhance.cli import console
from cxr_enhance.io.dicom.plugins import INSTALL, INSTALL_GPL, decoders_here, load_pydicom
from cxr_enhance.io.opencv import installed_wheels, load_cv2, one_wheel_cure
from cxr_enhance.io.png import load_isal

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAFE_PYDICOM = "3.0.2"  # pydicom's security release
_GPL_KIND = "JPEG 12 bits"


class _Finding(NamedTuple):
    label: str
    text: str
    is_problem: bool = False


def doctor() -> int:
    """Print every finding; return 1 if any is a problem, else 0."""
    problems = 0
    for finding in _findings():
        mark = "PROBLEM " if finding.is_problem else ""
        console.say(f"{finding.label:<12} {mark}{console.printable(finding.text)}")
        problems += finding.is_problem
    console.say(f"{problems} problem{'s' if problems != 1 else ''} found")
    return console.FAILED if problems else 0


def _findings() -> Iterator[_Finding]:
    yield _Finding("cxr-enhance", f"{__version__} in {Path(__file__).parents[1]}")
    yield _Finding("Python", f"{platform.python_version()} ({platform.python_implementation()})")
    yield _Finding("NumPy", np.__version__)
    yield _Finding("Numba", numba.__version__)
    yield _Finding("system", f"{platform.platform()}")
    yield _Finding("CPU", f"{_cpu_name()}; {usable_cpus()} of {os.cpu_count()} usable")
    yield _packed_finding()
    yield _cache_finding()
    yield from _opencv_findings()
    yield _png_finding()
    yield from _dicom_findings()
    yield _self_check_finding()
    yield from _failures_of_code()


def _packed_finding() -> _Finding:
    directory = packed_directory()
    cure = "Install the package anew to have its kernels compiled for this machine."
    if directory is not None:
        damaged = ", ".join(damaged_files())
        passed_over = f"; not used, because damaged: {damaged}. {cure}" if damaged else ""
        return _Finding("packed code", f"{directory}{passed_over}")
    return _Finding("packed code", f"not used: {why_not_packed()}. {cure}")


def _cache_finding() -> _Finding:
    directory, reasons = choose_cache()
    passed_over = "".join(f"; {reason}" for reason in reasons)
    if directory is not None:
        return _Finding("cache", f"{directory}{passed_over}")
    text = f"none: kernels that are not packed are compiled anew in each process{passed_over}"
    cure = "Point NUMBA_CACHE_DIR at a folder that only you can change to keep them."
    return _Finding("cache", f"{text}. {cure}")


def _opencv_findings() -> Iterator[_Finding]:
    try:
        yield _Finding("OpenCV", str(load_cv2().__version__))
    except ImportError as error:
        yield _Finding("OpenCV", str(error), is_problem=True)
    wheels = installed_wheels()
    listed = ", ".join(f"{name} {version}" for name, version in wheels.items())
    if len(wheels) > 1:
        text = f"{listed}: they overwrite each other's files. {one_wheel_cure(wheels)}"
        yield _Finding("wheels", text, is_problem=True)
    else:
        yield _Finding("wheels", listed or "no OpenCV wheel")


def _png_finding() -> _Finding:
    if load_isal() is not None:
        return _Finding("fast PNG", f"isal {importlib.metadata.version('isal')}")
    cure = "Install it with: pip install isal"
    return _Finding("fast PNG", f"none: isal cannot be imported, OpenCV writes PNG. {cure}")


def _dicom_findings() -> Iterator[_Finding]:
    try:
        version = str(load_pydicom().__version__)
        decoders = decoders_here()
    except ImportError as error:
        yield _Finding("pydicom", str(error), is_problem=True)
        return
    if _numbers(version) < _numbers(_SAFE_PYDICOM):
        cure = f"Files can harm those before {_SAFE_PYDICOM}. Install it anew with: {INSTALL}"
        yield _Finding("pydicom", f"{version}. {cure}", is_problem=True)
    else:
        yield _Finding("pydicom", version)
    listed = ", ".join(f"{name} by {plugins[0]}" for name, plugins in decoders.items() if plugins)
    yield _Finding("decoders", listed or "none")
    for name, plugins in decoders.items():
        if plugins:
            continue
        is_gpl = name == _GPL_KIND
        cure = f"Install one with: {INSTALL_GPL if is_gpl else INSTALL}"
        licence = "; those there are have the GPL" if is_gpl else ""
        text = f"none for {name}{licence}. {cure}"
        yield _Finding("decoders", text, is_problem=not is_gpl)


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", version)[:3]]


def _self_check_finding() -> _Finding:
    started = time.perf_counter()
    results = run_self_check()
    seconds = time.perf_counter() - started
    counts = Counter(result.verdict for result in results)
    text = f"{counts['same']} of {len(results)} stored results reproduced in {seconds:.1f} s"
    wrong = [result for result in results if result.verdict != "same"]
    if not wrong:
        return _Finding("self-check", text)
    first = "; ".join(f"{result.name}: {result.detail}" for result in wrong[:3])
    return _Finding("self-check", f"{text}; {first}", is_problem=True)


def _failures_of_code() -> Iterator[_Finding]:
    """Yield the kernels whose compiled code cannot be made or loaded, with the reason.

    The self-check must run before, because it calls the kernels.
    """
    for name, reason in entries.failures.items():
        yield _Finding("kernel", f"{name} is compiled anew in each process: {reason}")


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
