"""The public operation `enhance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._engine.planning import plan_of
from cxr_enhance._engine.stacks import run_stack
from cxr_enhance._kernels.entries import repeat_gray
from cxr_enhance._params import EnhanceParams
from cxr_enhance._validation import (
    as_kernel_input,
    check_image,
    check_out,
    check_params,
    check_values_fit,
)

if TYPE_CHECKING:
    from cxr_enhance._types import Image

_DEFAULT = EnhanceParams()


def enhance(
    image: Image, params: EnhanceParams | None = None, *, out: Image | None = None
) -> Image:
    """White-balance a radiograph, convert it to gray and equalize its contrast.

    This is the preprocessing of the COVIDLite study in one call: `white_balance`, then
    `rgb_to_gray` for an image of three channels, then `clahe`. The result equals, byte for byte,
    that of the three functions called one after the other with the same options.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8 or uint16
        Gray or colour image. Any strides and byte order; not modified.
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    out : ndarray of the result's shape and dtype, optional
        Where to write the result; C-contiguous, must not overlap `image`.

    Returns
    -------
    ndarray of the dtype of `image`
        Shape (H, W), or (H, W, 1) if `image` has that shape, or (H, W, 3) with equal channels if
        ``params.output`` is "rgb". `out` if given, else a new array; C-contiguous, native byte
        order.

    Raises
    ------
    TypeError
        If an argument has the wrong type or dtype.
    ValueError
        If a shape or a value is out of range, or a pixel has more than ``params.bits`` bits.

    See Also
    --------
    enhance_batch : Many images on all CPUs.
    EnhanceParams : The options and their defaults.

    Notes
    -----
    For uint16 images, the defaults count 256 gray levels (``params.num_bins``), so that CLAHE has
    the same effect as on uint8 images. ``num_bins=None`` gives OpenCV's bytes.

    The white balance is composed into CLAHE's tables. Gray images, and colour images whose channels
    are equal, therefore need two passes over the pixels. Colour images whose channels differ need
    one pass more. White balance also needs one pass more where levels are interpolated.

    Runs on one thread and releases the GIL; safe to call from many threads at once. Scratch memory:
    that of `clahe` with these options. White balance needs in addition the histograms of all tiles
    (at most 4 MiB) for uint8, and 1 MiB for uint16.

    References
    ----------
    .. [1] M. Siddhartha, A. Santra, "COVIDLite: A depth-wise separable deep neural network with
           white balance and CLAHE for detection of COVID-19", arXiv:2006.13873, 2020.

    Examples
    --------
    >>> import numpy as np, cxr_enhance
    >>> image = np.tile(np.arange(100, 164, dtype=np.uint8), (48, 1))
    >>> params = cxr_enhance.EnhanceParams(tile_grid_size=(4, 4), output="rgb")
    >>> cxr_enhance.enhance(image, params).shape
    (48, 64, 3)
    """
    params = check_params(params, _DEFAULT)
    src = as_kernel_input(check_image(image))
    shape = result_shape(src.shape, params)
    plan = plan_of(src.shape, src.dtype, params)
    check_values_fit(src, params.bits)
    if out is None:
        result: Image = np.empty(shape, src.dtype)
    else:
        result = check_out(out, shape, src.dtype, image)
    height, width = src.shape[:2]
    channels = src.size // (height * width)
    stack = src.reshape((1, height, width, 3) if channels == 3 else (1, height, width))
    if params.output == "rgb":
        gray = np.empty((1, height, width), src.dtype)
        run_stack(stack, gray, plan, params.channel_order)
        repeat_gray(gray[0], result)
    else:
        run_stack(stack, result.reshape(1, height, width), plan, params.channel_order)
    return result


def result_shape(shape: tuple[int, ...], params: EnhanceParams) -> tuple[int, ...]:
    """Return the shape of the result for an image of `shape`."""
    if params.output == "rgb":
        return (*shape[:2], 3)
    return shape[:2] if shape[-1] == 3 and len(shape) == 3 else shape
