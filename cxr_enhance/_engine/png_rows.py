"""Filter the rows of an image for a PNG file, before they are compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._kernels.entries import filter_rows
from cxr_enhance._validation import as_kernel_input

if TYPE_CHECKING:
    from cxr_enhance._types import Image, ImageU8


def filtered_rows(image: Image) -> ImageU8:
    """Return the filtered rows of an image, which a PNG file holds in compressed form.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8 or uint16
        Gray or RGB image. Any strides and byte order; not modified.

    Returns
    -------
    ndarray of shape (H, B), dtype uint8
        For each row, the number of its filter and then its filtered bytes.
    """
    rows = as_kernel_input(image).reshape(image.shape[0], -1)
    filtered = np.empty((rows.shape[0], 1 + rows.shape[1] * rows.itemsize), np.uint8)
    filter_rows(rows, filtered)
    return filtered
