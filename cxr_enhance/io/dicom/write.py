"""An enhanced image as a DICOM file derived from the one it was made of."""

from __future__ import annotations

import hashlib
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_enhance._version import __version__
from cxr_enhance.io._signatures import HEAD_BYTES, RULE, image_format
from cxr_enhance.io.dicom.extent import check_extent
from cxr_enhance.io.dicom.plugins import load_pydicom, quiet_pydicom

if TYPE_CHECKING:
    from cxr_enhance._types import Image

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
# What described the pixels that are replaced.
_OUTDATED = (
    "PlanarConfiguration", "NumberOfFrames", "FrameIncrementPointer", "WindowCenter", "WindowWidth",
    "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "SmallestImagePixelValue",
    "LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelDataProviderURL", "PixelAspectRatio",
    "ICCProfile", "IconImageSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "EncapsulatedPixelDataValueTotalLength", "OriginalAttributesSequence", *_GROUPS,
)  # fmt: skip
# What a file keeps when its identity is stripped: technique and geometry, no names, dates, places,
# free text or UIDs. Everything else goes, private elements too.
_IMPERSONAL = (
    "SOPClassUID", "Modality", "ImageType", "ConversionType", "PresentationIntentType",
    "BodyPartExamined", "ViewPosition", "Laterality", "ImageLaterality", "PatientOrientation",
    "PhotometricInterpretation", "KVP", "ExposureTime", "XRayTubeCurrent", "Exposure",
    "DistanceSourceToDetector", "DistanceSourceToPatient", "Grid", "FilterType",
    "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "PresentationLUTShape",
    "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", *_SPACINGS,
)  # fmt: skip
# Must be there, and may be empty.
_EMPTIED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


def derived_dicom(image: Image, source: bytes, *, description: str, strip_identity: bool) -> bytes:
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
    """
    if image_format(source[:HEAD_BYTES]) == "DICOM":
        check_extent(source)
    with quiet_pydicom():
        try:
            return _derived(image, source, description, strip_identity)
        except ImportError:
            raise
        except Exception as error:  # pydicom raises many things for elements it cannot take over
            raise ValueError(
                f"{RULE} whose header can be written again for --format dicom; got "
                f"{type(error).__name__}{_place_in(str(error))}."
            ) from None


def _derived(image: Image, source: bytes, description: str, strip_identity: bool) -> bytes:
    pydicom = load_pydicom()
    digest = hashlib.sha256(source).hexdigest()
    if image_format(source[:HEAD_BYTES]) == "DICOM":
        data_set = pydicom.dcmread(io.BytesIO(source), force=True, stop_before_pixels=True)
    else:
        data_set = _secondary_capture(pydicom, image, digest)
    study, series = data_set.get("StudyInstanceUID"), data_set.get("SeriesInstanceUID")
    old_size = (int(data_set.Rows), int(data_set.Columns))
    is_enhanced = any(keyword in data_set for keyword in _GROUPS)
    _scale_spacing(data_set, old_size, image.shape[:2])
    if strip_identity:
        data_set = _stripped(pydicom, data_set, str(study or digest), str(series or digest))
    else:
        _refer_to_source(pydicom, data_set)
        _mend_group_uids(data_set, digest)
    if is_enhanced or not _is_uid(data_set.get("SOPClassUID")):
        data_set.SOPClassUID = _SECONDARY_CAPTURE  # one frame alone is no enhanced object
    for keyword in _OUTDATED:
        if keyword in data_set:
            del data_set[keyword]
    if old_size != image.shape[:2]:
        for group in range(0x6000, 0x6020, 2):  # overlays have the old size
            for element in list(data_set.group_dataset(group)):
                del data_set[element.tag]
    data_set.SOPInstanceUID = _uid(digest, description, str(strip_identity))
    data_set.ImageType = ["DERIVED", *(list(data_set.get("ImageType") or ["", "PRIMARY"])[1:])]
    said = str(data_set.get("DerivationDescription", "") or "")
    data_set.DerivationDescription = (
        f"{said}; {description}"[-1024:] if said else description[:1024]
    )
    _set_pixels(data_set, image)
    data_set.file_meta = _file_meta(pydicom, data_set)
    file = io.BytesIO()
    data_set.preamble = bytes(128)
    pydicom.dcmwrite(
        file, data_set, enforce_file_format=True, implicit_vr=False, little_endian=True
    )
    return file.getvalue()


def _set_pixels(data_set: Any, image: Image) -> None:
    bits = image.dtype.itemsize * 8
    channels = 3 if image.ndim == 3 and image.shape[2] == 3 else 1
    data_set.Rows, data_set.Columns = image.shape[:2]
    data_set.SamplesPerPixel = channels
    data_set.PhotometricInterpretation = "RGB" if channels == 3 else "MONOCHROME2"
    if channels == 3:
        data_set.PlanarConfiguration = 0
    data_set.BitsAllocated = data_set.BitsStored = bits
    data_set.HighBit, data_set.PixelRepresentation = bits - 1, 0
    if "PresentationLUTShape" in data_set:
        data_set.PresentationLUTShape = "IDENTITY"
    data = np.ascontiguousarray(image, image.dtype.newbyteorder("<")).tobytes()
    data_set.PixelData = data + b"\0" * (len(data) % 2)
    data_set["PixelData"].VR = "OB" if bits == 8 else "OW"


def _secondary_capture(pydicom: Any, image: Image, digest: str) -> Any:
    data_set = pydicom.Dataset()
    data_set.SOPClassUID, data_set.Modality, data_set.ConversionType = (
        _SECONDARY_CAPTURE,
        "OT",
        "WSD",
    )
    data_set.StudyInstanceUID = _uid(digest, "study")
    data_set.SeriesInstanceUID = _uid(digest, "series")
    for keyword in (*_EMPTIED, "SeriesNumber", "InstanceNumber", "Laterality"):
        setattr(data_set, keyword, None)
    data_set.Rows, data_set.Columns = image.shape[:2]
    return data_set


def _scale_spacing(data_set: Any, old: tuple[int, int], new: tuple[int, ...]) -> None:
    """Keep millimetres right where the image was resized."""
    for keyword in _SPACINGS:
        spacing = data_set.get(keyword)
        if old != new and spacing is not None and len(spacing) == 2:
            scaled = [float(spacing[axis]) * old[axis] / new[axis] for axis in (0, 1)]
            setattr(data_set, keyword, [f"{value:.10g}" for value in scaled])


def _stripped(pydicom: Any, data_set: Any, study: str, series: str) -> Any:
    kept = pydicom.Dataset()
    for keyword in _IMPERSONAL:
        if keyword in data_set:
            kept[keyword] = data_set[keyword]
    for keyword in _EMPTIED:
        setattr(kept, keyword, None)
    kept.StudyInstanceUID = _uid(study, "stripped study")
    kept.SeriesInstanceUID = _uid(series, "stripped series")
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = f"cxr-enhance {__version__}: technique and geometry kept"
    return kept


def _refer_to_source(pydicom: Any, data_set: Any) -> None:
    if not (_is_uid(data_set.get("SOPInstanceUID")) and _is_uid(data_set.get("SOPClassUID"))):
        return
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID = data_set.SOPClassUID
    item.ReferencedSOPInstanceUID = data_set.SOPInstanceUID
    data_set.SourceImageSequence = [item]


def _mend_group_uids(data_set: Any, digest: str) -> None:
    """Give study and series a UID where theirs is missing or none, the same for all their files."""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        said = data_set.get(keyword)
        if not _is_uid(said):
            setattr(data_set, keyword, _uid(str(said or digest), keyword))


def _file_meta(pydicom: Any, data_set: Any) -> Any:
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return meta


def _place_in(words: str) -> str:
    """Find the element that an error of pydicom is about; its words may quote a patient's name."""
    found = re.search(r"\(([0-9A-Fa-f]{4}), ?([0-9A-Fa-f]{4})\)", words)
    return f" at element ({found[1]},{found[2]})" if found else ""


def _is_uid(value: object) -> bool:
    text = str(value)
    return len(text) <= 64 and re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", text) is not None


def _uid(*parts: str) -> str:
    """Make a UID of 128 bits of a hash of `parts`."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
