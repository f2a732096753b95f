"""Darken padding: pixels that a header declares not to belong to the image, as of a collimator.

Padding gets the value of the darkest other pixel. Padding then does not widen the range of shown
values, and software that reads the output needs no mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io.dicom.windowing import apply_table, stored_values

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.header import DicomHeader


def darken_padding(table: Image, words: Image, header: DicomHeader) -> tuple[Image, int]:
    """Map padding to the darkest value that any other pixel is mapped to.

    Returns
    -------
    (ndarray, int)
        The table (a new table if the image has padding) and the number of padding pixels. For an
        image of nothing but padding: the unchanged table and 0.
    """
    if header.padding is None:
        return table, 0
    low, high = header.padding
    stored = stored_values(header)
    is_padding = (stored >= low) & (stored <= high)
    padded = int(np.count_nonzero(apply_table(is_padding.astype(words.dtype), words)))
    if not 0 < padded < words.size:
        return table, 0
    mapped = table.copy()
    mapped[is_padding] = table.max()  # so that padding is not the minimum below
    mapped[is_padding] = apply_table(mapped, words).min()
    return mapped, padded
