"""What float images hold: the values of black and white, and the levels between them.

Every adapter takes its default from here, checks with these sentences, and turns floats into
levels, and levels into floats, as is done here. Imports no framework.
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

# (black, white) of floats in each framework. TensorFlow has none: tf_data refuses floats without.
DEFAULTS: Final[dict[str, ValueRange]] = {
    "albumentations": (0.0, 1.0),
    "keras": (0.0, 255.0),
    "monai": (0.0, 1.0),
    "torch": (0.0, 1.0),
}
_FRACTION_BITS = {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}
# Ranges that images come in, the narrow ones first.
_USUAL: tuple[ValueRange, ...] = ((0, 1), (-1, 1), (0, 255), (0, 65535))
_ROUNDING = 0.5 / 255  # beyond 0..1: half a level of 8 bits
_OVERSHOOT = 0.25  # of the range: what resizing and noise may add at each end


@dataclass(frozen=True)
class Cures:
    """How a framework writes what the sentences advise; `{0}` is the image, `{1}` black."""

    clip: str = "{0}.clip({1}, {2})"
    fill: str = "np.nan_to_num({0}, nan={1})"
    widen: str = "{0}.astype(np.{1})"


NUMPY = Cures()
TORCH = Cures(fill="{0}.nan_to_num({1})", widen="{0}.to(torch.{1})")
KERAS = Cures(
    clip="keras.ops.clip({0}, {1}, {2})",
    fill="keras.ops.nan_to_num({0}, nan={1})",
    widen='keras.ops.cast({0}, "{1}")',
)
TENSORFLOW = Cures(
    clip="tf.clip_by_value({0}, {1}, {2})",
    fill="tf.where(tf.math.is_nan({0}), tf.cast({1}, {0}.dtype), {0})",
    widen="tf.cast({0}, tf.{1})",
)


@overload
def check_value_range(value: Any, default: ValueRange) -> ValueRange: ...


@overload
def check_value_range(value: Any, default: None) -> ValueRange | None: ...


def check_value_range(value: Any, default: ValueRange | None) -> ValueRange | None:
    """Return `value` as two floats (black, white), or `default` for None; raise for the rest."""
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
    if not _holding((low, high), 16):
        raise ValueError(f"`value_range` must be wide enough for 65536 levels; got {value!r}.")
    return low, high


def bits_of(value_range: ValueRange, bits: int | None = None) -> int:
    """Return the bits of a level: `bits` where they are given, else 8 for 0..255, else 16."""
    return bits or (8 if value_range == (0.0, 255.0) else 16)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Tell whether `dtype` is of floats, ml_dtypes' bfloat16 among them."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def through_levels(
    function: Callable[[Any], Any],
    image: Array,
    value_range: ValueRange,
    *,
    bits: int | None = None,
    name: str = "image",
    cures: Cures = NUMPY,
    clip: bool = False,
) -> Array:
    """Apply `function`, which takes uint8 and uint16, to an image that may be of floats.

    Parameters
    ----------
    function : callable
        From a uint8 or uint16 image to one of the same dtype.
    image : ndarray
        Floats are rounded half to even to the nearest level; other dtypes are for `function`.
    value_range : (float, float)
        Black and white of floats.
    bits : int, optional
        Of a level, 1 to 16; None takes those of the range.
    name, cures : str, Cures
        What the sentences call the image, and how they write what they advise.
    clip : bool, default False
        Whether values out of the range are clipped, and NaN is black, rather than refused.

    Returns
    -------
    ndarray of the dtype of `image`, in this machine's byte order

    Raises
    ------
    TypeError
        If the dtype cannot hold the levels: half precision mostly.
    ValueError
        If a float lies half a level or more outside of the range, or is not a number.
    """
    if not image.dtype.isnative:
        image = image.astype(image.dtype.newbyteorder("="))
    if not is_float(image.dtype):
        return function(image)  # type: ignore[no-any-return]
    bits = bits_of(value_range, bits)
    check_precision(image.dtype.name, value_range, bits, name, cures)
    values = image.astype(np.float64)
    if clip:
        values = np.where(np.isnan(values), value_range[0], values)
    elif image.size:
        check_values(float(values.min()), float(values.max()), value_range, bits, name, cures)
    low, high = value_range
    top = (1 << bits) - 1
    levels = np.clip(np.rint((values - low) * top / (high - low)), 0, top)
    result = function(levels.astype(np.uint8 if bits <= 8 else np.uint16))
    return values_of(result, value_range, bits).astype(image.dtype)


def values_of(levels: Array, value_range: ValueRange, bits: int) -> Array:
    """Return the floats that `levels` stand for, in float64."""
    low, high = value_range
    values: Array = levels * (high - low) / np.float64((1 << bits) - 1) + low
    return values


def check_precision(
    dtype: str, value_range: ValueRange, bits: int, name: str, cures: Cures
) -> None:
    """Raise where two levels would be one value of `dtype`."""
    holding = _holding(value_range, bits)
    if dtype not in holding:
        usual = [name for name in ("float32", "float64") if name in holding]
        dtypes = ["uint8", "uint16", *usual]
        raise TypeError(
            f"`{name}` must have dtype {', '.join(dtypes[:-1])} or {dtypes[-1]}; got {dtype}. Use "
            f"{cures.widen.format(name, usual[0])}."
        )


def check_values(
    least: float, most: float, value_range: ValueRange, bits: int, name: str, cures: Cures
) -> None:
    """Raise where values lie outside of the range by more than rounding, or in 0..1 of 0..255.

    `least` and `most` are the extremes of an image; NaN where one of its values is that.
    """
    low, high = value_range
    slack = (high - low) / ((1 << bits) - 1) / 2
    mistaken = low == 0 and high >= 255 and least >= -_ROUNDING and 0 < most <= 1 + _ROUNDING
    if low - slack <= least and most <= high + slack and not mistaken:  # False for NaN
        return
    black, white = _plain(low), _plain(high)
    raise ValueError(
        f"`{name}` must lie in {black}..{white}, its value range, where it is float; got "
        f"{least:.9g}..{most:.9g}. {_cure(least, most, value_range, name, cures)}"
    )


def check_levels(most: int, bits: int, name: str) -> None:
    """Raise where `most`, the highest value of an image of integers, takes more than `bits`."""
    if most >= 1 << bits:
        raise ValueError(
            f"`{name}` must hold values from 0 to {(1 << bits) - 1} for bits={bits}; got {most}. "
            f"Use bits={most.bit_length()}, or None for the whole range of its dtype."
        )


def _cure(least: float, most: float, value_range: ValueRange, name: str, cures: Cures) -> str:
    low, high = value_range
    black, white = _plain(low), _plain(high)
    if math.isnan(least) or math.isnan(most):
        return f"Make NaN black with {cures.fill.format(name, black)}."
    others = [
        usual
        for usual in _USUAL
        if usual[0] <= least + _ROUNDING and most - _ROUNDING <= usual[1]
        # In a far greater range the image would be black: it is not the one meant.
        if max(abs(least), abs(most)) > usual[1] / 32
    ]
    narrow = [usual for usual in others if usual[1] - usual[0] < high - low]
    beyond = max(low - least, most - high) / (high - low)
    if not narrow and beyond <= _OVERSHOOT:
        return (
            f"If resizing or noise took values beyond, use {cures.clip.format(name, black, white)};"
            " if black and white are other values, pass them as value_range=(black, white)."
        )
    for usual in narrow or others:
        return (
            f"Pass value_range=({_plain(usual[0])}, {_plain(usual[1])}), or what black and white "
            "are in your images."
        )
    return "Pass the values of black and white as value_range=(black, white)."


def _holding(value_range: ValueRange, bits: int) -> list[str]:
    """Name the float dtypes whose values are no further apart than the levels."""
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
