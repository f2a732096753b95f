"""Conversion of PIL images to arrays and back."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np

_LEVELS = ("L", "RGB", "I;16", "I;16L", "I;16B", "I;16N")
# For modes that are refused, the mode to convert to with PIL; transparency is dropped.
_CURES = {
    **dict.fromkeys(("1", "LA"), "L"),
    **dict.fromkeys(("RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV"), "RGB"),
    "La": "LA",
    "RGBa": "RGBA",
}


def is_image(value: Any) -> bool:
    """Return whether `value` is a PIL image; the function does not import PIL."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def to_array(image: Any) -> Any:
    """Return the pixels of a PIL image as uint8 or uint16, or as float32 for mode F.

    Raises
    ------
    TypeError
        If the image's mode is none of L, RGB, I;16 and its variants, I and F.
    ValueError
        If a pixel of mode I, which holds 32 bits, is outside 0..65535.
    """
    if image.mode == "I":
        array = np.asarray(image)
        least, most = (int(array.min()), int(array.max())) if array.size else (0, 0)
        if least < 0 or most > 65535:
            raise ValueError(
                f"`image` must lie in 0..65535 where its mode is I; got {least}..{most}. Use "
                'image.convert("F") and pass the values of black and white as '
                "value_range=(black, white)."
            )
        return array.astype(np.uint16)
    if image.mode not in (*_LEVELS, "F"):
        mode = _CURES.get(image.mode)
        cure = f' Use image.convert("{mode}").' if mode else ""
        raise TypeError(
            f"`image` must have mode L, RGB, I;16, I or F as a PIL image; got {image.mode}.{cure}"
        )
    return np.asarray(image)


def from_array(array: Any, mode: str) -> Any:
    """Return the array of a result as a PIL image; `mode` is the mode of the input image.

    Raises
    ------
    ValueError
        If the result has three channels and is not uint8, because PIL has no mode for that.
    """
    if array.ndim == 3 and array.dtype != np.uint8:
        raise ValueError(
            f"`params.output` must be 'gray' for PIL images of mode {mode}; got 'rgb', which PIL "
            "holds in 8 bits only. Pass np.asarray(image)."
        )
    module = importlib.import_module("PIL.Image")
    return module.fromarray(array.astype(np.int32) if mode == "I" else array)
