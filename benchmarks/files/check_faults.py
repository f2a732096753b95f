"""Faults planted into radiographs, each with the finding that `cxr-enhance check` should give.

All images are made in memory; no image is written to a file.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pydicom

from cxr_enhance._self_check import digest
from cxr_enhance.archive.findings import HEADER_TAGS, header_findings, pixel_findings
from cxr_enhance.io import image_info
from cxr_enhance.io.dicom.attributes import header_texts
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.read import decode_image
from cxr_enhance.io.write import encode_image

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from cxr_enhance._types import Image

_TEXTS = ("DOE JANE 1950-01-02", "PORTABLE AP", "12.03.2020 14:55", "ID 4711 M 054Y")
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX,
          cv2.FONT_HERSHEY_COMPLEX)  # fmt: skip
_LARGE_LETTER = 12  # least height of large letters, in pixels


class Planted(NamedTuple):
    """A fault, the finding that it should give, and whether the finding was given."""

    finding: str
    fault: str
    found: bool


def planted_faults(gray: Image, data: bytes, rng: random.Random) -> Iterator[Planted]:
    """Plant every fault into an image without a finding, and check each for its finding.

    Parameters
    ----------
    gray : ndarray of shape (H, W), dtype uint8 or uint16
        Gray image.
    data : bytes
        Content of the file of the image.
    rng : random.Random
        Random numbers for places, sizes and texts.
    """
    for finding, fault, faulty in _faulty_pixels(gray, rng):
        yield Planted(finding, fault, finding in pixel_findings(faulty))
    share = rng.uniform(0.2, 0.95)
    yield Planted(
        "unreadable", "the file cut short", not is_readable(data[: int(share * len(data))])
    )
    for finding, element, value in (
        ("lateral", "ViewPosition", rng.choice(("LL", "RL", "LATERAL"))),
        ("other-modality", "Modality", rng.choice(("CT", "MR", "US"))),
        ("burned-in-text", "BurnedInAnnotation", "YES"),
    ):
        content = dicom_of(gray[:8, :8], **{element: value})
        found = header_findings(image_info(content), header_texts(content, HEADER_TAGS))
        yield Planted(finding, f"{_KEYWORDS[element]} {_VALUES[element]}", finding in found)
    again = decode_image(bytes(encode_image(gray, ".tif", 95)), ReadOptions()).image
    yield Planted(
        "equal-pixels", "the same pixels in another format", digest(again) == digest(gray)
    )


def unequal_pixels(gray: Image) -> bool:
    """Return whether an image with one pixel changed by one level counts as another image."""
    other = gray.copy()
    other.flat[other.size // 2] ^= 1
    return digest(other) != digest(gray)


def is_readable(data: bytes) -> bool:
    """Return whether the content of a file can be read completely."""
    try:
        decode_image(data, ReadOptions())
    except Exception:  # like `check`, which reports every error as an unreadable file
        return False
    return True


def dicom_of(gray: Image, **elements: str) -> bytes:
    """Return an uncompressed DICOM file with the given elements."""
    data_set = pydicom.Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    data_set.Modality, data_set.ViewPosition = "DX", "PA"
    data_set.Rows, data_set.Columns = gray.shape
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 8 * gray.itemsize
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = bits, bits, bits - 1
    data_set.PixelRepresentation = 0
    data_set.PixelData = gray.tobytes()
    data_set["PixelData"].VR = "OW"
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    data_set.file_meta = pydicom.dataset.FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    file = io.BytesIO()
    pydicom.dcmwrite(file, data_set, enforce_file_format=True)
    return file.getvalue()


def with_writing(gray: Image, rng: random.Random, *, on_black: bool) -> tuple[Image, int]:
    """Write a line of text near a corner; return the image and the height of the letters."""
    image = gray.copy() if gray.dtype == np.uint8 else (gray >> 8).astype(np.uint8)
    font, text = rng.choice(_FONTS), rng.choice(_TEXTS)
    target = max(rng.choice((0.015, 0.02, 0.03)) * max(image.shape), 7)
    thickness = max(int(target / 10), 1)
    scale = target / cv2.getTextSize("DOE", font, 1, thickness)[0][1]
    (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
    x = rng.choice((height, max(image.shape[1] - width - height, 0)))
    y = rng.choice((int(1.5 * height), image.shape[0] - height))
    if on_black:
        corner, opposite = (x - 4, y - height - 4), (x + width + 4, y + height // 3 + 4)
        cv2.rectangle(image, corner, opposite, 0, -1)
    cv2.putText(image, text, (x, y), font, scale, int(image.max()), thickness, cv2.LINE_AA)
    return image, height


_KEYWORDS = {
    "ViewPosition": "View Position",
    "Modality": "Modality",
    "BurnedInAnnotation": "Burned In Annotation",
}
_VALUES = {"ViewPosition": "LL, RL or LATERAL", "Modality": "CT, MR or US",
           "BurnedInAnnotation": "YES"}  # fmt: skip


def _faulty_pixels(gray: Image, rng: random.Random) -> Iterator[tuple[str, str, Image]]:
    """Yield the finding, the name of the fault, and the image with the fault."""
    white, middle = np.iinfo(gray.dtype).max, int(gray.mean())
    noise = np.random.default_rng(rng.randrange(1 << 32)).normal(0, white / 510, gray.shape)
    yield "blank", "one gray", np.full_like(gray, middle)
    grainy = np.clip(np.rint(middle + noise), 0, white).astype(gray.dtype)
    yield "blank", "one gray with noise of sigma 0.5 of 255", grainy
    bright = np.where(gray >= np.quantile(gray, 0.8), white, gray).astype(gray.dtype)
    yield "saturated", "the brightest fifth white", bright
    step = (white + 1) // 32
    yield "low-depth", "32 levels", gray // step * step
    yield "inverted", "the negative", white - gray
    for on_black in (True, False):
        written, height = with_writing(gray, rng, on_black=on_black)
        letters = "large" if height >= _LARGE_LETTER else "small"
        ground = "a black strip" if on_black else "the image"
        yield "burned-in-text", f"{letters} letters on {ground}", written
