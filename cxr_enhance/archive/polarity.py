"""Polarity: note images whose black and white look exchanged, or exchange them on request.

A DICOM header can be wrong, for instance MONOCHROME1 for pixels of MONOCHROME2. A PNG file states
no polarity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from cxr_enhance.archive.findings import looks_inverted
from cxr_enhance.archive.hints import Hint

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.decode import Decoded

Invert: TypeAlias = Literal["note", "auto", "yes", "no"]


class Polarity(NamedTuple):
    """Whether black and white of an image were exchanged, and the note and hints about it."""

    is_inverted: bool = False
    note: str = ""
    hints: tuple[Hint, ...] = ()


_AS_IT_IS = Polarity()
_NOTED = Polarity(
    note="looks inverted: upper corners and lungs are brighter than the spine",
    hints=(
        Hint(
            "looks inverted",
            "black and white look the wrong way round, and stayed so. --invert auto turns such "
            "images over.",
        ),
    ),
)
_INVERTED = Polarity(
    is_inverted=True,
    note="inverted, as upper corners and lungs were brighter than the spine",
    hints=(Hint("inverted", "black and white looked the wrong way round and were turned over."),),
)
_INVERTED_AS_ASKED = Polarity(is_inverted=True, note="inverted, as --invert yes asked")


def with_polarity(decoded: Decoded, invert: Invert, bits: int | None) -> tuple[Decoded, Polarity]:
    """Exchange black and white of an image, or note that they look exchanged.

    Parameters
    ----------
    decoded : Decoded
        The image with the polarity that its header states.
    invert : {"note", "auto", "yes", "no"}
        "note" adds a note to an image that looks inverted. "auto" exchanges black and white of an
        image that looks inverted. "yes" exchanges them in every image. "no" does nothing.
    bits : int or None
        Bits of a value, if fewer than those of the dtype are used. ``decoded.bits``, if not 0,
        takes precedence.

    Returns
    -------
    (Decoded, Polarity)
        The image as it was given, or a new image with black and white exchanged.
    """
    if invert == "no":
        return decoded, _AS_IT_IS
    if invert != "yes" and not looks_inverted(decoded.image):
        return decoded, _AS_IT_IS
    if invert == "note":
        return decoded, _NOTED
    white = 2 ** (decoded.bits or bits or 8 * decoded.image.itemsize) - 1
    inverted = decoded._replace(
        image=_invert(decoded.image, white, has_padding=decoded.padding > 0),
        was_inverted=not decoded.was_inverted,
    )
    return inverted, _INVERTED if invert == "auto" else _INVERTED_AS_ASKED


def _invert(image: Image, white: int, *, has_padding: bool) -> Image:
    """Subtract each value from white; padding becomes as dark as the darkest other pixel."""
    if int(image.max()) > white:  # `enhance` refuses the image, with its own message
        return image
    inverted: Image = np.subtract(white, image, dtype=image.dtype)
    if has_padding:
        is_dark = image == image.min()
        if not is_dark.all():
            inverted[is_dark] = inverted[~is_dark].min()
    return inverted
