"""The metadata of exported models, which also identify earlier exports."""

from __future__ import annotations

import importlib.util
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from cxr_models._outputs import Kind
from cxr_models._typed_json import parse_object

if TYPE_CHECKING:
    import os

Format = Literal["keras", "saved_model", "onnx", "litert"]
METADATA = "metadata.json"
ONNX_KEY = "cxr_models"
SUFFIXES = {"keras": ".keras", "onnx": ".onnx", "litert": ".tflite"}
_NEEDS_ONNX = (
    "onnx and tf2onnx are needed for --format onnx. "
    'Install them with: pip install "cxr-enhance[onnx]"'
)
_MOST_METADATA = 1 << 20  # bytes; a limit, because an untrusted archive can state any size
_OF_A_SAVED_MODEL = (  # all files that the folder of a SavedModel may have
    "saved_model.pb",
    "fingerprint.pb",
    "variables/variables.*",
    f"assets.extra/{METADATA}",
)
_KEYS = {"cxr_enhance_version", "class_names", "temperature", "weights_sha256"}


def read_metadata(path: str | os.PathLike[str]) -> dict[str, object]:
    """Read the metadata of an exported model: classes, temperature, enhancement, hashes, version.

    Parameters
    ----------
    path : str or PathLike
        A file or folder that `export` wrote.

    Raises
    ------
    ValueError
        If the file or folder has no valid metadata.
    ImportError
        If the model has the format ONNX and the package onnx is not installed.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    text: bytes | str | None = None
    if path.is_dir() and (path / "assets.extra" / METADATA).is_file():
        text = (path / "assets.extra" / METADATA).read_bytes()
    elif path.suffix == SUFFIXES["onnx"]:
        text = _text_in_onnx(path)
    elif path.is_file() and zipfile.is_zipfile(path):
        text = _text_in_archive(path)
    if text is None:
        raise ValueError(
            f"`path` must be a model that cxr-models export wrote; got {str(path)!r}, which holds "
            f"no {METADATA}."
        )
    return parse_object(text, METADATA, path)


def load_onnx() -> Any:
    """Return the package onnx, after a check that tf2onnx is installed too.

    Keras needs both packages to write the format ONNX.

    Raises
    ------
    ImportError
        If onnx or tf2onnx is not installed.
    """
    try:
        import onnx
        import tf2onnx  # noqa: F401 - Keras imports it
    except ImportError as error:
        raise ImportError(_NEEDS_ONNX) from error
    return onnx


def check_onnx() -> None:
    """Raise ImportError if onnx or tf2onnx is not installed, without importing them."""
    for package in ("onnx", "tf2onnx"):
        try:
            spec = importlib.util.find_spec(package)
        except ValueError:  # an entry of sys.modules hides it
            spec = None
        if spec is None:
            raise ImportError(_NEEDS_ONNX)


def _text_in_onnx(path: Path) -> str | None:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        held = onnx.load(path, load_external_data=False).metadata_props
    except DecodeError:
        return None
    return next((entry.value for entry in held if entry.key == ONNX_KEY), None)


def _text_in_archive(path: Path) -> bytes | None:
    try:
        with zipfile.ZipFile(path) as archive:
            if METADATA not in archive.namelist():
                return None
            member = archive.getinfo(METADATA)
            return archive.read(member) if member.file_size <= _MOST_METADATA else None
    except (zipfile.BadZipFile, zlib.error, RuntimeError):  # the last: encrypted, or packed oddly
        return None


def _is_export(path: Path, kind: Format) -> bool:
    if path.is_dir() != (kind == "saved_model") or (path.is_dir() and not _is_bare(path)):
        return False
    return read_metadata(path).keys() >= _KEYS


def _is_bare(folder: Path) -> bool:
    """Return whether a folder has only the files of an exported SavedModel, and no links."""
    inside = list(folder.rglob("*"))
    known = {path for pattern in _OF_A_SAVED_MODEL for path in folder.glob(pattern)}
    return not any(path.is_symlink() for path in inside) and all(
        path.is_dir() or path in known for path in inside
    )


def _kind_of(name: Format) -> Kind:
    return Kind(f"a model that cxr-models export wrote as {name}", lambda p: _is_export(p, name))


EXPORTS = {name: _kind_of(name) for name in get_args(Format)}
