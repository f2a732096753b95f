"""Running a few lines in a process of their own, with some packages out of reach."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).parents[2]


def run_fresh(code, *arguments, without=(), env=None):
    """Run `code` with `without` not importable; return what it printed, fail where it fails."""
    block = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    script = f"import sys\n{block}{textwrap.dedent(code)}"
    result = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {})},
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.strip()
