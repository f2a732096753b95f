"""Running of Python code in separate processes, with a separate compilation cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run_python(cache: Path, *arguments: str) -> str:
    """Run this interpreter with `arguments` in the root of the project; return its output."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    environment.pop("CXR_ENHANCE_CACHE", None)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, text=True, capture_output=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"{arguments} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def seconds_of_process(cache: Path, code: str) -> float:
    """Return the seconds of a process that runs `code`, from before its start to after its end."""
    start = time.perf_counter()
    run_python(cache, "-c", code)
    return time.perf_counter() - start


def seconds_within(cache: Path, statement: str, setup: str = "pass") -> float:
    """Return the seconds of `statement` alone in a new process, after `setup`."""
    code = (
        f"import time\n{setup}\nstart = time.perf_counter()\n{statement}\n"
        "print(time.perf_counter() - start)"
    )
    return float(run_python(cache, "-c", code))


def json_of_module(cache: Path, module: str, *arguments: str) -> dict[str, Any]:
    """Run ``python -m module`` and return the JSON object that it prints."""
    answer: dict[str, Any] = json.loads(run_python(cache, "-m", module, *arguments))
    return answer
