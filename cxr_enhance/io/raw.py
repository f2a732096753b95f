"""Raw pixels without a header; only the data set determines their layout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from cxr_enhance.io._headers import Size
from cxr_enhance.io.options import check_source
from cxr_enhance.io.samples import member_of

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.io.options import ReadOptions

Raw = Literal["jsrt"]

_SIDE, _WHITE = 2048, 4095


def read_raw(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview,
    raw: Raw,
    options: ReadOptions,
) -> Image:
    """Read raw pixels.

    Parameters
    ----------
    source : str, PathLike, bytes, bytearray or memoryview
        Name of a file, or the content of a file.
    raw : {"jsrt"}
        Layout of the pixels. "jsrt" is the data set of the Japanese Society of Radiological
        Technology: 2048 rows of 2048 big-endian values of 16 bits; 12 bits are used, and 4095 is
        black.
    options : ReadOptions
        The other options of `read_image`. Raw pixels have no window and no frames.

    Returns
    -------
    ndarray of shape (2048, 2048), dtype uint16
        Values 0..4095; 0 is black.

    Raises
    ------
    TypeError
        If `raw` is not a str, or `source` is neither a name nor bytes.
    ValueError
        If `raw` is not a known layout, an option cannot apply to raw pixels, `source` is FILE::KEY,
        or the content has too many pixels, another length or values above 4095.
    OSError
        If the file cannot be read.
    """
    if not isinstance(raw, str):
        raise TypeError(f"`raw` must be a str; got {raw!r}.")
    if raw not in get_args(Raw):
        raise ValueError(f"`raw` must be one of {', '.join(get_args(Raw))}; got {raw!r}.")
    _check_options(options)
    name = ""
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    else:
        check_source(source)
        if member_of(source) is not None:
            raise ValueError(
                f"`raw` is only allowed for a file of its own; got {os.fspath(source)!r}. Leave "
                "`raw` out."
            )
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


def _check_options(options: ReadOptions) -> None:
    if options.frame:
        raise ValueError(f"`frame` must be 0 with `raw`; got {options.frame}.")
    if options.window is not None:
        raise ValueError(f"`window` is only allowed without `raw`; got {options.window!r}.")
    if options.voi != "auto":
        raise ValueError(f"`voi` must be 'auto' with `raw`; got {options.voi!r}.")
    options.check_size("raw image", Size(_SIDE, _SIDE))
