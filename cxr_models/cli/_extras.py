"""Installation commands for missing packages; the module imports only the standard library."""

from __future__ import annotations

_EXTRAS = {
    "models": (
        "cv2", "typer", "tqdm", "matplotlib", "pydicom", "tensorflow", "keras", "tensorboard",
        "h5py", "sklearn", "scipy", "threadpoolctl", "jinja2",
    ),
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "torch": ("torch",),
}  # fmt: skip
_NAMES = {"cv2": "opencv-python", "sklearn": "scikit-learn"}  # import name to distribution name


def install_line(package: str) -> str | None:
    """Return the command that installs a package; None if no command is known.

    A command is known for the packages of the extras of `cxr-enhance`, and for jax. `package` is
    the name that is imported, such as ``sklearn``.

    Examples
    --------
    >>> install_line("sklearn")
    'pip install "cxr-enhance[models]"'
    """
    if package == "jax":  # a backend of Keras that no extra installs
        return "pip install jax"
    extra = next((extra for extra, packages in _EXTRAS.items() if package in packages), None)
    return None if extra is None else f'pip install "cxr-enhance[{extra}]"'


def sentence_of(error: ImportError) -> str | None:
    """Return a sentence on the missing package and its installation.

    The result is None if the error has another cause, or if `install_line` returns None.
    """
    package = (error.name or "").partition(".")[0]
    line = install_line(package)
    if not isinstance(error, ModuleNotFoundError) or line is None:
        return None
    return f"{_NAMES.get(package, package)} is needed for this command. Install it with: {line}"
