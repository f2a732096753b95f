"""The options of reading a file, checked."""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from cxr_enhance.io.dicom.windowing import Voi

if TYPE_CHECKING:
    from cxr_enhance.io._headers import Size

MAX_PIXELS = 1 << 28
"""Most pixels that an image may have unless the caller says otherwise: 16,384 x 16,384."""


def check_name(path: str | os.PathLike[str], argument: str) -> None:
    """Refuse a name with NUL, which no file can have; the system's error names no argument."""
    name = os.fspath(path)
    if "\0" in name:
        raise ValueError(f"`{argument}` must be a file's name without NUL; got {name!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """The options of `read_image`; see there."""

    voi: Voi = "auto"
    frame: int = 0
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.voi not in get_args(Voi):
            raise ValueError(
                f"`voi` must be one of {', '.join(map(repr, get_args(Voi)))}; got {self.voi!r}."
            )
        for name, least in (("frame", 0), ("max_pixels", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                raise TypeError(f"`{name}` must be an int; got {value!r}.")
            if operator.index(value) < least:
                raise ValueError(f"`{name}` must be at least {least}; got {value!r}.")
            object.__setattr__(self, name, operator.index(value))

    def check_size(self, kind: str, size: Size) -> None:
        """Refuse an image that declares more pixels than `max_pixels`, before it is decoded."""
        if size.width * size.height > self.max_pixels:
            raise ValueError(
                f"`source` must hold at most {self.max_pixels} pixels; got a {kind} of "
                f"{size.width} x {size.height}. Raise `max_pixels` if you trust the file."
            )
