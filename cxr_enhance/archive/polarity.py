"""Images whose black and white look the wrong way round: noted, or turned over where that is asked.

A header can be wrong: MONOCHROME1 on pixels of MONOCHROME2, or nothing at all in a PNG.
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
    """What was done about an image's polarity, and what a run says of it."""

    is_turned: bool = False
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
_TURNED = Polarity(
    is_turned=True,
    note="inverted, as upper corners and lungs were brighter than the spine",
    hints=(Hint("inverted", "black and white looked the wrong way round and were turned over."),),
)
_TURNED_AS_ASKED = Polarity(is_turned=True, note="inverted, as --invert yes asked")


def with_polarity(decoded: Decoded, invert: Invert, bits: int | None) -> tuple[Decoded, Polarity]:
    """Turn an image over, or look whether it should be.

    Parameters
    ----------
    decoded : Decoded
        The image as its header says it is to be shown.
    invert : {"note", "auto", "yes", "no"}
        Look and say so; look and turn; turn; neither.
    bits : int or None
        Bits of a value, where the caller knows better than the dtype.

    Returns
    -------
    (Decoded, Polarity)
        The image given, or a new one.
    """
    if invert == "no":
        return decoded, _AS_IT_IS
    if invert != "yes" and not looks_inverted(decoded.image):
        return decoded, _AS_IT_IS
    if invert == "note":
        return decoded, _NOTED
    white = 2 ** (decoded.bits or bits or 8 * decoded.image.itemsize) - 1
    turned = decoded._replace(
        image=_turned(decoded.image, white, has_padding=decoded.padding > 0),
        was_inverted=not decoded.was_inverted,
    )
    return turned, _TURNED if invert == "auto" else _TURNED_AS_ASKED


def _turned(image: Image, white: int, *, has_padding: bool) -> Image:
    """Subtract from white; padding, which is as dark as the darkest pixel, stays dark."""
    if int(image.max()) > white:  # `enhance` refuses it, in its own words
        return image
    turned: Image = np.subtract(white, image, dtype=image.dtype)
    if has_padding:
        is_dark = image == image.min()
        if not is_dark.all():
            turned[is_dark] = turned[~is_dark].min()
    return turned
