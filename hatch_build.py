"""How a wheel is built: with the kernels' machine code for the processor that builds it.

The code is what `cxr_enhance.warmup` leaves in an empty cache directory, under a name that holds
its key; where that does not fit, it is never read. So the wheel stays one for every platform. A
failure costs the code and nothing else. ``CXR_ENHANCE_PACK=0`` leaves it out. Editable installs
have none.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import hatchling.build
from hatchling.build import *  # noqa: F403  -- the functions that pip calls
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_MOST_SECONDS = 300
_IGNORED = ("CXR_ENHANCE_CACHE", "NUMBA_DISABLE_JIT")


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """List what a wheel is built with: what the package runs with, where code is packed."""
    required = hatchling.build.get_requires_for_build_wheel(config_settings)
    if _is_wanted():
        project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
        required += project["dependencies"]
    return required


class PackMachineCode(BuildHookInterface):
    """Compile the kernels and add them to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder of the code to what the wheel is made of."""
        self._cache = tempfile.TemporaryDirectory(prefix="cxr-enhance-")
        if version == "editable" or not _is_wanted():
            return
        try:
            code = _compile(Path(self.root), Path(self._cache.name))
        except (OSError, subprocess.SubprocessError, RuntimeError) as error:
            self.app.display_warning(f"cxr-enhance: kernels are compiled when first used: {error}")
            return
        build_data["force_include"][str(code)] = f"cxr_enhance/_compiled/{code.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled beside the wheel."""
        self._cache.cleanup()


def _is_wanted() -> bool:
    return os.environ.get("CXR_ENHANCE_PACK") != "0"


def _compile(root: Path, cache: Path) -> Path:
    """Compile every kernel into `cache`; return the folder that holds nothing but the code."""
    environment = {name: value for name, value in os.environ.items() if name not in _IGNORED}
    # pip's environment for builds is on `sys.path`, and not only by PYTHONPATH.
    searched = os.pathsep.join([str(root), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import cxr_enhance; cxr_enhance.warmup()"],
        env=environment | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": searched},
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2] or f"exit {done.returncode}")
    files = list(cache.rglob("*.code"))
    if not files:
        raise RuntimeError("nothing was compiled")
    folder = files[0].parent
    for path in folder.glob("*.lock"):
        path.unlink()
    return folder
