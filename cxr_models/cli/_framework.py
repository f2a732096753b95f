"""Loading of TensorFlow and Keras for the command line.

A line on the terminal announces the loading. TensorFlow's own messages are hidden, unless the
environment variable ``TF_CPP_MIN_LOG_LEVEL`` has another value than 3.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import sys
import warnings

from cxr_models.cli import _console
from cxr_models.cli._extras import install_line

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
QUIET = "3"
_BACKENDS = ("tensorflow", "jax", "torch")
# Pattern of packages whose warnings are for programmers, not for users of a command.
_PROGRAMMERS = r"(absl|google|h5py|jax|keras|ml_dtypes|tensorboard|tensorflow|tf2onnx|onnx)(\.|$)"


def load_framework(*packages: str) -> list[str]:
    """Load TensorFlow and Keras, and return the names of the accelerators that they use.

    Parameters
    ----------
    *packages : str
        Further packages that must be installed because the command needs them, now or later.

    Raises
    ------
    ValueError
        If the environment names a backend that Keras does not have.
    ImportError
        If a package is not installed.
    """
    check_backend(*packages)
    if "cxr_models.networks.devices" not in sys.modules:
        _console.note_on_terminal("loading TensorFlow")
    with contextlib.nullcontext() if _shows_messages() else _console.standard_error_kept_back():
        importlib.import_module("cxr_models.inputs.pipeline")
        importlib.import_module("cxr_models.networks.classifier")
        names: list[str] = importlib.import_module("cxr_models.networks.devices").device_names()
    if not _shows_messages():
        for logger in ("tensorflow", "absl", "jax", "tf2onnx"):
            logging.getLogger(logger).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=_PROGRAMMERS)
    return names


def check_backend(*packages: str) -> None:
    """Check that TensorFlow, Keras, the backend of Keras and `packages` are installed.

    The environment variable ``KERAS_BACKEND`` names the backend; the default is TensorFlow.

    Raises
    ------
    ValueError
        If Keras has no backend of that name.
    ImportError
        If a package is not installed.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend not in _BACKENDS:
        raise ValueError(f"`KERAS_BACKEND` must be one of {', '.join(_BACKENDS)}; got {backend!r}.")
    for package in dict.fromkeys(("tensorflow", "keras", backend, *packages)):
        if not _is_installed(package):
            raise ImportError(
                f"{package} is needed for this command"
                f"{f' with KERAS_BACKEND={backend}' if package == backend == 'jax' else ''}. "
                f"Install it with: {install_line(package)}"
            )


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # the module in sys.modules has no `__spec__`
        return sys.modules.get(package) is not None


def _shows_messages() -> bool:
    """Return whether the user wants to see TensorFlow's own messages."""
    return os.environ.get(LEVEL, QUIET) != QUIET
