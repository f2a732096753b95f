"""Remove the patient's identity from a header.

Fewer elements are kept than PS3.15's Basic Confidentiality Profile allows.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from cxr_enhance._version import __version__
from cxr_enhance.io.dicom.elements import tag_text
from cxr_enhance.io.dicom.pseudonym import hashed_uid, pseudonym

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
# The elements that a stripped header keeps: technique and geometry, no names, dates, places, free
# text or UIDs. All other elements are removed, private ones too.
_IMPERSONAL = (
    "SOPClassUID", "Modality", "ImageType", "ConversionType", "PresentationIntentType",
    "BodyPartExamined", "ViewPosition", "Laterality", "ImageLaterality", "PatientOrientation",
    "PhotometricInterpretation", "KVP", "ExposureTime", "XRayTubeCurrent", "Exposure",
    "DistanceSourceToDetector", "DistanceSourceToPatient", "Grid", "FilterType",
    "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "PresentationLUTShape",
    "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", "PixelAspectRatio", *SPACINGS,
)  # fmt: skip
# Elements that the standard demands, which may be empty.
EMPTIED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
# VRs of codes and of numbers. Codes may be lower case, against the standard: many writers do that.
_TEXT_VRS, _NUMBER_VRS = ("CS", "SH"), ("DS", "IS", "SS", "US")
_CODE = re.compile(r"[A-Za-z0-9 _.+/-]{0,16}")
_UID = re.compile(r"[0-9.]{1,64}")
_PROFILE = ("113100", "DCM", "Basic Application Confidentiality Profile")


def stripped(
    pydicom: Any,
    data_set: Any,
    digest: str,
    *,
    patient: str,
    key: bytes | None,
    notes: list[str],
) -> Any:
    """Make a header that has only technique and geometry of `data_set`.

    Parameters
    ----------
    pydicom : module
        The library.
    data_set : pydicom.Dataset
        The complete header.
    digest : str
        Digest of the source. New UIDs are made from it if the source has no UIDs.
    patient : str
        PatientID, as `attributes.patient_id` reads it; empty if the source has none.
    key : bytes or None
        Key of the pseudonyms. With a key, PatientID holds a pseudonym, and nobody without the key
        can find the original UIDs. None leaves PatientID empty.
    notes : list of str
        Gets a note for each element of technique and geometry that is left out: an element that
        holds anything but a code or a number may identify a patient.
    """
    kept = pydicom.Dataset()
    for keyword in _IMPERSONAL:
        if keyword not in data_set:
            continue
        element = data_set[keyword]
        if _is_impersonal(pydicom, element):
            kept[keyword] = element
        else:
            notes.append(
                f"{tag_text(element.tag)} holds something else than a code or number; left out"
            )
    for keyword in EMPTIED:
        setattr(kept, keyword, None)
    if key is not None and patient:
        kept.PatientID = pseudonym(patient, key)
    study, series = data_set.get("StudyInstanceUID"), data_set.get("SeriesInstanceUID")
    kept.StudyInstanceUID = hashed_uid(str(study or digest), "stripped study", key=key)
    kept.SeriesInstanceUID = hashed_uid(str(series or digest), "stripped series", key=key)
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = f"cxr-enhance {__version__}: PS3.15 Basic Profile, rest removed"
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = _PROFILE
    kept.DeidentificationMethodCodeSequence = [code]
    kept.LongitudinalTemporalInformationModified = "REMOVED"
    return kept


def _is_impersonal(pydicom: Any, element: Any) -> bool:
    """Return whether an element has the VR of its tag, and holds a code, UID or number."""
    if pydicom.datadict.dictionary_VR(element.tag) != element.VR:
        return False
    values = element.value if element.VM > 1 else [element.value]
    if element.VR in _NUMBER_VRS:
        return all(value is None or isinstance(value, int | float | Decimal) for value in values)
    pattern = _CODE if element.VR in _TEXT_VRS else _UID
    return all(value is None or pattern.fullmatch(str(value)) for value in values)
