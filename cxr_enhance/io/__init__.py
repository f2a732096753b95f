"""Reading and writing of image files; this package does not enhance pixels.

It imports no kernels. OpenCV decodes and encodes, ISA-L compresses fast PNG, and pydicom with its
plugins decodes compressed DICOM. These libraries are imported on first use.
"""

from __future__ import annotations

from cxr_enhance.io.dicom.attributes import dicom_attributes
from cxr_enhance.io.dicom.pseudonym import pseudonym, read_pseudonym_key, user_pseudonym_key
from cxr_enhance.io.info import ImageInfo, image_info
from cxr_enhance.io.read import read_image
from cxr_enhance.io.write import write_image

__all__ = [
    "ImageInfo",
    "dicom_attributes",
    "image_info",
    "pseudonym",
    "read_image",
    "read_pseudonym_key",
    "user_pseudonym_key",
    "write_image",
]
