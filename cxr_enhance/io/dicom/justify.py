"""Find the position of stored values in their words: High Bit, unless the words contradict it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.io.dicom.grayscale import stored_range

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.header import DicomHeader

_SAMPLE_STEP = 1021  # a prime, so that samples lie in many columns


def shift_of(words: Image, header: DicomHeader, notes: list[str]) -> int:
    """Find by how many bits stored values are shifted to the left in their words.

    High Bit is right if all bits of the words lie in the place that it declares. It is wrong if
    the words do not fit that place, but fit the lowest or the highest place of a word. If the words
    fit none of these places, High Bit counts: spare bits may hold anything.
    """
    stored, allocated = header.bits_stored, header.bits_allocated
    claimed = header.high_bit + 1 - stored
    others = [shift for shift in (0, allocated - stored) if shift != claimed]
    if stored == allocated:
        return claimed
    sample = words.reshape(-1)[::_SAMPLE_STEP]
    others = [shift for shift in others if _fits(sample, shift, header)]
    if not others:
        return claimed
    others = [shift for shift in others if _fits(words, shift, header)]
    # Words without any bit but overlays fit every place; then High Bit counts.
    if not others or _fits(words, claimed, header):
        return claimed
    place = "right" if others[0] == 0 else "left"
    notes.append(
        f"High Bit {header.high_bit} of {stored} bits stored, values are {place}-justified; taken "
        f"as {others[0] + stored - 1}"
    )
    return others[0]


def count_stray(words: Image, shift: int, header: DicomHeader) -> int:
    """Count words with bits outside the stored bits; overlays and sign copies are allowed."""
    if header.bits_stored == header.bits_allocated or _fits(words, shift, header):
        return 0
    word, top = (1 << header.bits_allocated) - 1, shift + header.bits_stored
    place = ((1 << header.bits_stored) - 1) << shift
    outside = word & ~place & ~header.overlay_bits
    stray = words & outside
    if header.signed:
        stray ^= ((words >> (top - 1)) & 1) * words.dtype.type(word >> top << top & outside)
    return int(np.count_nonzero(stray))


def _fits(words: Image, shift: int, header: DicomHeader) -> bool:
    """Return whether no word has bits outside the stored bits.

    Overlays and copies of the sign are allowed.
    """
    overlays = header.overlay_bits
    word = (1 << header.bits_allocated) - 1
    place = ((1 << header.bits_stored) - 1) << shift
    if not int(np.bitwise_or.reduce(words, axis=None)) & (word ^ place) & ~overlays:
        return True
    if not header.signed:
        return False
    # A value whose bits above the sign all equal the sign lies in the range of the stored bits.
    with_sign: npt.NDArray[np.int16] = words.view(np.int8 if words.itemsize == 1 else np.int16)
    least, most = int(with_sign.min()) >> shift, int(with_sign.max()) >> shift
    low, high = stored_range(header.bits_stored, signed=True)
    below = int(np.bitwise_or.reduce(words, axis=None)) & ((1 << shift) - 1)
    return not below & ~overlays and low <= least and most <= high
