"""Conversion between float images and levels, given the values of black and white.

All adapters use the defaults, the checks with their messages, and the conversions of this module.
A level is an integer from 0 to ``2**bits - 1``. The module imports no framework.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]

ValueRange = tuple[float, float]

# Default (black, white) of float images in each framework. TensorFlow has no default: `tf_data`
# refuses float images without a value range.
DEFAULTS: Final[dict[str, ValueRange]] = {
    "albumentations": (0.0, 1.0),
    "keras": (0.0, 255.0),
    "monai": (0.0, 1.0),
    "torch": (0.0, 1.0),
}
_FRACTION_BITS = {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}
# Usual value ranges of images, sorted from narrow to wide.
_USUAL: tuple[ValueRange, ...] = ((0, 1), (-1, 1), (0, 255), (0, 65535))
_ROUNDING = 0.5 / 255  # tolerance outside 0..1: half a level of 8 bits
_OVERSHOOT = 0.25  # fraction of the range that resizing and noise may exceed it by at each end


@dataclass(frozen=True)
class Suggestions:
    """Code that error messages recommend, in the syntax of one framework.

    `{0}` stands for the image. In `clip`, `{1}` and `{2}` stand for black and white; in `fill`,
    `{1}` stands for black; in `widen`, `{1}` stands for the dtype.
    """

    clip: str = "{0}.clip({1}, {2})"
    fill: str = "np.nan_to_num({0}, nan={1})"
    widen: str = "{0}.astype(np.{1})"


NUMPY = Suggestions()
TORCH = Suggestions(fill="{0}.nan_to_num({1})", widen="{0}.to(torch.{1})")
KERAS = Suggestions(
    clip="keras.ops.clip({0}, {1}, {2})",
    fill="keras.ops.nan_to_num({0}, nan={1})",
    widen='keras.ops.cast({0}, "{1}")',
)
TENSORFLOW = Suggestions(
    clip="tf.clip_by_value({0}, {1}, {2})",
    fill="tf.where(tf.math.is_nan({0}), tf.cast({1}, {0}.dtype), {0})",
    widen="tf.cast({0}, tf.{1})",
)


@overload
def check_value_range(value: Any, default: ValueRange) -> ValueRange: ...


@overload
def check_value_range(value: Any, default: None) -> ValueRange | None: ...


def check_value_range(value: Any, default: ValueRange | None) -> ValueRange | None:
    """Return `value` as two floats (black, white), or `default` if `value` is None.

    Raises TypeError or ValueError for any other value.
    """
    if value is None:
        return default
    rule = "`value_range` must be two finite numbers (black, white), black < white"
    if not isinstance(value, tuple | list) or not all(_is_number(number) for number in value):
        raise TypeError(f"{rule}; got {value!r}.")
    if len(value) != 2:
        raise ValueError(f"{rule}; got {value!r}.")
    low, high = float(value[0]) + 0.0, float(value[1]) + 0.0  # -0.0 becomes 0.0
    if not (-math.inf < low < high < math.inf):  # False for NaN too
        raise ValueError(f"{rule}; got {value!r}.")
    if not _sufficient_dtypes((low, high), 16):
        raise ValueError(f"`value_range` must be wide enough for 65536 levels; got {value!r}.")
    return low, high


def bits_of(value_range: ValueRange, bits: int | None = None) -> int:
    """Return the bits of a level: `bits` if given, else 8 for the range 0..255, else 16."""
    return bits or (8 if value_range == (0.0, 255.0) else 16)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Return whether `dtype` is a float dtype; bfloat16 of ml_dtypes is one."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def through_levels(
    function: Callable[[Any], Any],
    image: Array,
    value_range: ValueRange,
    *,
    bits: int | None = None,
    name: str = "image",
    suggestions: Suggestions = NUMPY,
    clip: bool = False,
) -> Array:
    """Apply `function`, which takes uint8 and uint16, to an image that may be float.

    Parameters
    ----------
    function : callable
        Function that takes a uint8 or uint16 image and returns an image of the same dtype.
    image : ndarray
        The image. Floats are rounded half to even to the nearest level. An image of another dtype
        is passed to `function` unchanged.
    value_range : (float, float)
        Black and white of float images.
    bits : int, optional
        Bits of a level, 1 to 16; None uses 8 for the range (0, 255) and 16 for other ranges.
    name : str, default "image"
        Name of the argument in error messages.
    suggestions : Suggestions, default NUMPY
        Code that error messages recommend.
    clip : bool, default False
        True clips values outside the range and makes NaN black. False refuses both.

    Returns
    -------
    ndarray of the dtype of `image`, in native byte order

    Raises
    ------
    TypeError
        If the float dtype is too coarse for the levels; this is mostly half precision.
    ValueError
        If a float lies more than half a level outside the range, or is NaN.
    """
    if not image.dtype.isnative:
        image = image.astype(image.dtype.newbyteorder("="))
    if not is_float(image.dtype):
        return function(image)  # type: ignore[no-any-return]
    bits = bits_of(value_range, bits)
    check_precision(image.dtype.name, value_range, bits, name, suggestions)
    values = image.astype(np.float64)
    if clip:
        values = np.where(np.isnan(values), value_range[0], values)
    elif image.size:
        check_values(float(values.min()), float(values.max()), value_range, bits, name, suggestions)
    low, high = value_range
    top = (1 << bits) - 1
    levels = np.clip(np.rint((values - low) * top / (high - low)), 0, top)
    result = function(levels.astype(np.uint8 if bits <= 8 else np.uint16))
    return values_of(result, value_range, bits).astype(image.dtype)


def values_of(levels: Array, value_range: ValueRange, bits: int) -> Array:
    """Return the values of `levels` in `value_range`, as float64."""
    low, high = value_range
    values: Array = levels * (high - low) / np.float64((1 << bits) - 1) + low
    return values


def check_precision(
    dtype: str, value_range: ValueRange, bits: int, name: str, suggestions: Suggestions
) -> None:
    """Raise if values of `dtype` are too coarse to tell two neighbouring levels apart."""
    sufficient = _sufficient_dtypes(value_range, bits)
    if dtype not in sufficient:
        usual = [name for name in ("float32", "float64") if name in sufficient]
        dtypes = ["uint8", "uint16", *usual]
        raise TypeError(
            f"`{name}` must have dtype {', '.join(dtypes[:-1])} or {dtypes[-1]}; got {dtype}. Use "
            f"{suggestions.widen.format(name, usual[0])}."
        )


def check_values(
    least: float,
    most: float,
    value_range: ValueRange,
    bits: int,
    name: str,
    suggestions: Suggestions,
) -> None:
    """Raise if values lie outside the range, or if the range seems to be the wrong one.

    Half a level outside the range is tolerated. The range seems wrong if black is 0, white is 255
    or more and all values lie in 0..1. `least` and `most` are the extremes of an image; both are
    NaN if a value is NaN.
    """
    low, high = value_range
    slack = (high - low) / ((1 << bits) - 1) / 2
    mistaken = low == 0 and high >= 255 and least >= -_ROUNDING and 0 < most <= 1 + _ROUNDING
    if low - slack <= least and most <= high + slack and not mistaken:  # False for NaN
        return
    black, white = _plain(low), _plain(high)
    raise ValueError(
        f"`{name}` must lie in {black}..{white}, its value range, where it is float; got "
        f"{least:.9g}..{most:.9g}. {_suggestion(least, most, value_range, name, suggestions)}"
    )


def check_levels(most: int, bits: int, name: str) -> None:
    """Raise if `most`, the highest value of an integer image, has more than `bits` bits."""
    if most >= 1 << bits:
        raise ValueError(
            f"`{name}` must hold values from 0 to {(1 << bits) - 1} for bits={bits}; got {most}. "
            f"Use bits={most.bit_length()}, or None for the whole range of its dtype."
        )


def _suggestion(
    least: float, most: float, value_range: ValueRange, name: str, suggestions: Suggestions
) -> str:
    low, high = value_range
    black, white = _plain(low), _plain(high)
    if math.isnan(least) or math.isnan(most):
        return f"Make NaN black with {suggestions.fill.format(name, black)}."
    others = [
        usual
        for usual in _USUAL
        if usual[0] <= least + _ROUNDING and most - _ROUNDING <= usual[1]
        # A range in which the image would be almost black is not recommended.
        if max(abs(least), abs(most)) > usual[1] / 32
    ]
    narrow = [usual for usual in others if usual[1] - usual[0] < high - low]
    beyond = max(low - least, most - high) / (high - low)
    if not narrow and beyond <= _OVERSHOOT:
        clip = suggestions.clip.format(name, black, white)
        return (
            f"If resizing or noise took values beyond, use {clip};"
            " if black and white are other values, pass them as value_range=(black, white)."
        )
    for usual in narrow or others:
        return (
            f"Pass value_range=({_plain(usual[0])}, {_plain(usual[1])}), or what black and white "
            "are in your images."
        )
    return "Pass the values of black and white as value_range=(black, white)."


def _sufficient_dtypes(value_range: ValueRange, bits: int) -> list[str]:
    """Return the names of the float dtypes whose values are no further apart than the levels."""
    low, high = value_range
    step = (high - low) / ((1 << bits) - 1)
    exponent = math.ceil(math.log2(max(abs(low), abs(high)))) - 1
    return [
        name for name, fraction in _FRACTION_BITS.items() if 2.0 ** (exponent - fraction) <= step
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
