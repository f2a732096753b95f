"""The public operation `enhance_batch`: threads over images, above the kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np

from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance._engine.planning import plan_of
from cxr_enhance._engine.stacks import run_stack
from cxr_enhance._engine.threads import share
from cxr_enhance._enhance import enhance, result_shape
from cxr_enhance._kernels.entries import repeat_gray
from cxr_enhance._params import EnhanceParams
from cxr_enhance._validation import (
    as_kernel_input,
    check_image,
    check_no_overlap,
    check_num_threads,
    check_out,
    check_out_list,
    check_params,
    check_sequence,
    check_stack,
    check_values_fit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance._types import Image

_DEFAULT = EnhanceParams()

# Smallest and largest number of pixels that a thread takes at a time. The smallest is about half a
# millisecond of work, so that the cost of taking a task is negligible. The largest is about a
# twentieth of a second, because an interrupt waits until the task ends.
_PIXELS_AT_A_TIME = (1 << 19, 1 << 25)


@overload
def enhance_batch(
    images: Image,
    params: EnhanceParams | None = None,
    *,
    num_threads: int | None = None,
    out: Image | None = None,
) -> Image: ...
@overload
def enhance_batch(
    images: Sequence[Image],
    params: EnhanceParams | None = None,
    *,
    num_threads: int | None = None,
    out: Sequence[Image] | None = None,
) -> list[Image]: ...
def enhance_batch(
    images: Image | Sequence[Image],
    params: EnhanceParams | None = None,
    *,
    num_threads: int | None = None,
    out: Image | Sequence[Image] | None = None,
) -> Image | list[Image]:
    """Enhance many images on several threads.

    Each result equals that of `enhance` for the same image.

    Parameters
    ----------
    images : ndarray of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), or sequence of images
        A stack of images of one size, or a list or tuple of images that `enhance` accepts. The
        images of a list or tuple may differ in size, channels and dtype. uint8 or uint16, any
        strides and byte order; not modified. N may be 0. An array of shape (N, H, 3) could be one
        colour image and is refused; pass gray images that are 3 pixels wide as a list.
    params : EnhanceParams, optional
        Options for all images; None uses the defaults, which are those of the COVIDLite study.
    num_threads : int, optional
        Number of threads, at least 1; None uses every CPU this process may use.
    out : ndarray or sequence of ndarrays, optional
        Where to write the results: one array for a stack, one array for each image of a sequence;
        C-contiguous, must not overlap `images`.

    Returns
    -------
    ndarray, or list of ndarrays
        For a stack, an array of shape (N, H, W), or (N, H, W, 1) if `images` has that shape, or
        (N, H, W, 3) if ``params.output`` is "rgb". For a sequence, a list in the same order.

    Raises
    ------
    TypeError
        If an argument has the wrong type or dtype; ``images[i]`` in the message names the image.
    ValueError
        If a shape or a value is out of range, or a pixel has more than ``params.bits`` bits. All
        images are checked before work begins.

    See Also
    --------
    enhance : One image; its Notes apply.

    Notes
    -----
    The result does not depend on `num_threads`. The threads end with the call. Each thread needs
    the scratch memory of `enhance`.

    Examples
    --------
    >>> import numpy as np, cxr_enhance
    >>> images = np.zeros((5, 32, 48), np.uint8)
    >>> cxr_enhance.enhance_batch(images).shape
    (5, 32, 48)
    >>> [a.shape for a in cxr_enhance.enhance_batch([images[0], images[1, :20]])]
    [(32, 48), (20, 48)]
    """
    params = check_params(params, _DEFAULT)
    threads = usable_cpus() if num_threads is None else check_num_threads(num_threads)
    if isinstance(images, np.ndarray):
        return _enhance_stack(images, params, threads, out)
    return _enhance_sequence(check_sequence(images), params, threads, out)


def _enhance_stack(images: Image, params: EnhanceParams, threads: int, out: object) -> Image:
    check_stack(images)
    count, height, width = images.shape[:3]
    dtype = images.dtype.newbyteorder("=")
    shape = (count, *result_shape(images.shape[1:], params))
    if out is None:
        result: Image = np.empty(shape, dtype)
    else:
        result = check_out(out, shape, dtype, images)
    plan = plan_of((height, width), dtype, params)
    check_values_fit(images, params.bits, "images")
    stack = images[..., 0] if images.shape[3:] == (1,) else images
    gray = None if params.output == "rgb" else result.reshape(count, height, width)

    def work(start: int, stop: int) -> None:
        part = as_kernel_input(stack[start:stop])
        target = np.empty(part.shape[:3], dtype) if gray is None else gray[start:stop]
        run_stack(part, target, plan, params.channel_order)
        if gray is None:
            for i in range(start, stop):
                repeat_gray(target[i - start], result[i])

    pixels = height * width
    least, most = (max(at_a_time // pixels, 1) for at_a_time in _PIXELS_AT_A_TIME)
    share(work, count, threads, least=least, most=most)
    return result


def _enhance_sequence(
    images: Sequence[Image], params: EnhanceParams, threads: int, out: object
) -> list[Image]:
    for i, image in enumerate(images):
        check_image(image, name=f"images[{i}]")
        plan_of(image.shape, image.dtype, params)
        check_values_fit(image, params.bits, f"images[{i}]")
    targets: Sequence[Image | None] = [None] * len(images)
    if out is not None:
        outs = check_out_list(out, len(images))
        for i, (image, target) in enumerate(zip(images, outs, strict=True)):
            shape, dtype = result_shape(image.shape, params), image.dtype.newbyteorder("=")
            check_out(target, shape, dtype, None, name=f"out[{i}]")
        check_no_overlap(outs, images)
        targets = outs
    results: list[Image] = [None] * len(images)  # type: ignore[list-item]

    def work(start: int, stop: int) -> None:
        for i in range(start, stop):
            results[i] = enhance(images[i], params, out=targets[i])

    share(work, len(images), threads, least=1, most=1)
    return results
