"""Write an enhanced image as a DICOM file that is derived from its source."""

from __future__ import annotations

import hashlib
import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_enhance.io._signatures import HEAD_BYTES, RULE, image_format
from cxr_enhance.io.dicom.attributes import patient_id
from cxr_enhance.io.dicom.derived_header import (
    GROUPS,
    SECONDARY_CAPTURE,
    follow_pixels,
    scale_spacing,
    set_class,
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
    from cxr_enhance.io.dicom.pixels import Stored


_CURE = "Choose --format png."


class _Request(NamedTuple):
    """The arguments of `derived_dicom`."""

    image: Image
    source: bytes
    description: str
    strip_identity: bool
    key: bytes | None
    bits: int | None
    scale: tuple[float, float] | None
    is_inverted: bool


def derived_dicom(
    image: Image,
    source: bytes,
    *,
    description: str,
    strip_identity: bool,
    pseudonym_key: bytes | None = None,
    bits: int | None = None,
    scale: tuple[float, float] | None = None,
    is_inverted: bool = False,
    notes: list[str] | None = None,
) -> bytes:
    """Make the content of a DICOM file of `image`, derived from `source`.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        The new pixels; 0 is black.
    source : bytes
        Content of the file that `image` was made from. The header of a DICOM file is kept, except
        elements that describe its pixels; for other files a new Secondary Capture without a patient
        is made.
    description : str
        Text for DerivationDescription.
    strip_identity : bool
        Whether the header keeps only technique and geometry. Writing burned into the pixels stays.
    pseudonym_key : bytes or None
        Key of the pseudonym that replaces PatientID in a stripped header, and of the new UIDs; see
        `pseudonym`. None leaves PatientID empty.
    bits : int or None
        Bits Stored; all values of `image` must fit. None uses the bits of the dtype.
    scale : (float, float) or None
        Pixels of `image` per pixel of the source, down and across, if `image` is cropped or padded.
        None if `image` shows all of the source.
    is_inverted : bool
        Whether black and white were exchanged although the header of `source` does not require it.
    notes : list of str or None
        Gets a note for each part of the header that could not be kept.

    Returns
    -------
    bytes
        Content of the file: Explicit VR Little Endian, uncompressed. The SOPInstanceUID is new;
        equal sources and descriptions give equal UIDs.

    Raises
    ------
    ValueError
        If pydicom cannot write the header of `source` again, or if the header has more elements or
        levels than any real header.
    ImportError
        If pydicom is not installed.

    Notes
    -----
    An element that cannot be written again is left out, with a note.
    """
    if image_format(source[:HEAD_BYTES]) == "DICOM":
        try:
            check_extent(source)
        except ValueError as error:
            raise ValueError(f"{error} {_CURE}") from None
    request = _Request(
        image, source, description, strip_identity, pseudonym_key, bits, scale, is_inverted
    )
    repairs: list[str] = []
    with quiet_pydicom():
        try:
            content = _derived(request, repairs, with_all=True)
        except (ImportError, MemoryError):
            raise
        except Exception as first:  # pydicom raises many errors for elements that it cannot write
            repairs.clear()
            try:
                content = _derived(request, repairs, with_all=False)
            except Exception:
                raise ValueError(
                    f"{RULE} whose header can be written again for --format dicom; got "
                    f"{type(first).__name__}{_place_in(str(first))}. {_CURE}"
                ) from None
    if notes is not None:
        notes += repairs
    return content


def _derived(request: _Request, notes: list[str], *, with_all: bool) -> bytes:
    pydicom = load_pydicom()
    image, source = request.image, request.source
    digest = hashlib.sha256(source).hexdigest()
    header: DicomHeader | None = None
    stored: Stored | None = None
    patient = ""
    if image_format(source[:HEAD_BYTES]) == "DICOM":
        data_set = pydicom.dcmread(io.BytesIO(source), force=True, stop_before_pixels=True)
        elements = read_elements(source)
        header = read_header(elements)
        patient = patient_id(elements.by_tag)
        loss: Loss | None = loss_of_dicom(elements, header)
        if header.overlay_bits and header.frames == 1 and not holds_fragments(elements):
            stored = stored_words(elements, header, 0)
        if not with_all:
            _leave_out_unwritable(pydicom, data_set, notes)
    else:
        data_set, loss = _secondary_capture(pydicom, digest), loss_of_file(source)
    source_class = str(data_set.get("SOPClassUID"))
    new_size = image.shape[:2]
    old_size = new_size if header is None else (header.height, header.width)
    is_enhanced = any(keyword in data_set for keyword in GROUPS)
    scale_spacing(data_set, old_size, new_size, request.scale)
    is_resized = old_size != new_size or request.scale is not None
    follow_pixels(
        data_set, header, stored, notes, is_resized=is_resized, is_inverted=request.is_inverted
    )
    state_loss(data_set, loss)
    if request.strip_identity:
        data_set = stripped(
            pydicom, data_set, digest, patient=patient, key=request.key, notes=notes
        )
    else:
        _refer_to_source(pydicom, data_set, source_class)
        _mend_group_uids(data_set, digest)
    is_valid = _is_uid(data_set.get("SOPClassUID"))
    set_class(data_set, is_enhanced=is_enhanced, is_valid=is_valid)
    data_set.SOPInstanceUID = hashed_uid(
        digest, request.description, str(request.strip_identity), key=request.key
    )
    stated = data_set.get("ImageType")
    terms = [stated] if isinstance(stated, str) else list(stated or [])
    data_set.ImageType = ["DERIVED", *(terms[1:] or ["PRIMARY"])]
    earlier = str(data_set.get("DerivationDescription", "") or "")
    data_set.DerivationDescription = (
        f"{earlier}; {request.description}"[-1024:] if earlier else request.description[:1024]
    )
    _set_pixels(data_set, image, request.bits)
    data_set.file_meta = _file_meta(pydicom, data_set)
    file = io.BytesIO()
    data_set.preamble = bytes(128)
    pydicom.dcmwrite(
        file, data_set, enforce_file_format=True, implicit_vr=False, little_endian=True
    )
    return file.getvalue()


def _leave_out_unwritable(pydicom: Any, data_set: Any, notes: list[str]) -> None:
    """Remove each element that cannot be written, the innermost elements first."""
    for tag in list(data_set.keys()):
        try:
            if data_set[tag].VR == "SQ":
                for item in data_set[tag].value:
                    _leave_out_unwritable(pydicom, item, notes)
            alone = pydicom.Dataset()
            if "SpecificCharacterSet" in data_set:  # texts are encoded by it
                alone.SpecificCharacterSet = data_set.SpecificCharacterSet
            alone.add(data_set[tag])
            pydicom.dcmwrite(io.BytesIO(), alone, implicit_vr=False, little_endian=True)
        except Exception:  # any error is the element's fault
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
    """Replace a missing or invalid UID of study or series, the same way in all its files."""
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
    """Return the tag in an error message of pydicom; the message itself may quote a patient."""
    tag = re.search(r"\(([0-9A-Fa-f]{4}), ?([0-9A-Fa-f]{4})\)", words)
    return f" at element ({tag[1]},{tag[2]})" if tag else ""


def _is_uid(value: object) -> bool:
    text = str(value)
    return len(text) <= 64 and re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", text) is not None
