"""Import of cv2, with an error message and a remedy for each way in which the import can fail.

No other module of the package imports cv2.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from functools import cache
from pathlib import Path
from typing import Any

WHEELS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_NEEDED = ("imdecode", "imencode", "IMREAD_ANYDEPTH", "__version__")
_INSTALL = 'pip install "cxr-enhance[cli]"'
_INSTALL_HEADLESS = 'pip install "cxr-enhance[headless]"'


def load_cv2() -> Any:
    """Import cv2 on first use.

    Returns
    -------
    module
        ``cv2``; the functions that this package needs exist.

    Raises
    ------
    ImportError
        If OpenCV is missing, cannot be loaded or lacks functions; the message contains the command
        that solves the problem. Later calls raise the error of the first failure, because a second
        import of OpenCV fails with a misleading error.
    """
    module, failure = _import_cv2()
    if module is None:
        raise ImportError(failure)
    return module


def opencv_version() -> str:
    """Return "opencv" and its version: the name of the decoder in notes and manifests."""
    return f"opencv {load_cv2().__version__}"


def installed_wheels() -> dict[str, str]:
    """Return the versions of the OpenCV wheels in this environment; two wheels are a conflict."""
    versions = {}
    for name in WHEELS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def one_wheel_cure(wheels: dict[str, str]) -> str:
    """Return the commands that replace several OpenCV wheels in one folder by one wheel."""
    return f"Keep one: pip uninstall --yes {' '.join(wheels)}, then {_install_command(wheels)}"


@cache
def _import_cv2() -> tuple[Any, str]:
    try:
        module = importlib.import_module("cv2")
    except ModuleNotFoundError as error:
        if error.name == "cv2":
            return None, (
                f"OpenCV is needed to read and write image files. Install it with: {_INSTALL}"
            )
        return None, _cannot_load(error)
    except Exception as error:  # an extension module may raise anything while it loads
        return None, _cannot_load(error)
    missing = [name for name in _NEEDED if not hasattr(module, name)]
    if missing:
        return None, _lacks_functions(missing)
    wheels = installed_wheels()
    if len(wheels) > 1 and not any(map(_is_whole, wheels)):
        return None, (
            "OpenCV is installed but broken: its files come from several wheels. "
            f"{_side_by_side(wheels)} {one_wheel_cure(wheels)}"
        )
    return module, ""


def _is_whole(wheel: str) -> bool:
    """Return whether every file of cv2 in a wheel is installed with its original size."""
    try:
        files = importlib.metadata.files(wheel) or []
        return all(
            file.size is None or Path(str(file.locate())).stat().st_size == file.size
            for file in files
            if file.parts[0] == "cv2"
        )
    except OSError:
        return False


def _cannot_load(error: Exception) -> str:
    reason = " ".join(str(error).split())
    problem = f"OpenCV is installed but cannot be loaded: {reason}."
    wheels = installed_wheels()
    if len(wheels) > 1:
        return f"{problem} {_side_by_side(wheels)} {one_wheel_cure(wheels)}"
    if "cannot open shared object file" in reason:  # libGL.so.1, libgthread-2.0.so.0, libxcb.so.1
        return (
            f"{problem} The desktop build needs that library of the system; the headless build "
            f"does not. Install it with: pip uninstall --yes {' '.join(wheels) or WHEELS[0]}, then "
            f"{_INSTALL_HEADLESS}"
        )
    if "numpy" in reason.lower() or "_ARRAY_API" in reason:
        return (
            f"{problem} It was built for another NumPy. "
            f"Install a newer one with: pip install --upgrade {next(iter(wheels), WHEELS[0])}"
        )
    return f"{problem} Reinstall it with: {_reinstall_command(wheels)}"


def _lacks_functions(missing: list[str]) -> str:
    problem = f"OpenCV is installed but broken: cv2 has no {missing[0]}."
    wheels = installed_wheels()
    if len(wheels) > 1:
        return f"{problem} {_side_by_side(wheels)} {one_wheel_cure(wheels)}"
    return (
        f"{problem} This is what remains when one of two OpenCV wheels is uninstalled. "
        f"Reinstall it with: {_reinstall_command(wheels)}"
    )


def _side_by_side(wheels: dict[str, str]) -> str:
    return f"{' and '.join(wheels)} are installed side by side and overwrite each other."


def _install_command(wheels: dict[str, str]) -> str:
    headless = any(name.endswith("headless") for name in wheels)
    return _INSTALL_HEADLESS if headless else _INSTALL


def _reinstall_command(wheels: dict[str, str]) -> str:
    return f"pip install --force-reinstall --no-deps {next(iter(wheels), WHEELS[0])}"
