"""The checked options of `read_image`."""

from __future__ import annotations

import math
import operator
import os
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, get_args

from cxr_enhance.io.dicom.windowing import Voi

if TYPE_CHECKING:
    from cxr_enhance.io._headers import Size

MAX_PIXELS = 1 << 28
"""Most pixels that an image may have unless the caller says otherwise: 16,384 x 16,384."""


def check_name(path: str | os.PathLike[str], argument: str) -> None:
    """Refuse a name with NUL, which no file can have; the message names `argument`."""
    name = os.fspath(path)
    if "\0" in name:
        raise ValueError(f"`{argument}` must be a file's name without NUL; got {name!r}.")


def check_source(source: object) -> None:
    """Refuse a source that is not a file's name; bytes are accepted before this check."""
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"`source` must be a file's name or its bytes; got {type(source).__name__}."
            f"{' Pass its .read().' if hasattr(source, 'read') else ''}"
        )
    check_name(source, "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """The options of `read_image`, which documents them."""

    voi: Voi = "auto"
    window: tuple[float, float] | None = None
    frame: int = 0
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.voi not in get_args(Voi):
            raise ValueError(
                f"`voi` must be one of {', '.join(map(repr, get_args(Voi)))}; got {self.voi!r}."
            )
        if self.window is not None:
            object.__setattr__(self, "window", _window_of(self.window))
            if self.voi not in ("auto", "window"):
                raise ValueError(
                    f"`window` is only allowed with `voi` 'auto' or 'window'; got {self.voi!r}."
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
        pixels = size.width * size.height
        if pixels > self.max_pixels:
            smaller = min(4096, math.isqrt(self.max_pixels))
            raise ValueError(
                f"`source` must hold at most {self.max_pixels} pixels; got a {kind} of "
                f"{size.width} x {size.height}. Raise `max_pixels` if you trust the file, or make "
                "it smaller with: cxr-enhance run FILE --out SMALLER.png --no-white-balance "
                f"--no-clahe --long-side {smaller} --max-pixels {pixels}."
            )


def _window_of(window: object) -> tuple[float, float]:
    """Return center and width as floats; raise unless the width is greater than 0."""
    numbers = list(window) if isinstance(window, tuple | list) else []
    if len(numbers) != 2 or any(isinstance(n, bool) or not isinstance(n, Real) for n in numbers):
        raise TypeError(f"`window` must be two numbers (center, width) or None; got {window!r}.")
    center, width = map(float, numbers)
    if not (math.isfinite(center) and math.isfinite(width) and width > 0):
        raise ValueError(
            f"`window` must be finite, with a width greater than 0; got {(center, width)!r}."
        )
    return center, width
