"""DICOM objects that hold no image: directories, reports, presentation states, plans, documents.

Archives export these objects among the images. They are valid and do not count as failures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cxr_enhance.io._signatures import RULE

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.elements import Elements

_SOP_CLASS, _MEDIA_STORAGE_CLASS = 0x00080016, 0x00020002
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_FLOAT_PIXELS, _DOUBLE_PIXELS = 0x7FE00008, 0x7FE00009
_LONGEST_UID = 64
# Storage classes of images (PS3.4 B.5 and retired classes), below 1.2.840.10008.5.1.4.1.1. A file
# of such a class without pixels is damaged.
_IMAGES = re.compile(
    r"1\.2\.840\.10008\.5\.1\.4\.1\.1\."
    r"((1|2|3|6|7|12|13|14|20|30|128|130|501|601)(\..*)?|4(\.[134])?|5|66\.[47]|77\.1\..*"
    r"|481\.(1|2|23|24))"
)


class NoImageError(ValueError):
    """A valid DICOM object holds no image."""


def check_holds_image(elements: Elements) -> None:
    """Refuse an object of a class without images; damaged images pass here and fail later.

    Raises
    ------
    NoImageError
        If there are neither rows, columns nor pixels, and the class of the object has none.
    ValueError
        If the pixels are floating-point numbers.
    """
    by_tag = elements.by_tag
    if elements.pixels is None and not by_tag.keys().isdisjoint((_FLOAT_PIXELS, _DOUBLE_PIXELS)):
        raise ValueError(
            f"{RULE} of 8 or 16 bits; got a DICOM image of floating-point pixels. Scale it and "
            "save it as uint16."
        )
    if elements.pixels is not None or not by_tag.keys().isdisjoint((_ROWS, _COLUMNS)):
        return
    element = by_tag.get(_SOP_CLASS) or by_tag.get(_MEDIA_STORAGE_CLASS)
    sop_class = (
        ""
        if element is None
        else bytes(element.value[:_LONGEST_UID]).decode("latin-1").strip(" \0")
    )
    if not sop_class or _IMAGES.fullmatch(sop_class):
        return
    raise NoImageError(
        f"{RULE}; got a DICOM file without an image: an object of class {sop_class!r}."
    )
