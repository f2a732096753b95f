"""What to install where a package is missing; imports nothing that can be."""

from __future__ import annotations

_EXTRAS = {
    "models": (
        "cv2", "typer", "tqdm", "matplotlib", "pydicom", "tensorflow", "keras", "tensorboard",
        "h5py", "sklearn", "scipy", "threadpoolctl", "jinja2",
    ),
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "torch": ("torch",),
}  # fmt: skip
_NAMES = {"cv2": "opencv-python", "sklearn": "scikit-learn"}  # where a package has another one


def install_line(package: str) -> str | None:
    """Return the command that installs a package, named as it is imported; None if it is not ours.

    Examples
    --------
    >>> install_line("sklearn")
    'pip install "cxr-enhance[models]"'
    """
    if package == "jax":  # an alternative that no extra brings
        return "pip install jax"
    extra = next((extra for extra, packages in _EXTRAS.items() if package in packages), None)
    return None if extra is None else f'pip install "cxr-enhance[{extra}]"'


def sentence_of(error: ImportError) -> str | None:
    """Say what is missing and how to install it; None where the error is of something else."""
    package = (error.name or "").partition(".")[0]
    line = install_line(package)
    if not isinstance(error, ModuleNotFoundError) or line is None:
        return None
    return f"{_NAMES.get(package, package)} is needed for this command. Install it with: {line}"
