"""A copy of the package as a wheel installs it, with packed machine code and without a cache."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks.harness.processes import ROOT, run_python

if TYPE_CHECKING:
    from pathlib import Path


def packed_copy(folder: Path) -> str:
    """Copy the package with compiled code into `folder`; return Python code that imports the copy.

    The machine code is made as `hatch_build.py` makes it for a wheel. The returned code also turns
    the cache directory off.
    """
    package = folder / "site" / "cxr_enhance"
    shutil.copytree(
        ROOT / "cxr_enhance", package, ignore=shutil.ignore_patterns("__pycache__", "_compiled")
    )
    searched = f"import sys; sys.path.insert(0, {str(package.parent)!r})"
    cache = folder / "code"
    run_python(cache, "-c", f"{searched}; import cxr_enhance; cxr_enhance.warmup()")
    shutil.copytree(cache / "cxr-enhance", package / "_compiled")
    return f"{searched}; import os; os.environ['CXR_ENHANCE_CACHE'] = '0'"
