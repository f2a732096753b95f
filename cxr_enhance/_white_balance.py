"""The public operation `white_balance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._engine.planning import plan_of
from cxr_enhance._engine.stacks import run_stack
from cxr_enhance._kernels.entries import white_balance_colour
from cxr_enhance._params import EnhanceParams
from cxr_enhance._validation import as_kernel_input, check_image, check_out, check_values_fit

if TYPE_CHECKING:
    from cxr_enhance._types import Image, Percentiles

_DEFAULT = EnhanceParams()


def white_balance(
    image: Image,
    *,
    percentiles: Percentiles = _DEFAULT.percentiles,  # type: ignore[assignment]
    bits: int | None = None,
    out: Image | None = None,
) -> Image:
    """Stretch each channel linearly between two of its percentiles.

    Others call this contrast stretching or auto-levels. Pixels at or below the low percentile
    become 0. Pixels at or above the high percentile become white, 255 (65535 for uint16). Values
    between the two are scaled in float64 and truncated, as in the COVIDLite study.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8 or uint16
        Gray or colour image. Any strides and byte order; not modified.
    percentiles : (float, float), default (0.05, 99.95)
        Low and high percentile in percent, ``0 <= low < high <= 100``; interpolated linearly
        between order statistics, NumPy's default method.
    bits : int or None, default None
        Bit depth of the values and results, which fill 0 to ``2**bits - 1``; the largest is white.
        For instance 12 for 12-bit values in the low bits of uint16. None uses all bits of the
        dtype.
    out : ndarray of the shape and dtype of `image`, optional
        Where to write the result; C-contiguous, must not overlap `image`.

    Returns
    -------
    ndarray of the shape of `image`, same dtype
        `out` if given, else a new array; C-contiguous, native byte order.

    Raises
    ------
    TypeError
        If an argument has the wrong type or dtype.
    ValueError
        If a shape or a value is out of range, or a pixel has more than `bits` bits.

    See Also
    --------
    enhance : White balance, gray and CLAHE in one call.

    Notes
    -----
    The result equals ``np.clip((c - low) * 255.0 / (high - low), 0, 255)`` cast to the dtype, for
    every channel ``c`` with ``low, high = np.percentile(c, percentiles)``. If the two percentiles
    are equal, that formula divides by zero; such a channel is returned unchanged.

    Runs on one thread and releases the GIL. Scratch memory for the histograms and tables: at most
    16 KiB for uint8 and 4 MiB for uint16.

    References
    ----------
    .. [1] M. Siddhartha, A. Santra, "COVIDLite: A depth-wise separable deep neural network with
           white balance and CLAHE for detection of COVID-19", arXiv:2006.13873, 2020.

    Examples
    --------
    >>> import numpy as np, cxr_enhance
    >>> image = np.array([[10, 20], [30, 40]], np.uint8)
    >>> cxr_enhance.white_balance(image, percentiles=(0, 100))
    array([[  0,  85],
           [170, 255]], dtype=uint8)
    """
    if percentiles is None:  # "no white balance" in EnhanceParams, not here
        raise TypeError("`percentiles` must be two numbers (low, high); got None.")
    params = EnhanceParams(percentiles=percentiles, clip_limit=None, bits=bits)
    src = as_kernel_input(check_image(image))
    result = np.empty(src.shape, src.dtype)
    if out is not None:
        result = check_out(out, src.shape, src.dtype, image)
    plan = plan_of(src.shape, src.dtype, params)
    check_values_fit(src, params.bits)
    height, width = src.shape[:2]
    if src.size == height * width:
        run_stack(src.reshape(1, height, width), result.reshape(1, height, width), plan)
    else:
        white_balance_colour(src, result, *plan)
    return result
