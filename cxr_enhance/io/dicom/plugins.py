"""Import of pydicom, the order of preference of its decoders, and messages about missing decoders.

No other module of this package imports pydicom, except `decoder_process` in a child process.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INSTALL = 'pip install "cxr-enhance[cli]"'
INSTALL_GPL = 'pip install "cxr-enhance[dicom-gpl]"'
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_RLE = "1.2.840.10008.1.2.5"
_FULL_JPEG = (  # gdcm reads most files of these syntaxes, pylibjpeg-libjpeg reads all
    "1.2.840.10008.1.2.4.50",
    _JPEG_EXTENDED,
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
)
_KINDS = {  # one syntax of each family; the same plugins decode the other syntaxes of the family
    "JPEG": "1.2.840.10008.1.2.4.50",
    "JPEG 12 bits": _JPEG_EXTENDED,
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "HTJ2K": "1.2.840.10008.1.2.4.201",
    "RLE": _RLE,
}
# Fastest first: JPEG-LS 4 times faster than with gdcm, RLE 10 times faster than with pydicom.
_ORDER = ("pyjpegls", "pylibjpeg", "gdcm", "pillow", "pydicom")
# Decoders of lossy JPEG differ by a gray level in places: an optional plugin must not come first.
_ORDER_OF_JPEG = ("gdcm", "pillow", "pylibjpeg")
_DISTRIBUTIONS = {"gdcm": "python-gdcm"}
_quiet = threading.RLock()
if hasattr(os, "register_at_fork"):  # a child forked while the lock is held would wait for ever
    os.register_at_fork(
        before=_quiet.acquire, after_in_parent=_quiet.release, after_in_child=_quiet.release
    )


def load_pydicom(module: str = "pydicom") -> Any:
    """Import pydicom, or a module of it, on first use.

    Raises
    ------
    ImportError
        If pydicom is missing; the message contains the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "pydicom":
            raise ImportError(
                f"pydicom is needed for DICOM files. Install it with: {INSTALL}"
            ) from None
        raise


def decoder_for(transfer_syntax: str) -> tuple[Any, list[str]]:
    """Find the decoder of a compressed transfer syntax and its usable plugins, best first.

    Raises
    ------
    NotImplementedError
        If pydicom has no decoder, as for video.
    ImportError
        If pydicom has a decoder, but no plugin for it is installed.
    """
    get_decoder = load_pydicom("pydicom.pixels").get_decoder
    decoder = get_decoder(transfer_syntax)
    usable = _in_order(decoder.available_plugins, transfer_syntax)
    if not usable:
        name = load_pydicom("pydicom.uid").UID(transfer_syntax).name
        raise ImportError(
            f"A decoder is needed for DICOM files in {name}. Install it with: {INSTALL}"
        )
    return decoder, usable


def plugin_name(plugin: str, transfer_syntax: str) -> str:
    """Return name and version of the distribution behind a plugin for a transfer syntax."""
    name = _DISTRIBUTIONS.get(plugin, plugin)
    if plugin == "pylibjpeg":
        part = "rle" if transfer_syntax == _RLE else "openjpeg"
        is_jpeg = transfer_syntax in _FULL_JPEG + _JPEG_LS
        name = f"pylibjpeg-{'libjpeg' if is_jpeg else part}"
    return f"{name} {_version_of(name)}".strip()


@functools.cache
def _version_of(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:  # such as in a frozen program
        return ""


def _in_order(plugins: Iterable[str], transfer_syntax: str) -> list[str]:
    order = _ORDER_OF_JPEG if transfer_syntax in _FULL_JPEG else _ORDER
    return sorted(plugins, key=order.index)


def cure_for(transfer_syntax: str, tried: list[str]) -> str:
    """Name the package to install for a frame that the plugins `tried` could not decode, if any."""
    if transfer_syntax in _FULL_JPEG and "pylibjpeg" not in tried:
        return f" A decoder of more kinds of JPEG, under the GPL: {INSTALL_GPL}"
    if transfer_syntax in _JPEG_LS and "pyjpegls" not in tried:
        return f" A decoder of more kinds of JPEG-LS: {INSTALL}"
    return ""


def decoders_here() -> dict[str, list[str]]:
    """List the installed plugins for each kind of compressed pixels, best first.

    Raises
    ------
    ImportError
        If pydicom is missing.
    """
    get_decoder = load_pydicom("pydicom.pixels").get_decoder
    plugins_of = {}
    for name, transfer_syntax in _KINDS.items():
        try:
            plugins = _in_order(get_decoder(transfer_syntax).available_plugins, transfer_syntax)
        except NotImplementedError:  # an older pydicom does not know the syntax
            plugins = []
        if transfer_syntax == _JPEG_EXTENDED:  # other plugins read its 8-bit files only
            plugins = [plugin for plugin in plugins if plugin == "pylibjpeg"]
        plugins_of[name] = plugins
    return plugins_of


def is_bounded(plugin: str, transfer_syntax: str) -> bool:
    """Return whether a plugin's time and memory are bounded by the pixels, for any hostile frame.

    Other plugins run in a child process; see `decode_in_child_process`. The size of a frame must be
    checked before a bounded plugin decodes it.
    """
    if transfer_syntax in _JPEG_LS:
        return plugin == "pyjpegls"
    return transfer_syntax == _RLE and plugin in ("pylibjpeg", "pydicom")


@contextlib.contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence pydicom's warnings about odd headers, in one thread at a time.

    Python has one list of warning filters for all threads: two threads that save and restore the
    list at the same time could leave it changed. Use this only for work on headers, which holds
    the GIL anyway.
    """
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
