"""`prepare`: crop, enhance and resize an image, and describe where its pixels come from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_enhance._enhance import enhance
from cxr_enhance._validation import as_kernel_input, check_image
from cxr_enhance.io.opencv import load_cv2
from cxr_enhance.preparation.options import Preparation
from cxr_enhance.preparation.sizing import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance._types import Image
    from cxr_enhance.preparation.sizing import Plan
    from cxr_enhance.preparation.transform import Transform


class Prepared(NamedTuple):
    """A prepared image, and the transform from the positions of the original image."""

    image: Image
    transform: Transform


def prepare(
    image: Image,
    preparation: Preparation | None = None,
    *,
    pixel_spacing: tuple[float, float] | None = None,
) -> Prepared:
    """Crop, enhance and resize an image as archives, loaders and exported models do.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8 or uint16
        Gray or colour image, as `read_image` returns it: 0 is black. Not modified.
    preparation : Preparation, optional
        The options. None enhances with the defaults, which are those of the COVIDLite study, and
        keeps size and dtype.
    pixel_spacing : (float, float), optional
        Distance between rows and distance between columns, in millimetres. It is needed for
        ``preparation.spacing``. `image_info` returns the spacing of DICOM files.

    Returns
    -------
    Prepared
        The image and its `Transform`, which `map_points` takes. The image has the shape and dtype
        that `preparation` states, is C-contiguous and shares no memory with `image`.

    Raises
    ------
    TypeError
        If an argument has the wrong type or dtype.
    ValueError
        If a shape or a value is out of range, or ``preparation.spacing`` is given without
        `pixel_spacing`.
    ImportError
        If the image is resized and OpenCV is missing.

    See Also
    --------
    Preparation : The options and their defaults.
    map_points : Map boxes and landmarks to the result and back.

    Notes
    -----
    The border is cropped first. Then the image is enhanced, and then cropped, scaled and padded by
    ``preparation.fit``; ``preparation.order`` can exchange these two steps. The dtype is changed
    last. OpenCV resizes the image. Safe to call from many threads at once.

    Examples
    --------
    >>> import numpy as np, cxr_enhance as cxe
    >>> image = np.tile(np.arange(100, 164, dtype=np.uint8), (48, 1))
    >>> preparation = cxe.Preparation(size=(32, 32), fit="pad")
    >>> prepared = cxe.prepare(image, preparation)
    >>> prepared.image.shape, prepared.transform.pad
    ((32, 32), Pad(top=4, bottom=4, left=0, right=0))
    """
    source = as_kernel_input(check_image(image))  # OpenCV needs this layout and byte order too
    if preparation is None:
        preparation = Preparation()
    elif not isinstance(preparation, Preparation):
        raise TypeError(
            f"`preparation` must be a Preparation or None; got {type(preparation).__name__}."
        )
    plan = plan_of(source, preparation, _checked_spacing(pixel_spacing))
    params = preparation.params
    chain = None if params is None else lambda part: enhance(part, params)
    result = prepared_image(source, preparation, plan, chain)
    if preparation.dtype is not None:
        bits = None if params is None else params.bits
        result = scale_to_dtype(result, np.dtype(preparation.dtype), bits)
    if np.may_share_memory(result, image):
        result = result.copy()
    return Prepared(np.ascontiguousarray(result), plan.transform)


def prepared_image(
    image: Image,
    preparation: Preparation,
    plan: Plan,
    chain: Callable[[Image], Image] | None,
) -> Image:
    """Carry out `plan`; `chain` enhances an image, None does not. May return a view of `image`."""
    transform, border = plan.transform, plan.border
    if preparation.order == "resize-first":
        image = _placed(transform.crop.of(image), transform, preparation)
        return image if chain is None else chain(image)
    image = border.of(image)
    if chain is not None:
        image = chain(image)
    crop = transform.crop
    inside = crop._replace(top=crop.top - border.top, left=crop.left - border.left)
    return _placed(inside.of(image), transform, preparation)


def scale_to_dtype(image: Image, dtype: np.dtype[Any], bits: int | None) -> Image:
    """Scale values so that white becomes the largest value of `dtype`; rounded.

    White is ``2**bits - 1``, or the largest value of the image's dtype if `bits` is None.
    """
    white = (1 << (bits or 8 * image.itemsize)) - 1
    new_white = (1 << 8 * dtype.itemsize) - 1
    if white == new_white:
        return image.astype(dtype, copy=False)
    if new_white % white == 0:
        return image.astype(dtype) * dtype.type(new_white // white)  # type: ignore[no-any-return]
    levels = image.astype(np.uint32)  # 65,535 * 65,535 + 65,535 // 2 fits uint32
    return ((levels * new_white + white // 2) // white).astype(dtype)


def _placed(part: Image, transform: Transform, preparation: Preparation) -> Image:
    """Scale the cropped part and add black padding around it."""
    height, width = transform.scaled_size
    if part.shape[:2] != (height, width):
        part = _resized(part, height, width, preparation)
    if not any(transform.pad):
        return part
    result = np.zeros((*transform.output_size, *part.shape[2:]), part.dtype)
    top, left = transform.pad.top, transform.pad.left
    result[top : top + height, left : left + width] = part
    return result


def _resized(part: Image, height: int, width: int, preparation: Preparation) -> Image:
    """Resize with OpenCV; clip what cubic interpolation adds above white."""
    cv2 = load_cv2()
    how = getattr(cv2, f"INTER_{preparation.interpolation.upper()}")
    resized: Image = cv2.resize(part, (width, height), interpolation=how)
    bits = None if preparation.params is None else preparation.params.bits
    if preparation.interpolation == "cubic" and bits is not None and bits < 8 * part.itemsize:
        # An image that is brighter than white stays so, and `enhance` refuses it.
        np.minimum(resized, max((1 << bits) - 1, int(part.max())), out=resized)
    return resized.reshape(height, width, *part.shape[2:])  # OpenCV drops a single channel's axis


def _checked_spacing(pixel_spacing: object) -> tuple[float, float] | None:
    rule = "`pixel_spacing` must be two positive numbers of millimetres (down, across)"
    if pixel_spacing is None:
        return None
    if not isinstance(pixel_spacing, tuple | list) or not all(
        isinstance(mm, int | float) and not isinstance(mm, bool) for mm in pixel_spacing
    ):
        raise TypeError(f"{rule}; got {pixel_spacing!r}.")
    if len(pixel_spacing) != 2 or not all(math.isfinite(mm) and mm > 0 for mm in pixel_spacing):
        raise ValueError(f"{rule}; got {pixel_spacing!r}.")
    return float(pixel_spacing[0]), float(pixel_spacing[1])
