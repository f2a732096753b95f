"""The public operation `rgb_to_gray`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._engine.planning import gray_weights
from cxr_enhance._kernels.entries import gray_image
from cxr_enhance._params import EnhanceParams
from cxr_enhance._validation import as_kernel_input, check_choice, check_image, check_out

if TYPE_CHECKING:
    from cxr_enhance._types import ChannelOrder, Image

_DEFAULT = EnhanceParams()


def rgb_to_gray(
    image: Image,
    *,
    channel_order: ChannelOrder = _DEFAULT.channel_order,
    out: Image | None = None,
) -> Image:
    """Convert colour to gray, byte for byte as OpenCV's ``COLOR_RGB2GRAY``.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), dtype uint8 or uint16
        Colour image. Any strides and byte order; not modified.
    channel_order : {"rgb", "bgr"}, default "rgb"
        Order of the channels of `image`. OpenCV's ``cv2.imread`` returns "bgr".
    out : ndarray of shape (H, W) and the dtype of `image`, optional
        Where to write the result; C-contiguous, must not overlap `image`.

    Returns
    -------
    ndarray of shape (H, W), same dtype
        `out` if given, else a new array; C-contiguous, native byte order.

    Raises
    ------
    TypeError
        If an argument has the wrong type or dtype.
    ValueError
        If a shape or a value is out of range.

    Notes
    -----
    The formula is ``(9798 R + 19235 G + 3735 B + 16384) >> 15``: Rec. 601 luma in fixed point. The
    weights sum to 2**15, so that three equal channels give the same value. Runs on one thread and
    releases the GIL.

    References
    ----------
    .. [1] ITU-R BT.601-7, section 2.5.1.
    .. [2] OpenCV, modules/imgproc/src/color_rgb.simd.hpp.

    Examples
    --------
    >>> import numpy as np, cxr_enhance
    >>> cxr_enhance.rgb_to_gray(np.array([[[255, 0, 0], [0, 255, 0], [9, 9, 9]]], np.uint8))
    array([[ 76, 150,   9]], dtype=uint8)
    """
    check_choice("channel_order", channel_order, ("rgb", "bgr"))
    src = as_kernel_input(check_image(image, "colour"))
    result = np.empty(src.shape[:2], src.dtype)
    if out is not None:
        result = check_out(out, src.shape[:2], src.dtype, image)
    first_weight, _ = gray_weights(channel_order)
    gray_image(src, result, first_weight)
    return result
