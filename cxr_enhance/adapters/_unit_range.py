"""Float images of range 0..1 through sixteen bits and back, for frameworks that hold them so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

# The levels are a 65,535th apart: rounding to them moves a value by at most half of that, 7.7e-6.
_LEVELS = 65535


def through_16_bits(
    function: Callable[[Any], Any], image: np.ndarray[Any, np.dtype[Any]]
) -> np.ndarray[Any, np.dtype[Any]]:
    """Apply `function`, which takes uint8 and uint16, to an image that may be float 0..1.

    Parameters
    ----------
    function : callable
        From a uint8 or uint16 image to one of the same dtype.
    image : ndarray, dtype uint8, uint16, float32 or float64
        Floats must lie in 0..1; they are rounded to the nearest of 65,536 levels.

    Returns
    -------
    ndarray of the dtype of `image`, in this machine's byte order
        Floats are levels / 65535.

    Raises
    ------
    TypeError
        If `image` is of another float type: half precision cannot hold the levels.
    ValueError
        If a float lies outside of 0..1 or is not a number.
    """
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    if image.dtype.kind != "f":
        return function(image)  # type: ignore[no-any-return]
    if image.dtype not in (np.float32, np.float64):
        raise TypeError(
            "`image` must have dtype uint8, uint16, float32 or float64; got "
            f"{image.dtype.name}. Use image.astype(np.float32)."
        )
    low, high = (float(image.min()), float(image.max())) if image.size else (0.0, 0.0)
    if not (low >= 0 and high <= 1):  # False for NaN too
        raise ValueError(
            f"`image` must lie in 0..1 where it is float; got {low:.9g}..{high:.9g}. Scale it "
            "first."
        )
    levels = np.rint(image.astype(np.float64) * _LEVELS).astype(np.uint16)
    return (function(levels) / np.float64(_LEVELS)).astype(image.dtype)  # type: ignore[no-any-return]
