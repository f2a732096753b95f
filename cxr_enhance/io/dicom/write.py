"""An enhanced image as a DICOM file derived from the one it was made of."""

from __future__ import annotations

import hashlib
import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_enhance.io._signatures import HEAD_BYTES, RULE, image_format
from cxr_enhance.io.dicom.derived_header import (
    GROUPS,
    SECONDARY_CAPTURE,
    follow_pixels,
    scale_spacing,
    state_loss,
)
from cxr_enhance.io.dicom.elements import read_elements
from cxr_enhance.io.dicom.extent import check_extent
from cxr_enhance.io.dicom.frames import holds_fragments
from cxr_enhance.io.dicom.header import read_header
from cxr_enhance.io.dicom.lossy import loss_of_dicom, loss_of_file
from cxr_enhance.io.dicom.pixels import stored_words
from cxr_enhance.io.dicom.plugins import load_pydicom, quiet_pydicom
from cxr_enhance.io.dicom.pseudonym import hashed_uid
from cxr_enhance.io.dicom.strip import EMPTIED, stripped

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.header import DicomHeader
    from cxr_enhance.io.dicom.lossy import Loss


class _Order(NamedTuple):
    """What is asked for."""

    image: Image
    source: bytes
    description: str
    strip_identity: bool
    key: bytes | None
    bits: int | None
    scale: tuple[float, float] | None
    is_turned: bool


def derived_dicom(
    image: Image,
    source: bytes,
    *,
    description: str,
    strip_identity: bool,
    pseudonym_key: bytes | None = None,
    bits: int | None = None,
    scale: tuple[float, float] | None = None,
    is_turned: bool = False,
    notes: list[str] | None = None,
) -> bytes:
    """Make the content of a DICOM file of `image`, derived from `source`.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        The new pixels, 0 black.
    source : bytes
        Content of the file `image` was made of. A DICOM file's header is kept but for what
        described its pixels; for any other a Secondary Capture is begun, without a patient.
    description : str
        What was done, for DerivationDescription.
    strip_identity : bool
        Whether only technique and geometry are kept. Writing burned into the pixels stays.
    pseudonym_key : bytes or None
        Of the pseudonym that stands for PatientID in a stripped header, and of its UIDs; see
        `pseudonym`. None leaves PatientID empty.
    bits : int or None
        Bits Stored, which the values of `image` fit; None takes those of its dtype.
    scale : (float, float) or None
        Pixels of `image` for one of the source, down and across, where `image` is cropped or
        padded; None where it shows the whole source.
    is_turned : bool
        Whether black and white were exchanged beyond what the header of `source` asks for.
    notes : list of str or None
        Takes a note for everything of the header that could not be kept.

    Returns
    -------
    bytes
        Explicit VR little-endian, uncompressed. The SOPInstanceUID is new, and the same whenever
        the same is done to the same source.

    Raises
    ------
    ValueError
        If the header of `source` is one that pydicom cannot write again, or holds more elements
        or levels than any real one.
    ImportError
        If pydicom is not installed.

    Notes
    -----
    An element that cannot be written again is left out, with a note.
    """
    if image_format(source[:HEAD_BYTES]) == "DICOM":
        check_extent(source)
    order = _Order(
        image, source, description, strip_identity, pseudonym_key, bits, scale, is_turned
    )
    repairs: list[str] = []
    with quiet_pydicom():
        try:
            content = _derived(order, repairs, with_all=True)
        except (ImportError, MemoryError):
            raise
        except Exception as first:  # pydicom raises many things for elements it cannot take over
            repairs.clear()
            try:
                content = _derived(order, repairs, with_all=False)
            except Exception:
                raise ValueError(
                    f"{RULE} whose header can be written again for --format dicom; got "
                    f"{type(first).__name__}{_place_in(str(first))}."
                ) from None
    if notes is not None:
        notes += repairs
    return content


def _derived(order: _Order, notes: list[str], *, with_all: bool) -> bytes:
    pydicom = load_pydicom()
    image, source = order.image, order.source
    digest = hashlib.sha256(source).hexdigest()
    header: DicomHeader | None = None
    words: Image | None = None
    if image_format(source[:HEAD_BYTES]) == "DICOM":
        data_set = pydicom.dcmread(io.BytesIO(source), force=True, stop_before_pixels=True)
        elements = read_elements(source)
        header = read_header(elements)
        loss: Loss | None = loss_of_dicom(elements, header)
        if header.overlay_bits and header.frames == 1 and not holds_fragments(elements):
            words = stored_words(elements, header, 0).words
        if not with_all:
            _leave_out_unwritable(pydicom, data_set, notes)
    else:
        data_set, loss = _secondary_capture(pydicom, digest), loss_of_file(source)
    source_class = str(data_set.get("SOPClassUID"))
    new_size = image.shape[:2]
    old_size = new_size if header is None else (header.height, header.width)
    is_enhanced = any(keyword in data_set for keyword in GROUPS)
    scale_spacing(data_set, old_size, new_size, order.scale)
    is_resized = old_size != new_size or order.scale is not None
    follow_pixels(data_set, header, words, notes, is_resized=is_resized, is_turned=order.is_turned)
    state_loss(data_set, loss)
    if order.strip_identity:
        data_set = stripped(pydicom, data_set, digest, order.key, notes)
    else:
        _refer_to_source(pydicom, data_set, source_class)
        _mend_group_uids(data_set, digest)
    if is_enhanced or not _is_uid(data_set.get("SOPClassUID")):
        data_set.SOPClassUID = SECONDARY_CAPTURE  # one frame alone is no enhanced object
    data_set.SOPInstanceUID = hashed_uid(
        digest, order.description, str(order.strip_identity), key=order.key
    )
    data_set.ImageType = ["DERIVED", *(list(data_set.get("ImageType") or ["", "PRIMARY"])[1:])]
    earlier = str(data_set.get("DerivationDescription", "") or "")
    data_set.DerivationDescription = (
        f"{earlier}; {order.description}"[-1024:] if earlier else order.description[:1024]
    )
    _set_pixels(data_set, image, order.bits)
    data_set.file_meta = _file_meta(pydicom, data_set)
    file = io.BytesIO()
    data_set.preamble = bytes(128)
    pydicom.dcmwrite(
        file, data_set, enforce_file_format=True, implicit_vr=False, little_endian=True
    )
    return file.getvalue()


def _leave_out_unwritable(pydicom: Any, data_set: Any, notes: list[str]) -> None:
    """Remove the elements that cannot be written one by one, the innermost ones first."""
    for tag in list(data_set.keys()):
        try:
            if data_set[tag].VR == "SQ":
                for item in data_set[tag].value:
                    _leave_out_unwritable(pydicom, item, notes)
            alone = pydicom.Dataset()
            if "SpecificCharacterSet" in data_set:  # the first element of all
                alone.SpecificCharacterSet = data_set.SpecificCharacterSet
            alone.add(data_set[tag])
            pydicom.dcmwrite(io.BytesIO(), alone, implicit_vr=False, little_endian=True)
        except Exception:  # whatever it is, it is the element's fault
            del data_set[tag]
            notes.append(f"({tag.group:04X},{tag.element:04X}) cannot be written again; left out")


def _set_pixels(data_set: Any, image: Image, stored_bits: int | None) -> None:
    bits = image.dtype.itemsize * 8
    channels = 3 if image.ndim == 3 and image.shape[2] == 3 else 1
    data_set.Rows, data_set.Columns = image.shape[:2]
    data_set.SamplesPerPixel = channels
    data_set.PhotometricInterpretation = "RGB" if channels == 3 else "MONOCHROME2"
    if channels == 3:
        data_set.PlanarConfiguration = 0
    data_set.BitsAllocated, data_set.BitsStored = bits, stored_bits or bits
    data_set.HighBit, data_set.PixelRepresentation = data_set.BitsStored - 1, 0
    data = np.ascontiguousarray(image, image.dtype.newbyteorder("<")).tobytes()
    data_set.PixelData = data + b"\0" * (len(data) % 2)
    data_set["PixelData"].VR = "OB" if bits == 8 else "OW"


def _secondary_capture(pydicom: Any, digest: str) -> Any:
    data_set = pydicom.Dataset()
    data_set.SOPClassUID, data_set.Modality, data_set.ConversionType = (
        SECONDARY_CAPTURE,
        "OT",
        "WSD",
    )
    data_set.StudyInstanceUID = hashed_uid(digest, "study")
    data_set.SeriesInstanceUID = hashed_uid(digest, "series")
    for keyword in (*EMPTIED, "SeriesNumber", "InstanceNumber", "Laterality"):
        setattr(data_set, keyword, None)
    return data_set


def _refer_to_source(pydicom: Any, data_set: Any, source_class: str) -> None:
    if not (_is_uid(data_set.get("SOPInstanceUID")) and _is_uid(source_class)):
        return
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID = source_class
    item.ReferencedSOPInstanceUID = data_set.SOPInstanceUID
    data_set.SourceImageSequence = [item]


def _mend_group_uids(data_set: Any, digest: str) -> None:
    """Give study and series a UID where theirs is missing or none, the same for all their files."""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        uid = data_set.get(keyword)
        if not _is_uid(uid):
            setattr(data_set, keyword, hashed_uid(str(uid or digest), keyword))


def _file_meta(pydicom: Any, data_set: Any) -> Any:
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return meta


def _place_in(words: str) -> str:
    """Find the element that an error of pydicom is about; its words may quote a patient's name."""
    tag = re.search(r"\(([0-9A-Fa-f]{4}), ?([0-9A-Fa-f]{4})\)", words)
    return f" at element ({tag[1]},{tag[2]})" if tag else ""


def _is_uid(value: object) -> bool:
    text = str(value)
    return len(text) <= 64 and re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", text) is not None
