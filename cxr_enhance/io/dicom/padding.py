"""Padding: pixels that a header calls no part of the image, such as those behind a collimator.

They are shown as dark as the darkest pixel of the image, whatever their value would be shown as:
so they set neither end of the range that is seen, and no software after this one needs a mask.
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
        The table, a new one where anything is changed, and the number of padding pixels. An
        image of padding alone is left as it is, with 0.
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
    mapped[is_padding] = table.max()  # where it cannot be the least
    mapped[is_padding] = apply_table(mapped, words).min()
    return mapped, padded
