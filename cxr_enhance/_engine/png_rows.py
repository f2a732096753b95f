"""Filters the rows of an image as a PNG file holds them, before they are compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._kernels.entries import filter_rows
from cxr_enhance._validation import as_kernel_input

if TYPE_CHECKING:
    from cxr_enhance._types import Image, ImageU8


def filtered_rows(image: Image) -> ImageU8:
    """Give the bytes of an image that a PNG file compresses.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8 or uint16
        Gray or RGB. Any strides and byte order; not modified.

    Returns
    -------
    ndarray of shape (H, B), dtype uint8
        Of each row the number of its filter and its filtered bytes.
    """
    rows = as_kernel_input(image).reshape(image.shape[0], -1)
    filtered = np.empty((rows.shape[0], 1 + rows.shape[1] * rows.itemsize), np.uint8)
    filter_rows(rows, filtered)
    return filtered
