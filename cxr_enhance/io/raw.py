"""Raw pixels without a header; only the data set determines their layout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from cxr_enhance._types import Image

Raw = Literal["jsrt"]

_SIDE, _WHITE = 2048, 4095


def read_raw(source: str | os.PathLike[str] | bytes | bytearray | memoryview, raw: Raw) -> Image:
    """Read raw pixels.

    Parameters
    ----------
    source : str, PathLike, bytes, bytearray or memoryview
        Name of a file, or the content of a file.
    raw : {"jsrt"}
        Layout of the pixels. "jsrt" is the data set of the Japanese Society of Radiological
        Technology: 2048 rows of 2048 big-endian values of 16 bits; 12 bits are used, and 4095 is
        black.

    Returns
    -------
    ndarray of shape (2048, 2048), dtype uint16
        Values 0..4095; 0 is black.

    Raises
    ------
    TypeError
        If `raw` is not a str.
    ValueError
        If `raw` is not a known layout, or the content has another length or values above 4095.
    OSError
        If the file cannot be read.
    """
    if not isinstance(raw, str):
        raise TypeError(f"`raw` must be a str; got {raw!r}.")
    if raw not in get_args(Raw):
        raise ValueError(f"`raw` must be one of {', '.join(get_args(Raw))}; got {raw!r}.")
    name = ""
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    else:
        name = f" File: {os.fspath(source)!r}."
        with open(source, "rb") as file:
            data = file.read(2 * _SIDE * _SIDE + 1)
    if len(data) != 2 * _SIDE * _SIDE:
        more = "more than " if len(data) > 2 * _SIDE * _SIDE else ""
        length = min(len(data), 2 * _SIDE * _SIDE)
        raise ValueError(
            f"a raw image of JSRT must have {2 * _SIDE * _SIDE} bytes; got {more}{length}.{name}"
        )
    stored = np.frombuffer(data, ">u2").reshape(_SIDE, _SIDE)
    if int(stored.max()) > _WHITE:
        raise ValueError(
            f"a raw image of JSRT must have values of 0..{_WHITE}; got {int(stored.max())}.{name}"
        )
    return (_WHITE - stored.astype(np.uint16)).astype(np.uint16)
